"""Subsets and splits of an image set keep its taxonomy."""

from pathlib import Path

import numpy as np
import pytest
from layout_folders import tree

from linnet.data import ImageSet
from linnet.errors import LinnetError


@pytest.fixture
def images():
    taxonomy = tree("A > a", "A > b", "B > c")
    names = np.array(["1.jpg", "2.jpg", "3.jpg"], object)
    splits = np.array(["train", "test", "test"], object)
    return ImageSet("set", Path("there"), taxonomy, names, splits, np.array([2, 0, 4], np.int32), {"x": 3})


def test_lineage_has_missing_levels(images):
    assert images.lineage.tolist() == [[0, 2], [0, -1], [1, 4]]


def test_subset_by_mask_and_by_indices(images):
    for keep in (np.array([False, True, True]), np.array([1, 2])):
        part = images.subset(keep)
        assert list(part.image) == ["2.jpg", "3.jpg"]
        assert part.taxon.tolist() == [0, 4]
        assert (part.taxonomy, part.left_out) == (images.taxonomy, {"x": 3})


def test_an_unknown_split_names_the_known_ones(images):
    assert len(images.of_split("test")) == 2
    with pytest.raises(LinnetError) as error:
        images.of_split("val")
    assert str(error.value) == "'there' has no split 'val'; splits: test, train"
