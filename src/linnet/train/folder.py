"""The folder of a training run: the same recipe on the same data continues, another one is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError
from linnet.evaluate import fingerprint
from linnet.evaluate.session import conditions, now

ABOUT, FIGURES, CHECKPOINTS, JOINED = "train.json", "metrics.json", "checkpoints", "joined"


def refuse_foreign(out: Path) -> None:
    """Raise LinnetError if the folder holds something that is no training."""
    other = [path.name for path in out.iterdir() if not path.name.startswith(JOINED)]
    if other and not (out / ABOUT).exists():
        raise LinnetError(f"{out} exists and holds no training ({other[0]}); give a new folder with --out")


def claim(out: Path, about: dict[str, Any], free: tuple[str, ...]) -> None:
    """Make `out` the run of this fingerprint, or continue it; raises LinnetError if it is another's.

    free: dotted settings of the recipe that may change between sessions.
    """
    plain = json.loads(json.dumps(about, default=str))
    if (out / ABOUT).exists():
        lines = fingerprint.differences(read(out)["fingerprint"], plain)
        changed = [line for line in lines if line.split(":")[0].removeprefix("recipe.") not in free]
        if changed:
            raise LinnetError(
                f"{out} holds the training of something else: {'; '.join(changed)}. Give another folder with "
                "--out, or the recipe and data it was begun with"
            )
        return
    fingerprint.write_json(out / ABOUT, {"fingerprint": plain, "sessions": []})


def read(out: Path) -> dict[str, Any]:
    """What train.json says."""
    return json.loads((out / ABOUT).read_text(encoding="utf-8"))


def begin(out: Path) -> None:
    """Note that a session starts, with command line, versions and machine."""
    about = read(out)
    about["sessions"].append({"started": now(), "finished": None, **conditions()})
    fingerprint.write_json(out / ABOUT, about)


def finish(out: Path, figures: dict[str, Any]) -> None:
    """Keep the figures, which say that the run is complete, and note the end of the session."""
    about = read(out)
    about["sessions"][-1]["finished"] = now()
    fingerprint.write_json(out / ABOUT, about)
    fingerprint.write_json(out / FIGURES, figures)


def figures(out: Path) -> dict[str, Any] | None:
    """The figures of a complete run."""
    path = out / FIGURES
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def last_checkpoint(out: Path) -> Path | None:
    """The last checkpoint that was written whole; the Trainer writes its state last.

    A torn one, left by a kill in the middle of writing, is removed: the Trainer would count it.
    """
    found = sorted((out / CHECKPOINTS).glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    while found and not _whole(found[-1]):
        shutil.rmtree(found.pop(), ignore_errors=True)
    return found[-1] if found else None


def _whole(checkpoint: Path) -> bool:
    state = checkpoint / "trainer_state.json"
    try:
        return bool(json.loads(state.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False
