"""One record per scored question, as harnesses that know nothing of banks want them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from linnet.bank.bank import NONE, Bank
from linnet.bank.progress import bar
from linnet.bank.prompts import Template
from linnet.errors import LinnetError


def questions(bank: Bank, template: Template) -> Iterator[dict[str, Any]]:
    """Records of all scored questions, row by row, coarse levels first.

    `question` is the stem, after the text that the template's questions of a sample share. `path` holds
    the true names of all levels, '' where the lineage has none.
    """
    if template.statement is not None:
        raise LinnetError(f"template '{template.name}' asks yes or no; export needs a lettered one")
    scored, levels = bank.scored(), bank.taxonomy.level_names

    @cache
    def place(taxon: int) -> str:
        return " > ".join(bank.taxonomy.path(taxon))

    for row in bar(range(len(bank)), "questions"):
        path = [bank.shown_name(taxon) if taxon != NONE else "" for taxon in bank.lineage[row].tolist()]
        for level in np.flatnonzero(scored[row]).tolist():
            taxa = bank.options[row, level]
            yield {
                "question_id": f"{bank.name}/{bank.sample_id[row]}/{levels[level]}",
                "image": str(bank.image[row]),
                "image_id": str(bank.sample_id[row]),
                "taxonomy": bank.taxonomy.name,
                "level": levels[level],
                "level_index": level,
                "question": template.after_image(bank, row, template.stem_text(bank, row, level)),
                "choices": bank.option_names(row, level),
                "choice_ids": [place(taxon) for taxon in taxa[taxa != NONE].tolist()],
                "answer": int(bank.answer[row, level]),
                "path": path,
                "distractors": str(bank.manifest.get("policy") or "unknown"),
                "weight": float(bank.weight[row, level]),
            }


def write_lines(records: Iterator[dict[str, Any]], file: Path) -> None:
    """JSON lines, in place only when all are written."""
    unfinished = file.with_name(file.name + ".part")
    with unfinished.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    unfinished.replace(file)


def task_name(bank: Bank) -> str:
    """The bank's name in the characters that harnesses allow in a task name."""
    return "linnet_" + "".join(c if c.isalnum() else "_" for c in bank.name).lower()
