"""Rooms look one way only, and those that must work without torch do."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import linnet

ROOT = Path(linnet.__file__).parent
FLOOR = {"errors", "discover", "options"}
SEES = {
    "taxonomy": set(),
    "data": {"taxonomy"},
    "bank": {"taxonomy", "data"},
    "models": {"bank", "taxonomy"},
    "evaluate": {"models", "bank", "taxonomy"},
    "probe": {"models", "evaluate", "bank", "data", "taxonomy"},
    "report": {"evaluate", "models", "bank", "taxonomy"},
    "train": {"models", "evaluate", "bank", "data", "taxonomy"},
    "predict": {"models", "evaluate", "bank", "data", "taxonomy"},
}
WITHOUT_TORCH = (
    "linnet.taxonomy.files",
    "linnet.bank.audit",
    "linnet.evaluate.metrics",
    "linnet.evaluate.run_folder",
    "linnet.predict.formats.csv",
    "linnet.predict.calibration",
    "linnet.report.assemble",
)


def imported(file: Path) -> set[str]:
    """Second part of every `linnet.…` module that a file imports, at its top or inside functions."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[1] for name in froms + plain if name.startswith("linnet.")}


@pytest.mark.parametrize("room", SEES)
def test_rooms_look_one_way(room):
    for file in (ROOT / room).rglob("*.py"):
        assert imported(file) <= SEES[room] | FLOOR | {room}, file


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_audits_and_figures_need_no_torch(module):
    code = f"import sys; sys.modules['torch'] = None; import {module}"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_help_imports_nothing_heavy():
    code = "import sys; from linnet.cli import parser; parser(); print('numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
