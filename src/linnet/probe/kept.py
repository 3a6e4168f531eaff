"""What was worked out is a line of a file under what decides it, and is not worked out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """Results by key in a file of JSON lines; a line that was not written whole does not count."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        self.found: dict[str, Any] = dict(json.loads(line) for line in lines[:-1])
        if lines and lines[-1]:
            path.write_text("\n".join([*lines[:-1], ""]), encoding="utf-8")

    def once(self, key: list[Any], make: Callable[[], Any]) -> Any:
        """What is kept under a key, or what `make` makes now."""
        name = json.dumps(key)
        if name not in self.found:
            self.found[name] = json.loads(json.dumps(make()))
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps([name, self.found[name]]) + "\n")
        return self.found[name]
