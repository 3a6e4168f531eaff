"""Option sets and question weights under which a guesser who sees no image can only guess."""

from __future__ import annotations

import numpy as np

from linnet.bank.bank import NONE
from linnet.bank.design import Design, target_frequencies
from linnet.bank.pool import Drawn, Pool, Similarity
from linnet.bank.progress import bar


def draw(pools: list[Pool], similarity: Similarity | None = None) -> list[Drawn]:
    """Distractors and weights of every pool, from the class frequencies of its truths.

    With h options and class frequencies p: p' is p with every class capped at 1/h, a question of
    class c weighs p'_c / p_c, and its options are a set of a design with inclusion probabilities
    h p', drawn given that c is in it. Names that are never true are never offered.
    """
    return [_draw_level(pool) for pool in pools]


def _draw_level(pool: Pool) -> Drawn:
    present, truth, counts = np.unique(pool.truth, return_inverse=True, return_counts=True)
    size = min(pool.n_options, len(present))
    wrong = np.full((len(pool.rows), pool.n_wrong), NONE, np.int64)
    weight = np.ones(len(pool.rows), np.float32)
    if size < 2:  # one name only: nothing can be asked that the name itself does not answer
        return Drawn(wrong, weight)
    frequency = counts / counts.sum()
    target = target_frequencies(frequency, size)
    design = Design.of(size * target, size)
    rank = pool.taxonomy.level_names[pool.level]
    for value, at in bar(pool.by_truth(truth), rank, "taxon", least=2000):
        members = design.members_with(value, pool.uniforms(size - 1, at))
        wrong[at, : size - 1] = present[members]
    return Drawn(wrong, (target / frequency)[truth].astype(np.float32))
