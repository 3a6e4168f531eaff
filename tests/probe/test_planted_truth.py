"""In a network whose block 3 drops one level, probes find the place and the level, and nothing else."""

import numpy as np
import probe_cases
import pytest

from linnet.probe import features, probes, reading
from linnet.probe.targets import targets

PLACES = ["vision.0", "vision.1", "vision.2", "vision.3", "vision.4"]


def accuracies(seen, bank, split, kind="ridge", controls=()):
    """By labels: (places, levels)."""
    wanted = targets(bank, split, controls)
    made = [reading.read(seen, place, bank, split, wanted, kind) for place in PLACES]
    return {
        target.name: np.array([found[k]["full"]["independent"]["level_accuracy"] for found in made])
        for k, target in enumerate(wanted)
    }


@pytest.mark.parametrize("kind", probes.names())
def test_the_lost_level_is_found_where_it_is_lost(kind, seen, planted_bank, split):
    found = accuracies(seen, planted_bank, split, kind)["true"]
    others = np.array([True, False, True])
    assert (found[:3] > 0.85).all()  # everything is readable before block 3
    assert (found[3:, others] > 0.8).all()  # the other levels still are behind it
    if kind == "ridge":  # that species tell families is told by similarity too, but not by sums of directions
        assert (found[:3, 1] - found[3:, 1].max() > 0.05).all()


@pytest.mark.parametrize("kind", ["lda", "ridge"])
def test_each_level_is_found_in_its_own_directions(kind, planted_bank, split, tmp_path):
    """With noise in which leaves cannot be told, the drop is at the level that was taken away, for each."""
    drops = []
    for lost in range(3):
        net = probe_cases.Planted(planted_bank.taxonomy, planted_bank.lineage, lost, noise=2.0)
        names = [place.name for place in net.places()]
        seen = features.collect(net, planted_bank, tmp_path / str(lost), {}, names, progress=False)
        found = accuracies(seen, planted_bank, split, kind)["true"]
        drops.append(found[:3].mean(0) - found[3:].mean(0))
    assert (np.argmax(drops, axis=1) == [0, 1, 2]).all(), np.round(drops, 2)


@pytest.mark.parametrize("kind", ["lda", "ridge"])
def test_controls_stay_at_chance(kind, seen, planted_bank, split):
    found = accuracies(seen, planted_bank, split, kind, controls=("shuffled",))["shuffled"]
    chance = np.array([1 / 2, 1 / 6, 1 / 24])
    error = np.sqrt(chance * (1 - chance) / len(split.test))
    assert (np.abs(found - chance) < 5 * error + 0.02).all(), np.round(found, 2)


def test_regrouped_labels_are_read_worse_than_the_tree(seen, planted_bank, split):
    found = accuracies(seen, planted_bank, split, controls=("regrouped",))
    gap = found["true"] - found["regrouped"]
    assert (gap[:3, :2] > 0.1).all()
    np.testing.assert_allclose(gap[:, 2], 0, atol=0.03)  # leaves are only renamed


def test_pixels_know_nothing_of_a_drawn_tree(seen, planted_bank, split):
    (found,) = reading.read(seen, "pixels", planted_bank, split, targets(planted_bank, split))
    assert found["full"]["independent"]["hca"] < 0.2
