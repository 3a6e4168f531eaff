"""A run folder knows what it is a run of: the same fingerprint continues, another one is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linnet.bank import store as bank_store
from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate.session import conditions, hide, now

WORK = "answers.arrow"
PARTS = ("run.json", WORK, "mapping.json", "metrics.json", "unreadable.csv", "bank")
VOLATILE = ("device", "batch_size", "workers", "cache", "threads", "versions")  # recorded, free to change


def of(bank: Bank, model: dict[str, Any], node_scores: bool) -> dict[str, Any]:
    """What decides the answers: the model as it describes itself, the bank, and what is kept."""
    kept = {key: value for key, value in model.items() if key not in VOLATILE}
    plain = {"model": hide(kept), "bank": of_bank(bank), "node_scores": node_scores}
    return json.loads(json.dumps(plain, default=str))


def of_bank(bank: Bank) -> dict[str, Any]:
    """Name, size and hashes of a bank; two banks with equal ones ask the same questions in the same order."""
    return {
        "name": bank.name,
        "samples": len(bank),
        "rows": bank_store.row_hash(bank),
        "taxonomy": bank.taxonomy.fingerprint,
        "option_case": bank.option_case,
    }


def keep_bank(folder: Path, bank: Bank) -> None:
    """Write the bank into the run folder, unless it is there whole already."""
    if not (folder / "bank" / bank_store.MANIFEST).exists():
        shutil.rmtree(folder / "bank", ignore_errors=True)
        bank_store.save(bank, folder / "bank")


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """`key: old -> new` for every leaf in which two nested dicts differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(name for name in new if name not in old)]
        found = [differences(old.get(name), new.get(name), f"{key}.{name}".strip(".")) for name in keys]
        return [line for lines in found for line in lines]
    return [] if old == new else [f"{key}: {old} -> {new}"]


def claim(
    folder: Path,
    fingerprint: dict[str, Any],
    overwrite: bool = False,
    parts: Sequence[str] = PARTS,
    work: str = WORK,
) -> None:
    """Make `folder` the run folder of this fingerprint, or continue it if it is already.

    parts: files and folders of such a run, run.json first; work: the one without which nothing is lost.
    Raises LinnetError if it holds another run or anything else. An older run is removed with
    `overwrite`, or if it never got as far as its work.
    """
    if overwrite or not (folder / work).exists():
        _remove_run(folder, parts)
    if (folder / "run.json").exists():
        if changed := differences(load(folder)["fingerprint"], fingerprint):
            raise LinnetError(
                f"{folder} holds the run of something else: {'; '.join(changed)}. "
                "Give another folder with --out, or replace the old run with --overwrite"
            )
        return
    if any(folder.iterdir()):
        raise LinnetError(f"{folder} exists and holds no run; give a new or an empty folder with --out")
    write_json(folder / "run.json", {"fingerprint": fingerprint, "sessions": []})


def _remove_run(folder: Path, parts: Sequence[str]) -> None:
    if (folder / "run.json").exists():
        for path in (folder / name for name in reversed(parts)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def load(folder: Path) -> dict[str, Any]:
    """What run.json says; raises LinnetError if the folder is no run."""
    path = folder / "run.json"
    if not path.exists():
        raise LinnetError(
            f"{folder} holds no run.json, so it is no run folder; make one with linnet evaluate"
        )
    return read_json(path)


def read_json(path: Path) -> Any:
    """What a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file so that at any moment it is whole: the old one or the new one."""
    draft = path.with_name(f"{path.name}.part")
    draft.write_text(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
    os.replace(draft, path)


def begin(folder: Path) -> None:
    """Note in run.json that a session starts now, with the conditions it runs under."""
    run = load(folder)
    run["sessions"].append({"started": now(), "finished": None, **conditions()})
    write_json(folder / "run.json", run)


def finish(folder: Path, report: dict[str, Any] | None = None) -> None:
    """Note in run.json that the session which began last has answered everything, and what came up."""
    run = load(folder)
    run["sessions"][-1] |= {"finished": now()} | ({} if report is None else {"report": report})
    write_json(folder / "run.json", run)
