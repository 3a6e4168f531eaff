"""The blind guessers against slow twins, the published figures, and the promise of balanced banks."""

from dataclasses import replace

import numpy as np
import pytest
from bank_cases import birds, image_sets, skewed
from hypothesis import given

from linnet.bank import NONE, Bank, blind
from linnet.bank.make import make, subsample
from linnet.bank.store import load
from linnet.errors import LinnetError
from linnet.taxonomy import files
from linnet.taxonomy.names import normalise


@pytest.fixture(scope="module")
def published(shared) -> Bank:
    """The published CUB bank with similar distractors, on its taxonomy."""
    taxonomy = files.read(shared / "data" / "taxonomies" / "hierarchy_CUB200.json")
    return load(shared / "data" / "banks" / "CUB200_with_similar_choice.jsonl", taxonomy)


def some_bank(images) -> Bank | None:
    try:
        return make(images, "random", n_options=3)
    except LinnetError:
        return None


def slow_majority(bank: Bank, row: int, level: int) -> int:
    options = [taxon for taxon in bank.options[row, level].tolist() if taxon != NONE]
    leaves = [sum(taxon in path for path in bank.taxonomy.lineages) for taxon in options]
    return leaves.index(max(leaves))


def slow_frequency(bank: Bank, learn: list[int], row: int, level: int) -> int:
    true: dict[str, float] = {}
    offered: dict[str, float] = {}
    for other in learn:
        if bank.answer[other, level] != NONE:
            names = [normalise(name) for name in bank.option_names(other, level)]
            weight = float(bank.weight[other, level])
            true[names[bank.answer[other, level]]] = true.get(names[bank.answer[other, level]], 0) + weight
            for name in names:
                offered[name] = offered.get(name, 0) + weight
    names = [normalise(name) for name in bank.option_names(row, level)]
    ratios = [true.get(name, 0) / offered[name] if name in offered else 0 for name in names]
    return ratios.index(max(ratios))


def slow_chains(bank: Bank, row: int) -> list[list[int]]:
    """All chains of options over the asked levels, as taxa."""
    chains: list[list[int]] = [[]]
    above = NONE
    for level in np.flatnonzero(bank.asked[row]).tolist():
        options = [taxon for taxon in bank.options[row, level].tolist() if taxon != NONE]
        chains = [
            [*chain, taxon]
            for chain in chains
            for taxon in options
            if above == NONE or bank.taxonomy.ancestors[taxon, above] == chain[-1]
        ]
        above = level
    return chains


@given(images=image_sets())
def test_guessers_agree_with_their_slow_twins(images):
    bank = some_bank(images)
    if bank is None:
        return
    majority, frequency = blind.majority_choice(bank), blind.frequency_choice(bank)
    even, odd = list(range(0, len(bank), 2)), list(range(1, len(bank), 2))
    for row, level in np.argwhere(bank.asked).tolist():
        assert majority[row, level] == slow_majority(bank, row, level)
        learn = odd if row % 2 == 0 else even
        assert frequency[row, level] == slow_frequency(bank, learn, row, level)
    assert (majority[~bank.asked] == NONE).all()
    assert (frequency[~bank.asked] == NONE).all()


@given(images=image_sets())
def test_the_path_guesser_agrees_with_all_chains_listed(images):
    bank = some_bank(images)
    if bank is None:
        return
    chance, choice = blind.path_chance(bank), blind.path_choice(bank)
    for row in np.flatnonzero(bank.asked.any(axis=1)).tolist():
        chains = slow_chains(bank, row)
        asked = bank.asked[row]
        assert bank.lineage[row, asked].tolist() in chains
        assert chance[row] == pytest.approx(1 / len(chains))
        assert bank.options[row, asked, choice[row, asked]].tolist() in chains
    assert np.isnan(chance[~bank.asked.any(axis=1)]).all()


def test_the_path_guesser_takes_every_chain_equally_often():
    bank = make(skewed(1), "sibling")
    same = replace(
        bank.subset(np.zeros(6000, int)), sample_id=np.array([f"copy {k}" for k in range(6000)], object)
    )
    taken = np.unique(blind.path_choice(same), axis=0, return_counts=True)[1]
    expected = 6000 * blind.path_chance(bank)[0]
    assert len(taken) == round(6000 / expected)
    assert ((taken - expected) ** 2 / expected).sum() < 4 * len(taken) + 10


def test_uniform_chance_is_one_over_the_options_shown():
    bank = make(skewed(10), "random", n_options=5)
    assert blind.uniform_chance(bank).tolist() == [[0.2, 0.2, 0.2]] * 10
    unasked = replace(bank, answer=np.full_like(bank.answer, NONE))
    assert np.isnan(blind.uniform_chance(unasked)).all()


def test_frequencies_can_be_learned_on_given_rows(published):
    odd = np.arange(len(published)) % 2 == 1
    crossed = blind.frequency_choice(published)
    assert (blind.frequency_choice(published, ~odd)[odd] == crossed[odd]).all()


def test_most_leaves_reaches_the_published_figures_on_the_published_bank(published):
    right = blind.correct(published, blind.majority_choice(published))
    np.testing.assert_allclose(100 * right.mean(axis=0), [84.6, 51.9, 43.8, 24.7], atol=0.06)
    assert 100 * right.all(axis=1).mean() == pytest.approx(6.52, abs=0.005)


def test_frequency_reaches_the_published_figures_on_the_odd_rows(published):
    right = blind.correct(published, blind.frequency_choice(published))[1::2]
    np.testing.assert_allclose(100 * right.mean(axis=0), [86.7, 65.5, 65.2, 41.9], atol=0.06)


def test_the_options_of_all_levels_together_give_the_published_bank_away(published):
    assert blind.path_chance(published).mean() == pytest.approx(0.582, abs=0.0005)


# ---- balanced banks of the shared photos ----


def scores(bank: Bank, choice: np.ndarray) -> np.ndarray:
    """(L,) distance from chance in standard errors of a guess at chance, question weights honoured."""
    weight = bank.weight.astype(float)
    accuracy = (weight * blind.correct(bank, choice)).sum(axis=0) / weight.sum(axis=0)
    chance = blind.uniform_chance(bank).mean(axis=0)
    error = np.sqrt(chance * (1 - chance) * (weight**2).sum(axis=0)) / weight.sum(axis=0)
    return (accuracy - chance) / error


@pytest.mark.parametrize("policy", ["balanced", "lineage"])
def test_no_blind_guesser_beats_chance_on_a_balanced_bank(shared, policy):
    images = birds(shared)
    banks = [make(images, policy, seed=seed) for seed in range(12)]
    for guess in (blind.majority_choice, blind.frequency_choice):
        z = np.array([scores(bank, guess(bank)) for bank in banks])
        assert np.abs(z[0]).max() < 2  # the default seed
        assert np.abs(z).max() < 3.5
        assert (np.abs(z) > 2).mean() < 0.12  # one in twenty is expected of noise
        assert (np.abs(z.mean(axis=0)) < 3.3 / np.sqrt(len(banks))).all()  # no bias over the seeds


def test_without_weights_only_the_level_with_the_big_class_leaks(shared):
    bank = make(birds(shared), "balanced")
    plain = replace(bank, weight=np.ones_like(bank.weight))
    right = blind.correct(plain, blind.majority_choice(plain)).mean(axis=0)
    assert right[0] == pytest.approx(0.636, abs=0.001)  # the share of Passeriformes
    assert np.abs(scores(plain, blind.majority_choice(plain))[1:]).max() < 2


def test_a_subsample_needs_no_weights(shared):
    part = subsample(make(birds(shared), "balanced"))
    assert len(part) > 1300
    for guess in (blind.majority_choice, blind.frequency_choice):
        assert np.abs(scores(part, guess(part))).max() < 2.5


def test_whole_lineages_leave_the_path_guesser_at_one_in_four(shared):
    images = birds(shared)
    assert blind.path_chance(make(images, "lineage")) == pytest.approx(0.25)
    assert blind.path_chance(make(images, "balanced")).mean() > 0.9
