"""The page is one file: style, script and data inside, and a policy that forbids the network."""

from __future__ import annotations

import hashlib
import html
import json
import os
from base64 import b64encode
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from tqdm import tqdm

from linnet.errors import LinnetError
from linnet.report import sections
from linnet.report.figures import rounded
from linnet.report.folders import Folder
from linnet.report.sections import card
from linnet.report.view import View

PAGE, SECTIONS = files("linnet.report") / "page", files("linnet.report") / "sections"
HEAD = {"hca": "hca", "leaf": "leaf_accuracy", "torn": "inconsistency_rate"}
SHELL = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript>This report draws its figures with a script inside this file; let the browser run it.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def write(view: View, out: Path, title: str | None = None, progress: bool = True) -> int:
    """Write the report and return its size in bytes; one that is there is replaced when this one is whole.

    Raises LinnetError where the file cannot be written, before anything is computed.
    """
    draft = out.with_name(f".{out.name}.part")
    _open(out, draft)
    try:
        text = page(data(view, title, progress))
        draft.write_bytes(text.encode("utf-8", "replace"))
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)
    return out.stat().st_size


def _open(out: Path, draft: Path) -> None:
    try:
        if out.is_dir():
            raise IsADirectoryError("it is a folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.touch()
    except OSError as error:
        why = error.strerror or error
        raise LinnetError(f"{out} cannot be written ({why}); give another file with --out") from None


def data(view: View, title: str | None = None, progress: bool = True) -> dict[str, Any]:
    """Everything that the page shows, as JSON values."""
    bar = partial(tqdm, desc="report", unit="section", disable=not progress)
    told, absent = sections.build(view, bar)
    if absent:
        next(part for part in told if part["id"] == "card")["figures"].append(card.left_out(absent))
    names = [folder.name for folder in view.folders]
    return {
        "title": title or f"Linnet: {', '.join(names)}",
        "names": names,
        "heads": rounded([head(folder, view) for folder in view.folders]),
        "notes": view.notes,
        "sections": told,
    }


def head(folder: Folder, view: View) -> dict[str, Any]:
    """What stands at the top of the page about one folder."""
    kinds = {"evaluation": folder.run, "training": folder.training, "probe": folder.probe}
    what = ", ".join(name for name, part in kinds.items() if part is not None)
    run = next((run for run in view.runs if run.folder is folder), None)
    if run is None:
        model = (folder.probe or {}).get("model", {}).get("model")
        return {"name": folder.name, "what": f"{what} of {model}" if model else what}
    model = run.about["fingerprint"]["model"]
    figures = {key: run.figures[name].value for key, name in HEAD.items()}
    told = {"what": f"{model.get('model', 'model')} ({model.get('kind')}) on {run.bank.name}", **figures}
    return {"name": folder.name, "samples": len(run), "interval": list(run.ends["hca"]), **told}


def page(shown: dict[str, Any]) -> str:
    """The whole file as text. No `<` of the data is left, so no name in it can end or begin an element."""
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    style, code = (PAGE / "page.css").read_text("utf-8"), script()
    return SHELL.format(
        policy=policy(style, code),
        title=html.escape(shown["title"]),
        style=style,
        script=code,
        data=text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
    )


def script() -> str:
    """The scripts of the page and of its sections, one after another in the order of their names."""
    parts = [part for where in (PAGE, SECTIONS) for part in where.iterdir() if part.name.endswith(".js")]
    texts = [
        part.read_text("utf-8")
        for part in sorted(parts, key=lambda part: (part.name != "base.js", part.name))
    ]
    return "(() => {\n'use strict';\n" + "\n".join(texts) + "\nstart();\n})();\n"


def policy(style: str, code: str) -> str:
    """A Content-Security-Policy that allows these two texts and embedded pictures, and no request at all."""
    hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, code)]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; "
        f"script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )
