"""Questions about any names, packed for a picture, give what a bank of one question per row gives."""

import numpy as np
import pytest

from linnet.models.base import NameScorer
from linnet.models.open import open_scorer
from linnet.predict.asking import Asker, by_bank
from linnet.predict.descent import descend


def softmax(values):
    odds = np.exp(values - values.max())
    return odds / odds.sum()


@pytest.fixture(scope="module", params=["letter", "name", "open"])
def made(request, tiny):
    return open_scorer(str(tiny("qwen3_vl")), device="cpu", answer_format=request.param)


def test_packed_questions_equal_separate_rows(made, birds, pictures):
    asker = Asker(birds, made, 4)
    asker.prepare()
    assert isinstance(made, NameScorer)
    items = [made.load(image) for image in pictures]
    sets = [[birds.at_level(0), birds.at_level(3)[:3]], [], [birds.at_level(1)[:3]]]
    fast = asker.ask(items, sets)
    slow = by_bank(made, birds, items, sets)
    assert [len(some) for some in fast] == [2, 0, 1]
    for some, others in zip(fast, slow, strict=True):
        for one, other in zip(some, others, strict=True):
            np.testing.assert_allclose(softmax(one), np.exp(other), atol=1e-4)


def test_a_descent_ends_at_leaves(made, birds, pictures):
    asker = Asker(birds, made, 26)
    asker.prepare()
    chains = descend(asker, [made.load(image) for image in pictures], 2, 26)
    assert birds.is_leaf[chains.taxon[:, -1]].all()
    np.testing.assert_array_equal(birds.ancestors[chains.taxon[:, -1]], chains.taxon)
