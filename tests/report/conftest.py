"""Runs, a training, a probe and one report of them all, made once for the tests of the report."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from report_cases import NASTY, make_probe, make_run, make_training, renamed, toy_bank

from linnet.report import assemble, view


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two run folders on the same questions, in which one species is called like a script."""
    root = tmp_path_factory.mktemp("runs")
    bank = renamed(toy_bank(36), toy_bank(1).taxonomy.find("s2")[0], NASTY)
    make_run(root / "plain", bank=bank, sure=0.7, variants=3)
    make_run(root / "better", bank=bank, sure=1.7, nodes=True)
    return root


@pytest.fixture(scope="session")
def both(runs):
    """The view of the two runs."""
    return view.read([runs / "plain", runs / "better"])


@pytest.fixture(scope="session")
def page(runs, tmp_path_factory):
    """A report of two runs, a training and a probe."""
    root = tmp_path_factory.mktemp("page")
    folders = [runs / "plain", runs / "better", make_training(root / "training"), make_probe(root / "probe")]
    out = root / "report.html"
    assemble.write(view.read(folders), out, progress=False)
    return out
