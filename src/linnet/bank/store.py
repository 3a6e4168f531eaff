"""A bank on disk is a folder: rows and taxonomy as Parquet, and a manifest that ties them together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.taxonomy import store as taxonomy_store
from linnet.taxonomy.tree import Taxonomy

VERSION = 1
ROWS, TREE, MANIFEST = "bank.parquet", "taxonomy.parquet", "manifest.json"
TEXTS = ("sample_id", "image", "label", "split")
NUMBERS = {"lineage": "<i4", "options": "<i4", "answer": "i1", "weight": "<f4"}


def save(bank: Bank, folder: Path | str) -> dict[str, Any]:
    """Write a bank folder and return its manifest; a bank that is there already is replaced.

    The manifest is written last, so a folder that was cut short does not pass for a whole one.
    """
    folder = Path(folder)
    if folder.exists() and not (
        folder.is_dir() and {p.name for p in folder.iterdir()} <= {ROWS, TREE, MANIFEST}
    ):
        raise LinnetError(f"'{folder}' exists and is no bank; choose another folder to write to")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    taxonomy_store.write(bank.taxonomy, folder / TREE)
    pq.write_table(_table(bank), folder / ROWS, compression="zstd")
    manifest = describe(bank)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    return manifest


def load(
    path: Path | str,
    taxonomy: Taxonomy | None = None,
    image_root: Path | None = None,
    strict: bool = True,
) -> Bank:
    """The bank in a native folder, or in a JSONL file of the papers.

    taxonomy: for a folder it must be the bank's own; for a JSONL file the tree its names belong to.
    image_root: where the images lie, instead of where the manifest says. strict: for a JSONL file, raise
    on defects instead of counting them. Raises LinnetError for what is no bank, and for rows, taxonomy
    and manifest that do not belong together.
    """
    path = Path(path)
    if path.suffix == ".jsonl":
        from linnet.bank.formats import papers

        if not path.is_file():
            raise LinnetError(f"cannot read '{path}': there is no such file; check the path")
        return papers.read(path, taxonomy, image_root, strict)
    manifest = _manifest(path)
    tree = taxonomy_store.read(path / TREE)
    _check_tree(manifest, tree, f"its {TREE}", "restore the file that was written with the bank")
    if taxonomy is not None:
        _check_tree(manifest, taxonomy, "the given taxonomy", "leave it out, the bank has its own")
    bank = _bank(pq.read_table(path / ROWS), tree, manifest)
    if row_hash(bank) != manifest["row_hash"]:
        raise LinnetError(
            f"the rows of bank '{path}' changed after it was written: their hash is {row_hash(bank)}, the "
            f"manifest says {manifest['row_hash']}; build the bank again, or copy the folder again"
        )
    return bank if image_root is None else replace(bank, image_root=Path(image_root))


def describe(bank: Bank) -> dict[str, Any]:
    """The manifest of a bank: how it was made, what it holds, and hashes of rows and taxonomy."""
    asked = bank.asked.sum(axis=0).tolist()
    return {
        **bank.manifest,
        "format_version": VERSION,
        "name": bank.name,
        "taxonomy": bank.taxonomy.name,
        "taxonomy_fingerprint": bank.taxonomy.fingerprint,
        "row_hash": row_hash(bank),
        "option_case": bank.option_case,
        "image_root": None if bank.image_root is None else str(bank.image_root),
        "n_samples": len(bank),
        "n_questions": sum(asked),
        "n_questions_per_level": dict(zip(bank.taxonomy.level_names, asked, strict=True)),
    }


def row_hash(bank: Bank) -> str:
    """Hash of everything in the rows; equal rows on equal ids have equal hashes."""
    digest = hashlib.sha256()
    texts = [*TEXTS, *(["verbatim"] if bank.verbatim is not None else [])]
    for name in texts:
        digest.update("\x1f".join(map(str, getattr(bank, name))).encode() + b"\x1e")
    for name, dtype in NUMBERS.items():
        array = np.ascontiguousarray(getattr(bank, name), dtype)
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()[:16]


def _table(bank: Bank) -> pa.Table:
    columns = {name: pa.array(getattr(bank, name), pa.string()) for name in TEXTS}
    columns |= {name: _nested(getattr(bank, name), dtype) for name, dtype in NUMBERS.items()}
    if bank.verbatim is not None:
        columns["verbatim"] = pa.array(bank.verbatim, pa.string())
    return pa.table(columns)


def _nested(array: np.ndarray, dtype: str) -> pa.Array:
    made = pa.array(np.ascontiguousarray(array, dtype).ravel())
    for width in array.shape[:0:-1]:
        made = pa.FixedSizeListArray.from_arrays(made, width)
    return made


def _bank(table: pa.Table, tree: Taxonomy, manifest: dict[str, Any]) -> Bank:
    texts = [name for name in (*TEXTS, "verbatim") if name in table.column_names]
    columns: dict[str, Any] = {name: table[name].to_numpy() for name in texts}
    columns |= {name: _flat(table[name], dtype) for name, dtype in NUMBERS.items()}
    root = manifest["image_root"]
    return Bank(
        taxonomy=tree,
        name=manifest["name"],
        image_root=None if root is None else Path(root),
        option_case=manifest["option_case"],
        manifest=manifest,
        **columns,
    )


def _flat(column: pa.ChunkedArray, dtype: str) -> np.ndarray:
    array, shape = column.combine_chunks(), [len(column)]
    while pa.types.is_fixed_size_list(array.type):
        shape.append(array.type.list_size)
        array = array.flatten()
    return array.to_numpy().astype(dtype).reshape(shape)


def _manifest(path: Path) -> dict[str, Any]:
    missing = [name for name in (MANIFEST, ROWS, TREE) if not (path / name).is_file()]
    if missing:
        raise LinnetError(
            f"'{path}' is no bank: {', '.join(missing)} not found; give a folder that `linnet bank build` "
            "wrote, or a .jsonl file of the papers"
        )
    manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    if manifest.get("format_version") != VERSION:
        raise LinnetError(
            f"bank '{path}' has format version {manifest.get('format_version')}; this Linnet reads version "
            f"{VERSION}; update Linnet, or build the bank again"
        )
    return manifest


def _check_tree(manifest: dict[str, Any], tree: Taxonomy, which: str, remedy: str) -> None:
    if tree.fingerprint != manifest["taxonomy_fingerprint"]:
        raise LinnetError(
            f"bank '{manifest['name']}' and {which} do not belong together: the bank was made with "
            f"'{manifest['taxonomy']}' ({manifest['taxonomy_fingerprint']}), this is '{tree.name}' "
            f"({tree.fingerprint}); {remedy}"
        )
