"""Fixtures that many tests share: the toy tree T6, its toy predictions E5, and the shared folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from browser import opened
from hypothesis import settings

from linnet.taxonomy import Taxonomy, build, path_table

# No time limit per example: the first one imports, and two busy cores are slow.
settings.register_profile("linnet", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("linnet")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos, models and taxonomies beside the project."""
    if not SHARED.is_dir():
        pytest.skip("../shared (real photos, models and taxonomies) is not there")
    return SHARED


@pytest.fixture(scope="module")
def driver():
    """A browser for the tests of a page; they skip where `browser.missing()` is not empty."""
    with opened() as browser:
        yield browser


@pytest.fixture(scope="session")
def t6() -> Taxonomy:
    """Toy tree: B > S > s1 s2 s3, B > H > h1, M > C > c1 c2."""
    rows = ["B S s1", "B S s2", "B S s3", "B H h1", "M C c1", "M C c2"]
    return build(path_table([row.split() for row in rows]), name="T6")[0]


@pytest.fixture(scope="session")
def e5(t6: Taxonomy) -> tuple[np.ndarray, np.ndarray]:
    """Toy truths and predictions on T6: two (5, 3) arrays of taxon ids."""

    def ids(rows: list[str]) -> np.ndarray:
        return np.array([[t6.find(name, k)[0] for k, name in enumerate(row.split())] for row in rows])

    truth = ids(["B S s1", "B S s1", "B S s2", "B H h1", "M C c2"])
    return truth, ids(["B S s1", "B S s2", "B H s2", "M C c1", "M C c2"])
