"""A benchmark's figures are kept with the machine and the commit they come from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def record(name: str, figures: dict, out: Path) -> None:
    """Write `figures` with machine, versions and commit to `out` as JSON, and print them."""
    entry = {
        "benchmark": name,
        "figures": figures,
        "machine": machine(),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    print(f"written to {out}", file=sys.stderr)


def spread(values: Iterable[float], digits: int = 4) -> dict[str, Any]:
    """Median and range of some turns' figures."""
    found = [float(value) for value in values]
    return {
        "median": round(median(found), digits),
        "range": [round(min(found), digits), round(max(found), digits)],
    }


def machine() -> dict[str, str | int | float]:
    """Processor, cores this process may use, how busy they are, and the versions that decide the speed."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 1),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def commit() -> dict[str, str | bool]:
    """Hash of the checked-out commit, and whether the sources differ from it."""
    return {
        "hash": _git("rev-parse", "HEAD") or "unknown",
        "modified": bool(_git("status", "--porcelain", "src")),
    }


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
