"""Names look Latin, carry their rank's suffix and are unique within a rank."""

import numpy as np

from linnet.data.critters import names, tree

RANKS = ("class", "order", "family", "genus", "species")


def named(sizes, ranks=RANKS, seed=0):
    rng = np.random.default_rng(seed)
    parents = tree.grow(sizes, 5.0, rng)
    return names.name_all(ranks, sizes, parents, rng), parents


def test_suffixes_and_binomials():
    (classes, orders, families, genera, species), parents = named((4, 8, 16, 32, 96))
    assert all(name.endswith("ozoa") for name in classes)
    assert all(name.endswith("iformes") for name in orders)
    assert all(name.endswith("idae") for name in families)
    assert [name.split()[0] for name in species] == [genera[k] for k in parents[-1]]
    assert all(name.split()[1].islower() and len(name.split()) == 2 for name in species)


def test_names_are_unique_within_a_rank_even_in_a_large_world():
    for rank in named((10, 50, 400, 3000, 12000))[0]:
        assert len(set(rank)) == len(rank)


def test_epithets_agree_with_their_genus():
    ending = dict(names.GENUS)
    for name in named((1, 1, 1, 60, 200))[0][-1]:
        genus, epithet = name.split()
        longest = max((noun for noun in ending if genus.endswith(noun)), key=len)
        assert epithet.endswith(ending[longest])


def test_other_ranks_get_plain_names():
    (tribes, forms), _ = named((3, 9), ("tribe", "form"))
    assert all(name.endswith("ini") for name in tribes)
    assert all(name[0].isupper() and " " not in name for name in forms)


def test_a_seed_names_alike():
    assert (
        named((2, 4), RANKS[-2:], 7)[0] == named((2, 4), RANKS[-2:], 7)[0] != named((2, 4), RANKS[-2:], 8)[0]
    )
