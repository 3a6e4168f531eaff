"""Calibrated answers contain the truth as often as asked, by either rule, on any tree."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.errors import LinnetError, UsageError
from linnet.evaluate.decoders import back_off
from linnet.predict import calibration, predictions, stopping
from linnet.predict.chains import of_leaf_logprob
from linnet.taxonomy.tree import ROOT

ABOUT = {"model": {"kind": "leaves"}, "taxonomy": "T6"}


def photos(taxonomy, n, seed, noise=0.5):
    """Chains, and truths that follow the probabilities but for some noise."""
    rng = np.random.default_rng(seed)
    chance = rng.dirichlet(np.full(len(taxonomy.leaves), 0.4), n)
    real = (1 - noise) * chance + noise / chance.shape[1]
    truth = taxonomy.leaves[[rng.choice(len(row), p=row) for row in real]]
    return of_leaf_logprob(taxonomy, np.log(chance + 1e-12)), truth


def contains(made, stopped, truth):
    lineage = made.taxonomy.ancestors[truth]
    return (stopped == ROOT) | (lineage == stopped[:, None]).any(axis=1)


@pytest.mark.parametrize("rule", stopping.names())
@given(taxonomies(gaps=True), st.integers(0, 2**32 - 1))
def test_from_its_critical_value_on_an_answer_is_right(rule, taxonomy, seed):
    made, truth = photos(taxonomy, 4, seed)
    module = stopping.rule(rule)
    for row, value in enumerate(module.critical(made, truth)):
        one = made.subset(np.array([row]))
        for higher in (value, value * 1.01 + 1e-9, value * 2 + 0.1):
            assert contains(one, module.stop(one, min(higher, module.NEVER)), truth[[row]]).all()
        if 0 < value < module.NEVER:
            below = value * (1 - 1e-6) - 1e-12
            assert not contains(one, module.stop(one, below), truth[[row]]).all()


@pytest.mark.parametrize("rule", stopping.names())
@given(taxonomies(), st.integers(0, 2**32 - 1))
def test_a_higher_value_never_answers_deeper(rule, taxonomy, seed):
    made, _ = photos(taxonomy, 5, seed)
    values = np.linspace(0, 1, 9) if rule == "climbing" else np.append(np.geomspace(0.01, 1e6, 9), np.inf)
    deep = [stopping.rule(rule).stop(made, value) for value in values]
    assert all((next_ <= one).all() for one, next_ in pairwise(deep))
    assert (deep[-1] == ROOT).all()


@pytest.mark.parametrize("rule", stopping.names())
@pytest.mark.parametrize("n", [30, 100])
def test_the_promise_holds_over_many_calibrations(t6, rule, n):
    made, truth = photos(t6, 4000, 1)
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(100):
        order = rng.permutation(len(made))
        known, new = order[:n], order[n : n + 500]
        fitted = calibration.fit(made.subset(known), truth[known], [str(k) for k in known], ABOUT)
        _, stopped = predictions.calibrated(fitted, rule, 0.1)(made.subset(new))
        kept.append(contains(made.subset(new), stopped, truth[new]).mean())
    assert np.mean(kept) >= 0.9 - np.std(kept) / 10


def test_climbing_is_the_back_off_decoder(t6):
    rng = np.random.default_rng(3)
    leaf = np.log(rng.dirichlet(np.full(6, 0.5), 50))
    scores = np.full((50, len(t6)), -np.inf)
    scores[:, t6.leaves] = leaf
    made = of_leaf_logprob(t6, leaf)
    for threshold in (0.0, 0.3, 0.5, 0.9):
        decoded = back_off.decode(t6, scores, threshold).max(axis=1)
        np.testing.assert_array_equal(stopping.rule("climbing").stop(made, threshold), decoded)


def test_leaf_and_majority(t6):
    made = of_leaf_logprob(t6, np.log([[0.3, 0.25, 0.15, 0.1, 0.1, 0.1]]))
    assert predictions.fixed("leaf")(made)[1].tolist() == [t6.find("s1", 2)[0]]
    assert predictions.fixed("majority")(made)[1].tolist() == [t6.find("S", 1)[0]]


def test_too_few_photos_say_how_many_it_takes(t6):
    made, truth = photos(t6, 30, 0)
    fitted = calibration.fit(made, truth, [str(k) for k in range(30)], ABOUT)
    with pytest.raises(LinnetError) as refused:
        fitted.value("climbing", 0.01)
    assert str(refused.value) == (
        "risk 0.01 needs at least 99 calibration photos and there are 30; label 69 more, or give --risk "
        "0.0323 or above"
    )
    assert fitted.value("climbing", 0.0323) == max(fitted.critical["climbing"])
    assert calibration.needed(0.05) == 19


@pytest.mark.parametrize("risk", [0, 1, -0.1, 2])
def test_impossible_risks(risk):
    with pytest.raises(UsageError) as refused:
        calibration.refuse_risk(risk)
    assert str(refused.value) == (
        f"--risk {risk:g} is no probability of being wrong; give a number between 0 and 1, such as 0.05"
    )


def test_temperatures_and_thresholds_come_from_different_photos(t6, tmp_path):
    made, truth = photos(t6, 90, 2)
    fitted = calibration.fit(made, truth, [str(k) for k in range(90)], ABOUT, scale=True)
    assert fitted.n == 60
    assert len(fitted.temperature) == 3
    fitted.write(tmp_path / "c.json")
    again = calibration.read(tmp_path / "c.json")
    assert again == fitted
    assert again.fingerprint == fitted.fingerprint


def test_a_calibration_is_for_one_model_and_taxonomy(t6, tmp_path):
    made, truth = photos(t6, 40, 2)
    fitted = calibration.fit(made, truth, [str(k) for k in range(40)], ABOUT)
    calibration.refuse_other(fitted, ABOUT, "c.json")
    with pytest.raises(LinnetError) as refused:
        calibration.refuse_other(fitted, {**ABOUT, "taxonomy": "other"}, "c.json")
    assert str(refused.value).startswith("'c.json' was made for something else: taxonomy: T6 -> other. ")


@pytest.mark.parametrize(
    "content", ["{}", "[1]", "no json", json.dumps({"linnet_calibration": 1, "photos": 3})]
)
def test_other_files_are_no_calibration(tmp_path, content):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(LinnetError, match=r"c\.json' is no calibration file; make one with linnet calibrate"):
        calibration.read(tmp_path / "c.json")
