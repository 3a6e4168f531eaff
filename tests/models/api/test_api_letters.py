import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.models.api.letters import letter_logprobs

SPELLINGS = ["{}", " {}", "\u0120{}", "\u2581{}", "{}\n"]


def twin(top: list[tuple[str, float]], n_options: int) -> list[float]:
    """Probabilities of the letters summed over spellings and divided by their sum, in plain Python."""
    share = [0.0] * n_options
    for token, value in top:
        for k in range(n_options):
            if token in {spelling.format(chr(65 + k)) for spelling in SPELLINGS}:
                share[k] += math.exp(value)
    least = math.exp(min(value for _, value in top))
    share = [value or least for value in share]
    return [math.log(value / sum(share)) for value in share]


tops = st.lists(
    st.tuples(
        st.sampled_from([s.format(letter) for s in SPELLINGS for letter in "ABCDE"] + ["The", "AB", "a"]),
        st.floats(-20, 0),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda entry: entry[0],
)


@given(tops, st.integers(1, 5))
def test_letters_agree_with_the_plain_sum(top: list[tuple[str, float]], n_options: int) -> None:
    values, bounds = letter_logprobs(top, n_options)
    names = {token.strip(" \n\u0120\u2581") for token, _ in top}
    absent = [k for k in range(n_options) if chr(65 + k) not in names]
    if len(absent) == n_options:
        assert np.isnan(values).all()
        assert bounds == 0
    else:
        np.testing.assert_allclose(values, twin(top, n_options), atol=1e-9)
        assert np.exp(values).sum() == pytest.approx(1)
        assert bounds == len(absent)


def test_a_full_list_gives_the_softmax_over_the_letters() -> None:
    values, bounds = letter_logprobs([("B", -0.5), ("A", -1.5), ("The", -1.0)], 2)
    assert bounds == 0
    assert values[1] - values[0] == pytest.approx(1.0)


def test_a_letter_that_is_not_listed_gets_the_smallest_value_and_is_counted() -> None:
    values, bounds = letter_logprobs([("B", -0.1), ("The", -3.0)], 3)
    assert bounds == 2
    assert values[1] - values[0] == pytest.approx(2.9)
    assert values[0] == values[2]


def test_letters_beyond_the_options_are_no_answers() -> None:
    assert np.isnan(letter_logprobs([("D", -0.1)], 2)[0]).all()


def test_nan_makes_the_question_invalid() -> None:
    assert np.isnan(letter_logprobs([("A", -0.1), ("B", math.nan)], 2)[0]).all()
    assert np.isnan(letter_logprobs([("A", -0.1), ("x", math.nan)], 2)[0]).all()


def test_nothing_is_guessed_from_an_empty_list() -> None:
    assert np.isnan(letter_logprobs([], 4)[0]).all()
