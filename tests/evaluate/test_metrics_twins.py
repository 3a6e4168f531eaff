"""Fast metrics equal their slow twins on random ragged trees with gaps, holes and weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_cases import lineages, same
from slow_metrics import slow_metrics

from linnet.errors import LinnetError
from linnet.evaluate.lineages import Lineages
from linnet.evaluate.metrics import Ratio, all_metrics, plain


def differing(found: Lineages) -> dict:
    fast, slow = plain(all_metrics(found)), slow_metrics(found)
    assert fast.keys() == slow.keys()
    return {key: (fast[key], slow[key]) for key in slow if not same(fast[key], slow[key])}


@settings(max_examples=60, deadline=None)
@given(lineages())
def test_every_metric_equals_its_slow_twin(found):
    assert differing(found) == {}


@settings(max_examples=60, deadline=None)
@given(lineages(weighted=True))
def test_every_metric_equals_its_slow_twin_under_weights(found):
    assert differing(found) == {}


@settings(max_examples=30, deadline=None)
@given(lineages(weighted=True), st.integers(0, 2**32 - 1))
def test_order_of_samples_plays_no_part(found, seed):
    order = np.random.default_rng(seed).permutation(len(found))
    shuffled = plain(all_metrics(found.subset(order)))
    assert same(plain(all_metrics(found)), shuffled)


def test_no_samples_give_null_and_not_zero(t6):
    nothing = np.empty((0, 3), np.int32)
    found = plain(all_metrics(Lineages(t6, nothing, nothing)))
    counts = {key: value for key, value in found.items() if key.startswith("n")}
    assert counts == dict.fromkeys(counts, 0)
    assert len(counts) == 5
    assert all(value is None for key, value in found.items() if isinstance(value, float | None))
    assert found["level_accuracy"] == [None] * 3
    assert found["hca"] is None
    assert found["independent_hca"] is None


def test_unknown_metric_is_named(t6, e5):
    with pytest.raises(LinnetError, match=r"unknown metric 'acuracy' in .*Did you mean 'accuracy'"):
        all_metrics(Lineages(t6, *e5), ["acuracy"])


def test_named_modules_only(t6, e5):
    assert all_metrics(Lineages(t6, *e5), ["counts"]).keys() <= all_metrics(Lineages(t6, *e5)).keys()
    assert "hca" not in all_metrics(Lineages(t6, *e5), ["counts"])


def test_ratio_of_nothing_is_nan():
    assert np.isnan(Ratio(np.zeros(3), np.zeros(3)).value)
