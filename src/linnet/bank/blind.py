"""What a guesser who never sees the image can get out of a bank."""

from __future__ import annotations

import numpy as np

from linnet.bank.bank import NONE, Bank
from linnet.bank.pool import classes
from linnet.bank.seeded import keys, uniforms


def uniform_chance(bank: Bank) -> np.ndarray:
    """(n, L) float64 probability of a uniform guess, NaN where nothing is asked."""
    return np.where(bank.asked, 1.0 / np.maximum(bank.n_options, 1), np.nan)


def majority_choice(bank: Bank) -> np.ndarray:
    """(n, L) int8 position of the option with most leaves under it, NONE where nothing is asked.

    Of options with equally many the one shown first is taken.
    """
    shown = bank.options >= 0
    leaves = np.where(shown, bank.taxonomy.n_leaves_under[bank.options], -1)
    return np.where(bank.asked, leaves.argmax(axis=2), NONE).astype(np.int8)


def frequency_choice(bank: Bank, learn_rows: np.ndarray | None = None) -> np.ndarray:
    """(n, L) int8 position of the option whose name is most often true when it is offered.

    The ratio times true / times offered is learned per level and name on `learn_rows` and used for
    every row. By default it is cross-fitted: learned on rows 0, 2, 4, … for the odd rows and the other
    way round, so that no row is used to predict itself. Names never offered there count 0; of equal
    options the first is taken.
    """
    if learn_rows is not None:
        return _frequency_choice(bank, learn_rows)
    even = np.arange(len(bank)) % 2 == 0
    return np.where(even[:, None], _frequency_choice(bank, ~even), _frequency_choice(bank, even))


def _frequency_choice(bank: Bank, learn: np.ndarray) -> np.ndarray:
    choice = np.full(bank.answer.shape, NONE, np.int8)
    for level in range(bank.n_levels):
        if bank.asked[:, level].any():
            ratio = name_ratio(bank, learn, level)[bank.options[:, level]]
            ratio[bank.options[:, level] < 0] = -1
            choice[:, level] = ratio.argmax(axis=1)
    return np.where(bank.asked, choice, NONE).astype(np.int8)


def name_ratio(bank: Bank, rows: np.ndarray, level: int) -> np.ndarray:
    """(n_taxa,) how often the name of each taxon of a level is true, of the times it is offered.

    Question weights count in both, so the guesser knows the weights it is scored with.
    """
    asked, weight = bank.asked[rows, level], bank.weight[rows, level].astype(np.float64)
    options = bank.options[rows, level]
    of, _ = classes(bank.taxonomy, level)
    name = np.zeros(len(bank.taxonomy), np.int64)
    name[bank.taxonomy.at_level(level)] = of
    shown = (options >= 0) & asked[:, None]
    spread = np.broadcast_to(weight[:, None], options.shape)
    offered = np.bincount(name[options[shown]], spread[shown], minlength=len(of))
    true = np.bincount(name[bank.lineage[rows, level][asked]], weight[asked], minlength=len(of))
    return (true / np.maximum(offered, 1e-300))[name]


def chain_counts(bank: Bank) -> np.ndarray:
    """(n, L, O) float64: chains of offered options that end at each option, 0 where there is none.

    A chain holds one option per asked level, each below the one before it. The true lineage always
    is one, so the last asked level of every sample has at least one.
    """
    counts = np.zeros(bank.options.shape)
    above = np.full(len(bank), NONE)  # the asked level before this one, per row
    for level in range(bank.n_levels):
        asked = np.flatnonzero(bank.asked[:, level])
        counts[asked, level] = (bank.options[asked, level] >= 0) & (above[asked, None] < 0)
        below = asked[above[asked] >= 0]
        linked = _links(bank, below, level, above[below])
        counts[below, level] = (linked * counts[below, above[below]][:, None, :]).sum(axis=2)
        above[asked] = level
    return counts


def _links(bank: Bank, rows: np.ndarray, level: int, above: np.ndarray) -> np.ndarray:
    """(b, O, O) bool: option [i] of the level lies below option [j] of the asked level above it."""
    options = bank.options[rows, level]
    ancestor = bank.taxonomy.ancestors[options, above[:, None]]
    return (options >= 0)[:, :, None] & (ancestor[:, :, None] == bank.options[rows, above][:, None, :])


def path_chance(bank: Bank) -> np.ndarray:
    """(n,) float64 probability that a uniform guess among the chains of a sample is the true lineage.

    NaN for samples about which nothing is asked.
    """
    last = np.where(bank.asked, np.arange(bank.n_levels), -1).max(axis=1)
    chains = chain_counts(bank)[np.arange(len(bank)), last].sum(axis=1)
    return np.where(last >= 0, 1 / np.maximum(chains, 1), np.nan)


def path_choice(bank: Bank, seed: int = 0) -> np.ndarray:
    """(n, L) int8 positions of one chain per sample, uniform among its chains; NONE where not asked.

    Drawn from the last level upwards: an option in proportion to the chains that end at it.
    """
    counts, draw = chain_counts(bank), uniforms(keys(bank.sample_id, seed), 0, bank.n_levels)
    choice = np.full(bank.answer.shape, NONE, np.int8)
    below = np.full(len(bank), NONE)  # the taxon chosen at the asked level below
    for level in range(bank.n_levels - 1, -1, -1):
        rows = np.flatnonzero(bank.asked[:, level])
        options = bank.options[rows, level]
        free = below[rows] < 0
        fits = free[:, None] | (bank.taxonomy.ancestors[below[rows], level][:, None] == options)
        heap = np.cumsum(np.where((options >= 0) & fits, counts[rows, level], 0), axis=1)
        choice[rows, level] = (heap <= draw[rows, level, None] * heap[:, -1:]).sum(axis=1)
        below[rows] = options[np.arange(len(rows)), choice[rows, level]]
    return choice


def correct(bank: Bank, choice: np.ndarray) -> np.ndarray:
    """(n, L) bool: asked, and the chosen option is the truth."""
    return bank.asked & (choice == bank.answer)
