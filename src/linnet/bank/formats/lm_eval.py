"""An lm-eval task folder for the text-only form: the leaf is named, the model says where it belongs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from linnet.bank.bank import Bank
from linnet.bank.formats import _task_utils
from linnet.bank.formats._flat import questions, task_name, write_lines
from linnet.bank.prompts import template as find_template
from linnet.bank.store import row_hash

OPTIONS = ("template",)

TASK = """\
# Written by Linnet from the bank '{bank}'. Run: lm_eval --include_path {folder} --tasks {task} ...
task: {task}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: !function utils.doc_to_text
doc_to_choice: !function utils.doc_to_choice
doc_to_target: answer
process_results: !function utils.process_scored
metric_list:
  - metric: accuracy
    aggregation: !function utils.agg_mean
    higher_is_better: true
  - metric: hca
    aggregation: !function utils.agg_hca
    higher_is_better: true
metadata:
  version: 1.0
  row_hash: '{row_hash}'
"""


def write(bank: Bank, out: Path | str, template: str = "paper-1") -> Path:
    """Write the task folder and return it.

    Every sample is asked as in the papers: all its levels but the deepest, whose answer is the name given.
    """
    out, task = Path(out).resolve(), f"{task_name(bank)}_text"
    words = find_template(template, bank, modality="text")
    out.mkdir(parents=True, exist_ok=True)
    depth = dict(zip(bank.sample_id, bank.leaf_level.tolist(), strict=True))
    above_leaf = (q for q in questions(bank, words) if q["level_index"] < depth[q["image_id"]])
    write_lines(above_leaf, out / f"{task}.jsonl")
    shutil.copyfile(_task_utils.__file__, out / "utils.py")
    filled = TASK.format(
        bank=bank.name,
        folder=out,
        task=task,
        data=json.dumps(str(out / f"{task}.jsonl")),
        row_hash=row_hash(bank),
    )
    (out / f"{task}.yaml").write_text(filled, "utf-8")
    return out
