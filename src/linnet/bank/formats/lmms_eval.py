"""An lmms-eval task folder, used with `--include_path`: YAML, questions and the functions it names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from linnet.bank.bank import Bank
from linnet.bank.formats import _task_utils
from linnet.bank.formats._flat import questions, task_name, write_lines
from linnet.bank.prompts import template as find_template
from linnet.bank.store import row_hash
from linnet.errors import LinnetError

OPTIONS = ("template",)

TASK = """\
# Written by Linnet from the bank '{bank}'. Run: lmms_eval --include_path {folder} --tasks {task} ...
task: {task}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_target: !function utils.doc_to_target
generation_kwargs:
  max_new_tokens: 16
  temperature: 0
  do_sample: false
process_results: !function utils.process_generated
metric_list:
  - metric: accuracy
    aggregation: !function utils.agg_mean
    higher_is_better: true
  - metric: hca
    aggregation: !function utils.agg_hca
    higher_is_better: true
  - metric: invalid
    aggregation: !function utils.agg_mean
    higher_is_better: false
cluster_key: image_id
lmms_eval_specific_kwargs:
  default:
    pre_prompt: {before}
    post_prompt: {after}
metadata:
  - version: 1.0
    row_hash: '{row_hash}'
"""


def write(bank: Bank, out: Path | str, template: str = "paper-0") -> Path:
    """Write the task folder and return it.

    template: name of a lettered template; its system prompt is not part of the task, and its text before
    the image stands after it, where the harness puts all text. The images are read from the bank's image
    root. Raises LinnetError for a bank without one.
    """
    if bank.image_root is None:
        raise LinnetError(f"bank '{bank.name}' has no image root; give one with --image-root DIR")
    out, task = Path(out).resolve(), task_name(bank)
    words = find_template(template, bank)
    out.mkdir(parents=True, exist_ok=True)
    write_lines(questions(bank, words), out / f"{task}.jsonl")
    shutil.copyfile(_task_utils.__file__, out / "utils.py")
    about = {"bank": bank.name, "image_root": str(bank.image_root.resolve()), "template": template}
    (out / "task.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    filled = TASK.format(
        bank=bank.name,
        folder=out,
        task=task,
        data=json.dumps(str(out / f"{task}.jsonl")),
        before=json.dumps(words.before_image),
        after=json.dumps(f"{words.joint}{words.last_line}" if words.last_line else ""),
        row_hash=row_hash(bank),
    )
    (out / f"{task}.yaml").write_text(filled, "utf-8")
    return out
