"""A world is fixed by its parameters; its pictures by world, seed, position and species."""

import numpy as np
import pytest

from linnet.data import critters
from linnet.errors import LinnetError
from linnet.taxonomy import build
from linnet.taxonomy.rows import to_table

SMALL = {"sizes": (2, 3, 5, 8, 20), "size": 24, "held_out_species": 3, "held_out_genera": 1}


@pytest.fixture(scope="module")
def world():
    return critters.World(**SMALL)


def test_the_default_world_is_the_documented_one():
    world = critters.World()
    assert world.taxonomy.taxa_per_level == [4, 8, 16, 32, 96]
    assert world.taxonomy.ranks == ("class", "order", "family", "genus", "species")
    assert world.size == 64
    assert world.held_out.sum() > 12
    assert (world.taxonomy.level[world.taxonomy.leaves] == 4).all()


def test_taxa_are_in_the_order_in_which_their_rows_build_them(world):
    again, ends = build(to_table(world.taxonomy))
    assert again.fingerprint == world.taxonomy.fingerprint
    np.testing.assert_array_equal(ends, world.taxonomy.leaves)


def test_pictures_do_not_depend_on_how_a_series_is_cut(world):
    species = np.arange(40) % 20
    whole = world.draw(species, 3)
    assert whole.shape == (40, 24, 24, 3)
    assert whole.dtype == np.uint8
    for cut in (1, 17, 39):
        np.testing.assert_array_equal(world.draw(species[:cut], 3), whole[:cut])
        np.testing.assert_array_equal(world.draw(species[cut:], 3, start=cut), whole[cut:])


def test_one_by_one_is_the_same_as_in_batches(world):
    species = np.array([4, 4, 19, 0])
    one_by_one = [world.draw(species[k : k + 1], (5, 1), start=k)[0] for k in range(4)]
    np.testing.assert_array_equal(world.draw(species, (5, 1)), np.stack(one_by_one))


def test_seeds_and_individuals_differ(world):
    species = np.zeros(3, int)
    a, b = world.draw(species, 1), world.draw(species, 2)
    assert (a != b).any(axis=(1, 2, 3)).all()
    assert (a[0] != a[1]).any()
    assert (critters.World(**SMALL, seed=9).traits != world.traits).any()
    assert critters.World(**SMALL).taxonomy.fingerprint == world.taxonomy.fingerprint


def test_the_scene_carries_no_label(world):
    """The same position in a series has the same background, whatever the species."""
    a, b = world.draw(np.zeros(30, int), 4), world.draw(np.full(30, 11), 4)
    border = np.ones((24, 24), bool)
    border[1:-1, 1:-1] = False
    same = (a == b).all(axis=3)[:, border]
    assert same.mean() > 0.75
    assert (a != b).any(axis=(1, 2, 3)).all()


def test_relatives_are_closer_the_closer_they_are_related():
    """Mean squared difference of traits per shared level falls with every level shared."""
    distance = np.zeros(6)
    for seed in range(8):
        world = critters.World(seed=seed)
        lineages, values = world.taxonomy.lineages, world.species_traits
        shared = (lineages[:, None] == lineages[None]).sum(axis=2)
        gap = ((values[:, None] - values[None]) ** 2).mean(axis=2)
        distance += np.array([gap[shared == k].mean() for k in range(6)])
    assert distance[5] == 0
    assert (np.diff(distance) < 0).all()


def test_individuals_vary_around_their_species(world):
    single = world.individuals(np.full(4000, 7), 0)
    np.testing.assert_allclose(single.mean(axis=0), world.species_traits[7], atol=0.02)
    np.testing.assert_allclose(single.std(axis=0), world.individual, rtol=0.08)


def test_shape_and_coat_variance_are_parameters():
    from linnet.data.critters.traits import COAT

    only_first = (1.0, 0.0, 0.0, 0.0, 0.0)
    world = critters.World(**SMALL, shape_variance=only_first)
    classes, values = world.taxonomy.lineages[:, 0], world.species_traits
    assert (values[classes == classes[0]][:, ~COAT] == values[0, ~COAT]).all()
    assert (values[1:, COAT] != values[0, COAT]).all()


def test_the_deepest_known_taxon(world):
    lineages = world.taxonomy.lineages
    for species in range(20):
        known = np.isin(lineages[species], lineages[~world.held_out])
        assert known[: world.deepest_known[species] + 1].all()
        assert not known[world.deepest_known[species] + 1 :].any()
    assert set(world.deepest_known.tolist()) == {2, 3, 4}


def test_other_depths_and_ranks():
    world = critters.World(
        ranks=("tribe", "form"), sizes=(3, 9), held_out_species=2, held_out_genera=0, size=16
    )
    assert world.taxonomy.ranks == ("tribe", "form")
    assert world.draw(np.arange(9), 0).shape == (9, 16, 16, 3)


@pytest.mark.parametrize(
    ("name", "value"), [("sizes", (2, 4)), ("shape_variance", (1.0,)), ("coat_variance", (1.0, 1.0))]
)
def test_parameters_that_do_not_fit_the_ranks_are_refused(name, value):
    with pytest.raises(LinnetError) as error:
        critters.World(**{name: value})
    assert str(error.value) == f"{name} has {len(value)} values for 5 ranks; give one per rank"
