"""A study as tables for the terminal and as a heat map: places down, levels across, in percent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from linnet.evaluate.table import aligned, percent
from linnet.probe import heatmap
from linnet.probe.targets import READ, REGROUPED, SHUFFLED, TRUE

LEGEND = (
    "Probes see the whole vocabulary of a level; path: every level right, each on its own; joint: the best",
    "path of the tree; torn: answers that contradict each other; offered: path among the questions' options;",
    "shuffled: path where training labels were dealt out anew; tree: mean over the levels above the leaves",
    "of the accuracy less that on regrouped labels, where leaves swapped places: more than the leaves.",
)


def main_readings(told: dict[str, Any], labels: str = TRUE, weights: str = "own") -> list[dict[str, Any]]:
    """The readings of the main probe, in the order of the places, on all training rows."""
    of_all = [
        r
        for r in told["readings"]
        if r["shots"] is None and r["labels"] == labels and r["weights"] == weights
    ]
    first: dict[str, Any] = next(iter(of_all), {})
    main = {name: first.get(name) for name in ("probe", "pooling")}
    return [r for r in of_all if r["probe"] == main["probe"] and r["pooling"] == main["pooling"]]


def render(told: dict[str, Any]) -> str:
    """All tables of a study as text."""
    blocks = [_probes(told), _further(told), _geometry(told), _text(told), _told(told), _patching(told)]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _probes(told: dict[str, Any]) -> list[str]:
    rows, levels = told["rows"], told["levels"]
    true, shuffled = main_readings(told), _by_place(main_readings(told, SHUFFLED))
    regrouped = _by_place(main_readings(told, REGROUPED))
    kind = true[0]["probe"] if true else "no"
    title = (
        f"{kind} probes on {rows['train']} + {rows['validation']} rows, tested on {rows['test']}, "
        f"apart by {told['disjoint']}; in %"
    )
    head = ["place", *levels, "path", "95 % interval", "joint", "torn", "offered", "shuffled", "tree"]
    lines = [_cells(r, levels, shuffled.get(r["place"]), regrouped.get(r["place"])) for r in true]
    lines += [
        _cells(r | {"place": f"{r['place']} (random)"}, levels, None, None)
        for r in main_readings(told, weights="random")
    ]
    lines += list(_own(told, levels))
    notes = [f"{told['unreadable']} photos cannot be read and are left out"] if told["unreadable"] else []
    return [title, *aligned([head, *lines]), *LEGEND, *notes, *_unseen(true, levels), *_cannot(told)]


def _by_place(readings: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {reading["place"]: reading for reading in readings}


def _cells(
    reading: dict[str, Any],
    levels: Sequence[str],
    shuffled: dict[str, Any] | None,
    regrouped: dict[str, Any] | None,
) -> list[str]:
    full, joint = reading["full"]["independent"], reading["full"]["joint"]
    four = reading.get("four", {}).get("independent", {})
    low, high = full["intervals"]["hca"] or (None, None)
    return [
        reading["place"],
        *(word_of(reading, k) for k in range(len(levels))),
        percent(full["hca"]),
        f"{percent(low)} to {percent(high)}",
        percent(joint["hca"]),
        percent(full["inconsistency_rate"]),
        percent(four.get("hca")),
        percent(shuffled["full"]["independent"]["hca"]) if shuffled else "-",
        percent(tree_share(reading, regrouped)) if regrouped else "-",
    ]


def word_of(reading: dict[str, Any], level: int) -> str:
    """A level's accuracy, or why there is none."""
    status = reading["status"][level]
    return percent(reading["full"]["independent"]["level_accuracy"][level]) if status == READ else status


def tree_share(reading: dict[str, Any], regrouped: dict[str, Any]) -> float | None:
    """Mean over the levels above the leaves of the accuracy less that on regrouped labels."""
    pairs = list(
        zip(*(r["full"]["independent"]["level_accuracy"] for r in (reading, regrouped)), strict=True)
    )
    gaps = [a - b for a, b in pairs[:-1] if a is not None and b is not None]
    return sum(gaps) / len(gaps) if gaps else None


def _own(told: dict[str, Any], levels: Sequence[str]) -> Iterator[list[str]]:
    """The model's own answers, among the options and, where it has scores for them, among all taxa."""
    own = told["own"]
    for candidates in ("four", "full"):
        if candidates not in own:
            continue
        free, joint = own[candidates]["independent"], own[candidates]["joint"]
        low, high = free["intervals"]["hca"] or (None, None)
        shown = [percent(value) for value in free["level_accuracy"]]
        name = f"own answers ({candidates})"
        offered = percent(free["hca"]) if candidates == "four" else "-"
        yield [
            name,
            *shown,
            percent(free["hca"]),
            f"{percent(low)} to {percent(high)}",
            percent(joint["hca"]),
            percent(free["inconsistency_rate"]),
            offered,
            "-",
            "-",
        ]


def _cannot(told: dict[str, Any]) -> list[str]:
    return [f"no answers of its own: {told['own']['cannot']}"] if "cannot" in told["own"] else []


def _unseen(true: Sequence[dict[str, Any]], levels: Sequence[str]) -> list[str]:
    """Taxa that no training row has, which are counted as wrong."""
    counts = true[0]["unseen"] if true else []
    told = [f"{levels[k]} of {count}" for k, count in enumerate(counts) if count]
    return [f"no training row has the true {', '.join(told)} test rows; they count as wrong"] if told else []


def _further(told: dict[str, Any]) -> list[str]:
    """Other kinds of probe, poolings and few-shot probes: the path, each on its own."""
    main = {id(r) for r in main_readings(told)}
    rest = [
        r for r in told["readings"] if r["labels"] == TRUE and r["weights"] == "own" and id(r) not in main
    ]
    kinds = list(dict.fromkeys(_kind(r) for r in rest))
    places = list(dict.fromkeys(r["place"] for r in rest))
    found = {(r["place"], _kind(r)): percent(r["full"]["independent"]["hca"]) for r in rest}
    rows = [[place, *(found.get((place, kind), "-") for kind in kinds)] for place in places]
    return ["other probes, path in %", *aligned([["place", *kinds], *rows])] if rows else []


def _kind(reading: dict[str, Any]) -> str:
    shots = f", {reading['shots']} shot" if reading["shots"] else ""
    return f"{reading['probe']}, {reading['pooling']}{shots}"


def _geometry(told: dict[str, Any]) -> list[str]:
    if not told.get("geometry"):
        return []
    head = [
        "place",
        "CKA",
        "shuffled",
        "rank corr.",
        "p",
        "cos(child - parent, parent)",
        "leaves shuffled",
        "stranger",
    ]
    rows = [_shape(place, shape) for place, shape in told["geometry"].items() if shape]
    return ["geometry: agreement with the tree, and directions along its edges", *aligned([head, *rows])]


def _shape(place: str, shape: dict[str, Any]) -> list[str]:
    fits = [shape[name] for name in ("cka", "rank_correlation")] if "cka" in shape else [None, None]
    numbers = [
        _number(fits[0] and fits[0]["value"]),
        _number(fits[0] and fits[0]["shuffled"]),
        _number(fits[1] and fits[1]["value"]),
        _number(fits[1] and fits[1]["p"], 3),
    ]
    edges = shape["orthogonality"]
    along = [edges["lda"]["child_parent"], edges["shuffled"]["child_parent"], edges["lda"]["stranger"]]
    return [place, *numbers, *(f"{_number(one['mean'])} ± {_number(one['std'])}" for one in along)]


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _text(told: dict[str, Any]) -> list[str]:
    if "text" not in told:
        return []
    side, levels = told["text"], told["levels"]
    true = [r for r in side["readings"] if r["labels"] == TRUE]
    rows = [
        [
            r["form"],
            r["place"],
            *(word_of(r, k) for k in range(len(levels))),
            percent(r["full"]["independent"]["hca"]),
        ]
        for r in true
    ]
    title = f"text side: prompts that name a leaf, tested on {side['test']} leaves unseen in training; in %"
    return [title, *aligned([["prompt", "place", *levels, "path"], *rows], left=2)]


def _told(told: dict[str, Any]) -> list[str]:
    if "causal" not in told:
        return []
    rows = []
    for name, found in told["causal"]["told"].items():
        low, high = found["intervals"]["hca"] or (None, None)
        shown = [percent(value) for value in found["level_accuracy"]]
        span = f"{percent(low)} to {percent(high)}"
        rows.append([name, *shown, percent(found["hca"]), span, percent(found["chance"]["hca"])])
    head = ["given", *told["levels"], "path", "95 % interval", "chance"]
    return [
        "the same questions, what is given in words; the leaf is not asked; in %",
        *aligned([head, *rows]),
    ]


def _patching(told: dict[str, Any]) -> list[str]:
    if "causal" not in told:
        return []
    found = told["causal"]["patching"]
    head = ["place", *found["levels"]]
    rows = [
        [place, *(_turned(level, place) for level in found["levels"].values())] for place in found["places"]
    ]
    counts = ["answers", *(f"{level['n']} of {level['wrong']}" for level in found["levels"].values())]
    title = "wrong answers turned right by states of a right one (by those of another taxon), in %"
    return [title, *aligned([head, *rows, counts])]


def _turned(level: dict[str, Any], place: str) -> str:
    if place not in level["places"]:
        return "-"
    share = level["places"][place]
    return f"{100 * share['right']['value']:.0f} ({100 * share['stranger']['value']:.0f})"


def write_heat(told: dict[str, Any], path: Path) -> None:
    """The accuracy of the main probe per place and level as a PNG."""
    true, levels = main_readings(told), told["levels"]
    values = [_shares(r) for r in true]
    words = [[word_of(r, k) for k in range(len(levels))] for r in true]
    kind = true[0]["probe"] if true else "no"
    title = f"{kind} probe accuracy in %, {told['rows']['test']} test rows"
    heatmap.draw(path, [r["place"] for r in true], levels, values, words, title)


def _shares(reading: dict[str, Any]) -> list[float | None]:
    shares = reading["full"]["independent"]["level_accuracy"]
    return [
        share if status == READ else None for share, status in zip(shares, reading["status"], strict=True)
    ]
