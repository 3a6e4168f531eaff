"""A folder for Hugging Face `datasets`: one config with a row per question, one with a row per image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from linnet.bank.bank import NONE, Bank
from linnet.bank.formats._flat import questions
from linnet.bank.formats.papers import record
from linnet.bank.progress import bar
from linnet.bank.prompts import template as find_template
from linnet.bank.store import describe

OPTIONS = ("template", "embed_images")
SHARD_BYTES = 500_000_000
BATCH = 1000  # rows held in memory at a time

TEXT, REAL, WHOLE = ({"dtype": dtype, "_type": "Value"} for dtype in ("string", "float32", "int32"))


def write(bank: Bank, out: Path | str, template: str = "paper-0", embed_images: bool = False) -> Path:
    """Write `questions` and `images` as Parquet per split, and the card; returns the folder.

    Without `embed_images` the column `image` holds paths relative to the image root, so that nothing is
    redistributed; with it the config `images` carries the files themselves, in shards of 500 MB.
    """
    out = Path(out)
    words = find_template(template, bank)
    splits = {_slug(str(split)): bank.split == split for split in dict.fromkeys(bank.split)}
    for name, rows in splits.items():
        part = bank.subset(rows)
        _write(out / "questions", name, questions(part, words), _question_schema(bank))
        _write(out / "images", name, _images(part, embed_images), _image_schema(bank, embed_images))
    (out / "README.md").write_text(_card(bank, list(splits), template), "utf-8")
    return out


def _slug(split: str) -> str:
    return "".join(c if c.isalnum() or c == "." else "_" for c in split) or "all"


def _images(bank: Bank, embed: bool) -> Iterator[dict[str, Any]]:
    levels = range(1, bank.n_levels + 1)
    for row in bar(range(len(bank)), "images"):
        told = record(bank, row)
        image: Any = str(bank.image[row])
        if embed:
            image = {"bytes": bank.image_path(row).read_bytes(), "path": image}
        path = [bank.shown_name(taxon) if taxon != NONE else "" for taxon in bank.lineage[row].tolist()]
        keys = [key for k in levels for key in (f"level{k}", f"choices_level{k}")]
        yield {
            "image_id": str(bank.sample_id[row]),
            "image": image,
            "label": told["label"],
            "split": told["split"],
            "path": path,
            **{key: told.get(key) for key in keys},
            "weights": bank.weight[row].tolist(),
        }


# ---- Parquet ----


def _list(feature: dict[str, Any]) -> dict[str, Any]:
    return {"feature": feature, "_type": "Sequence"}


def _question_schema(bank: Bank) -> pa.Schema:
    letters = [chr(65 + k) for k in range(bank.options.shape[2])]
    texts = ("question_id", "image", "image_id", "taxonomy", "level")
    return _schema(
        {name: (pa.string(), TEXT) for name in texts}
        | {"level_index": (pa.int32(), WHOLE), "question": (pa.string(), TEXT)}
        | {name: (pa.list_(pa.string()), _list(TEXT)) for name in ("choices", "choice_ids")}
        | {"answer": (pa.int64(), {"names": letters, "_type": "ClassLabel"})}
        | {"path": (pa.list_(pa.string()), _list(TEXT)), "distractors": (pa.string(), TEXT)}
        | {"weight": (pa.float32(), REAL)}
    )


def _image_schema(bank: Bank, embed: bool) -> pa.Schema:
    file = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    columns: dict[str, Any] = {"image_id": (pa.string(), TEXT)}
    columns["image"] = (file, {"_type": "Image"}) if embed else (pa.string(), TEXT)
    columns |= {"label": (pa.string(), TEXT), "split": (pa.string(), TEXT)}
    columns["path"] = (pa.list_(pa.string()), _list(TEXT))
    for level in range(1, bank.n_levels + 1):
        columns[f"level{level}"] = (pa.string(), TEXT)
        columns[f"choices_level{level}"] = (pa.list_(pa.string()), _list(TEXT))
    return _schema(columns | {"weights": (pa.list_(pa.float32()), _list(REAL))})


def _schema(columns: dict[str, tuple[pa.DataType, dict[str, Any]]]) -> pa.Schema:
    """Arrow schema whose metadata tells `datasets` the features."""
    features = {name: feature for name, (_, feature) in columns.items()}
    told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    return pa.schema([(name, kind) for name, (kind, _) in columns.items()], metadata=told)


def _write(folder: Path, split: str, records: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    """Shards `<split>-00000.parquet`, …; those of an earlier export are removed first."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{split}-?????.parquet"):
        old.unlink()
    stream, shard = iter(records), 0
    batch = list(islice(stream, BATCH))
    while batch or shard == 0:
        with pq.ParquetWriter(folder / f"{split}-{shard:05d}.parquet", schema, compression="zstd") as writer:
            written = 0
            while batch and written < SHARD_BYTES:
                table = pa.Table.from_pylist(batch, schema)
                writer.write_table(table)
                written += table.nbytes
                batch = list(islice(stream, BATCH))
        shard += 1


# ---- the card ----


def _card(bank: Bank, splits: list[str], template: str) -> str:
    about = describe(bank)
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    place = int(np.searchsorted(sizes, len(bank), side="right"))
    names = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"]
    head = {
        "pretty_name": bank.name,
        "task_categories": ["visual-question-answering", "image-classification"],
        "size_categories": [names[place]],
        "configs": [
            {
                "config_name": config,
                "data_files": [{"split": split, "path": f"{config}/{split}-*.parquet"} for split in splits],
            }
            for config in ("questions", "images")
        ],
    }
    told = "\n".join(
        f"- {key}: {about[key]}" for key in sorted(about) if key not in ("defects", "image_root")
    )
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# {bank.name}\n\n"
        f"Questions about {len(bank):,} images at every level of the taxonomy '{bank.taxonomy.name}', "
        f"written by Linnet with the template `{template}`.\n\n"
        "`questions` has one row per question, `images` one row per image with all its levels; "
        "`image_id` joins them. A score must honour `weight`: without it a guesser who never sees an image "
        f"can do better than chance.\n\n{told}\n"
    )
