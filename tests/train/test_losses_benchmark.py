"""The benchmark of losses runs small and gives each loss as a multiple of the flat cross-entropy."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/losses.py"


def test_figures(tmp_path: Path) -> None:
    out = tmp_path / "losses.json"
    command = [sys.executable, SCRIPT, "--out", out, "--batch", "4", "--turns", "1", "--only", "tp_kl"]
    subprocess.run([*command, "--shapes", "11376"], check=True, capture_output=True)
    figures = json.loads(out.read_text())["figures"]
    assert sum(figures["11376"]["taxa_per_level"]) == 11376
    assert figures["11376"]["times_flat"].keys() == {"flat", "tp_kl"}
    assert figures["11376"]["times_flat"]["flat"] == 1.0
    assert min(figures["11376"]["peak_mb"].values()) > 0
