"""Calibrated answers contain the truth as often as asked, at any number of calibration samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.evaluate import decoders
from linnet.evaluate.calibrate import last_wrong, rank_threshold, threshold
from linnet.evaluate.decoders import back_off
from linnet.taxonomy.distance import lca_slow


def coverage(n, risk, rule, trials=40_000, seed=0):
    """Share of new values at or below the threshold of n others, averaged over many calibrations."""
    rng = np.random.default_rng(seed)
    values = rng.random((trials, n))
    # Of a uniform value, the share of new ones at or below a threshold is the threshold itself.
    return np.mean([rule(row, risk) for row in values])


@pytest.mark.parametrize(
    ("n", "risk", "by_rank", "by_quantile"),
    [(30, 0.1, 0.904, 0.876), (30, 0.05, 0.970, 0.925), (100, 0.05, 0.949, 0.940)],
)
def test_the_rank_keeps_the_promise_where_the_quantile_does_not(n, risk, by_rank, by_quantile):
    # The figures come from a simulation of taxa, with some noise of its own; the rank's exact value on
    # continuous scores is ceil((n + 1)(1 - risk)) / (n + 1).
    quantile = coverage(n, risk, lambda row, r: np.quantile(row, 1 - r), 8000)
    assert coverage(n, risk, rank_threshold, 8000) == pytest.approx(by_rank, abs=0.005)
    assert quantile == pytest.approx(by_quantile, abs=0.005)
    assert quantile < 1 - risk


@pytest.mark.parametrize("n", [30, 100, 300, 1000])
@pytest.mark.parametrize("risk", [0.05, 0.1, 0.2])
def test_coverage_holds_at_every_size(n, risk):
    assert coverage(n, risk, rank_threshold, 2000) >= 1 - risk - 0.01


def test_too_few_samples_answer_the_root():
    assert rank_threshold(np.zeros(18), 0.05) == 1.0
    assert rank_threshold(np.zeros(19), 0.05) == 0.0


def test_exact_ranks_survive_floating_point():
    assert rank_threshold(np.arange(1, 100) / 100, 0.05) == 0.95


def test_impossible_risks_are_refused():
    with pytest.raises(LinnetError, match=r"risk 1\.5 is no probability of being wrong"):
        rank_threshold(np.zeros(3), 1.5)


def test_threshold_of_the_running_example(t6):
    scores = np.log([[0.5, 0.5, 0.3, 0.3, 0.4, 0.18, 0.17, 0.05, 0.25, 0.19, 0.16]])
    s1, c1 = t6.find("s1", 2)[0], t6.find("c1", 2)[0]
    assert last_wrong(t6, scores, t6.ancestors[[s1]]) == pytest.approx(0.25)  # H and h1 are wrong, B is not
    assert last_wrong(t6, scores, t6.ancestors[[c1]]) == pytest.approx(0.65)
    assert last_wrong(t6, scores, t6.ancestors[[t6.find("h1", 2)[0]]]) == 0
    assert threshold(t6, np.repeat(scores, 3, 0), t6.ancestors[[s1, s1, s1]], 0.3) == pytest.approx(0.25)


@given(taxonomies(), st.integers(0, 2**32 - 1))
def test_answers_above_the_last_wrong_taxon_are_right(taxonomy, seed):
    rng = np.random.default_rng(seed)
    scores = np.log(rng.dirichlet(np.ones(len(taxonomy)), size=4) + 1e-9)
    leaves = rng.choice(taxonomy.leaves, 4)
    wrong = last_wrong(taxonomy, scores, taxonomy.ancestors[leaves])
    for row, leaf, tau in zip(scores, leaves, wrong, strict=True):
        answer = back_off.decode(taxonomy, row[None], threshold=float(tau)).max()
        assert answer < 0 or lca_slow(taxonomy, int(answer), int(leaf)) == answer


def test_the_threshold_for_too_few_samples_answers_nothing(t6):
    sure = np.where(np.arange(len(t6)) == t6.leaves[0], 0.0, -np.inf)[None]
    assert (decoders.decode("back-off:threshold=1.0", t6, sure) == -1).all()
