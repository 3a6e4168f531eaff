"""A planted network and its bank, made once."""

import probe_cases
import pytest

from linnet.probe import features, splits
from linnet.probe.places import PIXELS


@pytest.fixture(scope="session")
def planted_bank(tmp_path_factory):
    return probe_cases.bank(probe_cases.tree(), tmp_path_factory.mktemp("photos") / "photos")


@pytest.fixture(scope="session")
def planted(planted_bank):
    """The network that loses families in block 3."""
    return probe_cases.Planted(planted_bank.taxonomy, planted_bank.lineage, lost=1)


@pytest.fixture(scope="session")
def seen(planted, planted_bank, tmp_path_factory):
    names = [PIXELS, *(place.name for place in planted.places())]
    folder = tmp_path_factory.mktemp("features") / "f"
    return features.collect(planted, planted_bank, folder, {}, names, progress=False)


@pytest.fixture(scope="session")
def split(planted_bank):
    return splits.split(planted_bank)
