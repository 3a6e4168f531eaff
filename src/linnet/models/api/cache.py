"""Every reply is on disk before it is used, so that nothing is asked twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError
from linnet.models.api.endpoint import Endpoint
from linnet.models.api.reply import Reply


def default_folder() -> Path:
    """LINNET_CACHE, or 'linnet' in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LINNET_CACHE") or Path(home) / "linnet")


def cache_key(server: str, body: dict[str, Any], photo: str | None) -> str:
    """Hash of a request; photo stands for the image: a digest of its pixels and how they are sent."""
    stable = json.dumps([server, body, photo], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(stable.encode()).hexdigest()


class Cache:
    """Replies of one model of one server in one SQLite file; safe against kill -9 and several processes."""

    def __init__(self, folder: Path, endpoint: Endpoint) -> None:
        name = re.sub(r"[^\w.-]+", "-", endpoint.model).strip("-")[-60:]
        digest = hashlib.sha256(f"{endpoint.server}\n{endpoint.model}".encode()).hexdigest()[:8]
        self.path = folder / "api" / f"{name}-{digest}.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.execute("CREATE TABLE IF NOT EXISTS reply (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise LinnetError(f"the response cache {self.path} cannot be used ({error}); {_REMEDY}") from None

    def get(self, key: str) -> Reply | None:
        """The reply under a key, or None."""
        row = self._file.execute("SELECT reply FROM reply WHERE key = ?", (key,)).fetchone()
        return None if row is None else Reply.loads(row[0])

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; it is on disk when this returns."""
        try:
            self._file.execute("INSERT OR REPLACE INTO reply VALUES (?, ?)", (key, reply.dumps()))
        except sqlite3.Error as error:
            raise LinnetError(
                f"the response cache {self.path} cannot be written ({error}); {_REMEDY}"
            ) from None

    def close(self) -> None:
        """Fold the journal into the file and let go of it."""
        self._file.close()


_REMEDY = "free or remove it, or set LINNET_CACHE to another folder"
