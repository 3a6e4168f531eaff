"""The benchmark of taxonomies runs small and records the machine it ran on."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/taxonomy.py"


def test_figures_and_record(tmp_path: Path) -> None:
    out = tmp_path / "results/taxonomy.json"
    command = [sys.executable, SCRIPT, "--out", out, "--taxa", "3000", "--pairs", "2000", "--runs", "1"]
    subprocess.run(command, check=True, capture_output=True)
    entry = json.loads(out.read_text())
    assert entry["benchmark"] == "taxonomy"
    assert entry["figures"]["n_taxa"] == 3000
    assert entry["figures"]["n_lca"] == 2000
    assert {"cpu", "cores", "load", "threads", "system", "python", "numpy"} == entry["machine"].keys()
    assert {"hash", "modified"} == entry["commit"].keys()
