"""A model is a folder: one on this machine, or the snapshot of a hub repository."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError, need

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
CODE = ["*.py"]
WHOLE = 200 << 20  # weights up to this many bytes are hashed whole
ENDS = 1 << 20  # of larger files the size, the first and the last MiB are


@dataclass(frozen=True)
class ModelFolder:
    """A model's files and what identifies them.

    name: hub id, or the name of the local folder; revision: the hub's commit, or a hash of the files.
    """

    name: str
    path: Path
    revision: str

    def config(self, file: str = "config.json") -> dict[str, Any]:
        """A JSON file of the folder, {} where it is not there."""
        return read_config(self.path / file)

    def need_safetensors(self) -> None:
        """Raise LinnetError unless the weights are safetensors."""
        if not any(self.path.glob("*.safetensors")):
            raise LinnetError(
                f"model '{self.name}' has no *.safetensors file in {self.path} (found: "
                f"{listing(self.path)}); pickled weights can run code and are never read, save them as "
                "safetensors first"
            )


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object, {} where the file is not there; raises LinnetError if it is none."""
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LinnetError(f"{path} is not valid JSON ({error}); get the model's files again") from error
    return config if isinstance(config, dict) else {}


def resolve(model: str, revision: str | None = None, code: bool = False) -> ModelFolder:
    """The folder of a local path or of a hub id (owner/name, `hf-hub:` before it is allowed).

    code: whether the model's own Python files belong to it, as they do where they are trusted to run.
    Raises LinnetError where there is neither, and where the hub cannot be reached and has nothing cached.
    """
    model = model.removeprefix("hf-hub:")
    path, patterns = Path(model).expanduser(), PATTERNS + (CODE if code else [])
    if path.is_dir():
        if revision:
            raise LinnetError(f"'{model}' is a local folder and has no revision '{revision}'; leave it out")
        path = path.resolve()
        return ModelFolder(path.name, path, fingerprint(path, patterns))
    if path.exists() or not HUB_ID.fullmatch(model):
        raise LinnetError(f"'{model}' is neither a folder here nor a hub id of the form owner/name")
    snapshot = _snapshot(model, revision, patterns)
    return ModelFolder(model, snapshot, snapshot.name)


def _snapshot(model: str, revision: str | None, patterns: list[str]) -> Path:
    """Folder of a hub repository's files; its name is the commit."""
    hub = need("huggingface_hub", "hf")
    try:
        return Path(hub.snapshot_download(model, revision=revision, allow_patterns=patterns))
    except OSError as error:
        reason = str(error).strip().split("\n")[0]
        raise LinnetError(
            f"'{model}' is no folder here, and the hub did not give it"
            f"{f' at revision {revision!r}' if revision else ''} ({type(error).__name__}: {reason}); "
            f"check the name, or download it where there is a network: hf download {model}"
        ) from error


def fingerprint(folder: Path, patterns: list[str]) -> str:
    """Hash of the files of a folder that decide a model's scores: settings, tokenizer and weights."""
    digest = hashlib.sha256()
    files = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    weights = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        whole = weights <= WHOLE or path.suffix != ".safetensors"
        digest.update(path.read_bytes() if whole else _ends(path))
    return digest.hexdigest()[:16]


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(ENDS)
        file.seek(max(path.stat().st_size - ENDS, 0))
        return head + file.read(ENDS)


def listing(folder: Path, most: int = 12) -> str:
    """Names in a folder for an error message."""
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "") or "nothing"
