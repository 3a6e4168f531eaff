"""The model card: what was trained on what, what it reached, and how to use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MERGED = (
    "`model/` holds the merged weights, to be used like the model they come from: "
    "`linnet evaluate --model model --bank BANK --out RUN`."
)
ADAPTER = "`adapter/` holds the adapters alone, as PEFT loads them."
RANKS = ("fpa", "inconsistency_rate", "leaf_accuracy")
TITLES = {"fpa": "full path", "inconsistency_rate": "inconsistent", "leaf_accuracy": "leaf"}


def card(result: dict[str, Any], recipe: str) -> str:
    """Markdown of a finished run; `recipe` is its YAML."""
    model, parameters, data = result["model"], result["parameters"], result["data"]
    lines = [
        f"# {model['name']}, trained on {data['name']}",
        "",
        f"Trained with `linnet train` to name {data['leaves']} leaves and every taxon above them "
        f"({', '.join(data['levels'])}) on {data['train']:,} photos. {parameters['trainable']:,} of "
        f"{parameters['total']:,} parameters were trained ({parameters['share']:.2%}); the logit scale is "
        f"{model['logit_scale']:.2f}.",
        "",
        *([MERGED] if result["merged"] else []),
        *([ADAPTER] if result["adapter"] else []),
        "",
        "## Figures",
        "",
        *table(result["figures"]),
        "",
        "In %. Full path: right at every rank. Inconsistent: independent answers that contradict each other.",
        f"Photos that could not be read: {result['unreadable']}; in the figures they are wrong.",
        "",
        "## Recipe",
        "",
        "```yaml",
        recipe.rstrip(),
        "```",
        "",
        f"Base model revision `{model['revision']}`, taxonomy `{data['taxonomy']}` "
        f"(`{data['taxonomy_fingerprint']}`), template `{model['template']}`.",
    ]
    return "\n".join(lines) + "\n"


def table(figures: dict[str, Any]) -> list[str]:
    """Markdown table of all figures: a row per split, group of leaves and decoder."""
    found = list(rows(figures))
    if not found:
        return ["Nothing was measured: the recipe names no validation and no test photos."]
    head = ["photos", "n", "decoder", *found[0]["levels"], *TITLES.values()]
    body = [
        [row["photos"], f"{row['n']:,}", row["decoder"], *map(percent, row["levels"].values()), *row["main"]]
        for row in found
    ]
    return [_line(head), _line(["---"] * len(head)), *map(_line, body)]


def rows(figures: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One mapping per split, group and decoder."""
    for split, groups in figures.items():
        for group, found in groups.items():
            for decoder, values in found.items():
                if decoder != "n":
                    yield {
                        "photos": split if group == "all" else f"{split}, {group}",
                        "n": found["n"],
                        "decoder": decoder,
                        "levels": values["level_accuracy"],
                        "main": [percent(values[key]) for key in RANKS],
                    }


def percent(value: float | None) -> str:
    """One decimal of per cent, `-` where nothing counts."""
    return "-" if value is None else f"{100 * value:.1f}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
