"""The papers' JSONL: one line per image with `level{k}` and `choices_level{k}` for every level."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from linnet.bank.bank import NONE, Bank
from linnet.bank.defects import KINDS, Defects
from linnet.bank.formats._names import Resolver, Row, grown
from linnet.bank.formats._paths import below, split_prefix
from linnet.bank.progress import bar
from linnet.errors import LinnetError
from linnet.taxonomy.tree import Taxonomy

OPTIONS = ()
LEVEL = re.compile(r"(choices_)?level(\d+)")
FOREIGN = ("unknown_option", "unknown_lineage")  # defects of a bank that another taxonomy goes with


def read(
    path: Path | str, taxonomy: Taxonomy | None = None, image_root: Path | None = None, strict: bool = True
) -> Bank:
    """Bank of a JSONL file; `write` gives the file back byte for byte.

    taxonomy: the tree the names belong to; without one it is grown from the rows' own lineages. Names
    match whatever their case, hyphens and spacing. image_root: folder whose files the image paths end in.
    strict: raise LinnetError on a defect; otherwise defective questions stay unasked, a cut-off last line
    is left out, and both are counted in `manifest['defects']`.
    """
    path, defects = Path(path), Defects()
    lines = path.read_text("utf-8").splitlines(keepends=True)
    records = _records(path, lines, defects)
    rows = [_row(path, number, record) for number, record in records]
    tree = taxonomy or grown(rows, path.stem)
    bank = _bank(path, tree, rows, defects, gaps_known=taxonomy is not None)
    if strict:
        _refuse(path, taxonomy, defects)
    if image_root is not None:
        bank = _relocated(bank, Path(image_root))
    texts = [lines[number - 1] for number, _ in records]
    kept = [_unless_rendered(bank, row, text) for row, text in enumerate(bar(texts, "lines written back"))]
    verbatim = np.array(kept, object)
    return replace(bank, verbatim=verbatim if (verbatim != "").any() else None)


def write(bank: Bank, out: Path | str) -> Path:
    """Write the JSONL; `out` is the file, or a folder that gets `<bank name>.jsonl`.

    Question weights have no place in this format. Constant levels above the first asked one are written
    with their only name, as in the papers' files. Returns the file.
    """
    out = Path(out)
    file = out if out.suffix == ".jsonl" else out / f"{bank.name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(file.name + ".part")
    with unfinished.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(line(bank, row) for row in bar(range(len(bank)), "lines"))
    unfinished.replace(file)
    return file


def line(bank: Bank, row: int) -> str:
    """One row as JSON with its line end."""
    if bank.verbatim is not None and bank.verbatim[row]:
        return str(bank.verbatim[row])
    return json.dumps(record(bank, row)) + "\n"


def record(bank: Bank, row: int) -> dict[str, Any]:
    """One row as the format's object, levels counted from 1."""
    prefix = bank.manifest.get("image_prefix", "")
    image = f"{prefix}{bank.image[row]}"
    made: dict[str, Any] = {"image": image, "label": str(bank.label[row]), "split": str(bank.split[row])}
    for level in range(bank.n_levels):
        names = bank.option_names(row, level)
        if bank.asked[row, level]:
            truth = names[bank.answer[row, level]]
        elif level < bank.taxonomy.first_scored_level and bank.lineage[row, level] != NONE:
            truth = bank.shown_name(bank.lineage[row, level])
            names = [truth]
        else:
            continue
        made |= {f"level{level + 1}": truth, f"choices_level{level + 1}": names}
    return made


def _unless_rendered(bank: Bank, row: int, text: str) -> str:
    return "" if line(bank, row) == text else text


# ---- reading ----


def _records(path: Path, lines: list[str], defects: Defects) -> list[tuple[int, dict[str, Any]]]:
    records = []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            records.append((number, json.loads(text)))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise LinnetError(
                    f"line {number} of {path.name} is not JSON ({error.msg}); mend or delete that line"
                ) from error
            defects.add("truncated_line", f"line {number}")
    if not records:
        raise LinnetError(f"{path.name} holds no complete line; copy it again")
    return records


def _row(path: Path, number: int, record: dict[str, Any]) -> Row:
    truth: dict[int, str] = {}
    options: dict[int, list[str]] = {}
    for key, value in record.items():
        match = LEVEL.fullmatch(key)
        if match and value is not None:
            (options if match[1] else truth)[int(match[2]) - 1] = value
    if not truth:
        raise LinnetError(
            f"line {number} of {path.name} has no key 'level1', 'level2', …; it is no question row"
        )
    known = {key: str(record.get(key, "")) for key in ("image", "label", "split")}
    return Row(number, known["image"], known["label"], known["split"], truth, options)


def _bank(path: Path, tree: Taxonomy, rows: list[Row], defects: Defects, gaps_known: bool) -> Bank:
    width = max((len(names) for row in rows for names in row.options.values()), default=0)
    shape = (len(rows), tree.n_levels)
    lineage, answer = np.full(shape, NONE, np.int32), np.full(shape, NONE, np.int8)
    options = np.full((*shape, width), NONE, np.int32)
    resolver = Resolver(tree, defects)
    for index, row in enumerate(bar(rows, "lines")):
        taxa = resolver.lineage(row)
        if taxa is None:
            continue
        lineage[index] = taxa
        _gaps(row, taxa, defects, gaps_known)
        for level in sorted(row.truth.keys() & row.options.keys()):
            shown = resolver.options(row, level, int(taxa[level]))
            if shown is not None:
                options[index, level, : len(shown)] = shown
                answer[index, level] = shown.index(int(taxa[level]))
    prefix, relative = split_prefix([row.image for row in rows])
    return Bank(
        taxonomy=tree,
        sample_id=_ids(rows, relative, defects),
        image=np.array(relative, object),
        label=np.array([row.label for row in rows], object),
        split=np.array([row.split for row in rows], object),
        lineage=lineage,
        options=options,
        answer=answer,
        weight=np.ones(shape, np.float32),
        name=path.stem,
        option_case="lower" if all(_is_lower(row) for row in rows) else "as_is",
        manifest={"source": path.name, "image_prefix": prefix, "defects": defects.count},
    )


def _is_lower(row: Row) -> bool:
    return all(name == name.lower() for names in row.options.values() for name in names)


def _gaps(row: Row, lineage: np.ndarray, defects: Defects, gaps_known: bool) -> None:
    """Count levels that the row leaves out between two it has, unless the taxonomy has none there."""
    for level in range(min(row.truth), max(row.truth)):
        if level not in row.truth and not (gaps_known and lineage[level] == NONE):
            defects.add("level_gap", row.where(level))


def _ids(rows: list[Row], relative: list[str], defects: Defects) -> np.ndarray:
    """Image paths, or labels where there is no image; repeats get their line number."""
    seen: set[str] = set()
    ids = []
    for row, path in zip(rows, relative, strict=True):
        name = path or row.label
        if name in seen:
            defects.add("duplicate_sample", f"{row.where()}: '{name}'")
            name = f"{name}#{row.line}"
        seen.add(name)
        ids.append(name)
    return np.array(ids, object)


def _relocated(bank: Bank, root: Path) -> Bank:
    """The bank with image paths relative to `root`, if the first image's path ends in a file there."""
    prefix = bank.manifest["image_prefix"]
    full = [f"{prefix}{path}" for path in bank.image]
    found = below(root, full[0])
    if found is None:
        return replace(bank, image_root=root)
    prefix = full[0].removesuffix(found)
    if not all(path.startswith(prefix) for path in full):
        raise LinnetError(
            f"the images of '{bank.name}' do not all lie below '{prefix}' as the first does; "
            "give them one root folder"
        )
    image = np.array([path[len(prefix) :] for path in full], object)
    return replace(bank, image=image, image_root=root, manifest={**bank.manifest, "image_prefix": prefix})


def _refuse(path: Path, taxonomy: Taxonomy | None, defects: Defects) -> None:
    """Raise LinnetError naming the first defect of the file; repeated images are no reason to."""
    kinds = [kind for kind in defects.found() if kind != "duplicate_sample"]
    if not kinds:
        return
    kind = kinds[0]
    where, count = defects.first[kind], defects.count[kind]
    if kind == "truncated_line":
        raise LinnetError(f"{where} of {path.name} is cut off; copy the file again, or delete that line")
    foreign = [kind for kind in kinds if kind in FOREIGN]
    if taxonomy is not None and foreign:
        where, count = defects.first[foreign[0]], defects.count[foreign[0]]
        raise LinnetError(
            f"bank '{path.name}' and taxonomy '{taxonomy.name}' do not belong together: {where} is not in "
            f"the taxonomy ({count} such places); give the taxonomy the bank was made from"
        )
    raise LinnetError(
        f"{path.name}, {where}: {KINDS[kind]} ({count} in all); mend the file; "
        "`linnet bank audit` counts all defects"
    )
