import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.models.parsers import LETTERS, legacy, strict

NAMES = ["aves", "bryophyta", "boston terrier", "tracheophyta"]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("B.", "B"),
        ("B. Bryophyta", "B"),
        ("The answer is B", "B"),
        ("**D**", "D"),
        ("d", None),
        ("C. Boston Terrier", "B"),
        ("I Cannot tell", "C"),
        ("", None),
        ("Answer: C", "A"),
        ("Based on the image", "B"),
        ("C) Aves", "A"),
        ("Animalia", "A"),
        ("D. tracheophyta", "D"),
    ],
)
def test_legacy_repeats_the_papers_rule(text: str, letter: str | None) -> None:
    assert legacy(text, 4) == (None if letter is None else LETTERS.index(letter))


def test_legacy_looks_only_for_letters_of_the_options() -> None:
    assert legacy("D", 2) is None
    assert legacy("Definitely B", 2) == 1


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("B.", "B"),
        ("B. Bryophyta", "B"),
        ("The answer is B", "B"),
        ("**D**", "D"),
        ("d", "D"),
        ("(b)", "B"),
        ("C. Boston Terrier", "C"),
        ("C) Aves", "C"),
        ("Answer: C", "C"),
        ("Answer:\nC", "C"),
        ("The answer is a.", "A"),
        ("**Answer:** **C**", "C"),
        ("Answer: **B. bryophyta**", "B"),
        (r"\boxed{C}", "C"),
        ("the correct option is (D)", "D"),
        ("The answer is B, since A and C are wrong", "B"),
        ("Option A looked right. The answer is D.", "D"),
        ("(A) has no wings, so (C)", "C"),
        ("I think B because of its leaves", "B"),
        ("not A but B", "B"),
        ("<think>Is it A? The answer is A.</think>\nC", "C"),
        ("It is a Boston Terrier.", "C"),
        ("TRACHEOPHYTA", "D"),
    ],
)
def test_strict_reads_what_is_said_without_doubt(text: str, letter: str) -> None:
    assert strict(text, 4, NAMES) == LETTERS.index(letter)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I Cannot tell",
        "Based on the image",
        "Animalia",
        "A bird",
        "a bird",
        "The answer is a bird",
        "B or C",
        "A or B",
        "E",
        "Aves or bryophyta",
        "The answer is not B",
        "<think>The answer is A",
        "A. aves\nB. bryophyta\nC. boston terrier\nD. tracheophyta",
        "None of the above",
    ],
)
def test_strict_says_nothing_where_nothing_is_said(text: str) -> None:
    assert strict(text, 4, NAMES) is None


def test_a_name_inside_a_longer_name_is_not_a_second_answer() -> None:
    assert strict("Arctic tern", 2, ["tern", "arctic tern"]) == 1
    assert strict("a common tern", 2, ["tern", "arctic tern"]) == 0


def test_options_of_one_name_cannot_be_told_apart() -> None:
    assert strict("sayornis", 2, ["Sayornis", "sayornis"]) is None


def test_letters_inside_option_names_are_no_answers() -> None:
    assert strict("hepatitis B virus", 2, ["ebola virus", "hepatitis B virus"]) == 1


@given(st.text(alphabet="ABCDEabde .:()*\nansweroption", max_size=60), st.integers(1, 6))
def test_strict_returns_an_option_or_nothing(text: str, n_options: int) -> None:
    found = strict(text, n_options, NAMES[:n_options])
    assert found is None or 0 <= found < n_options


@given(
    st.integers(0, 3),
    st.sampled_from(["{}", "{}.", "({})", "Answer: {}", "{}. {name}", "**{}**", "Option {}"]),
)
def test_every_usual_form_of_a_letter_is_read(place: int, form: str) -> None:
    assert strict(form.format(LETTERS[place], name=NAMES[place]), 4, NAMES) == place


@pytest.mark.parametrize("text", ["answer" + " : " * 3000, "(" * 5000, "\n" * 5000, "A or B " * 2000])
def test_patterns_that_backtrack_would_not_come_back_from_these(text: str) -> None:
    assert strict(text, 4, NAMES) is None
