"""Values of options mean what YAML says, and numbers with an exponent are numbers."""

from argparse import Namespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from linnet.cli import _model
from linnet.errors import UsageError
from linnet.evaluate import decoders
from linnet.options import parse_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-2.5e+1", -25.0),
        (".5e1", 5.0),
        ("5.e0", 5.0),
        ("{lr: 1e-4, betas: [9e-1, 0.999]}", {"lr": 1e-4, "betas": [0.9, 0.999]}),
    ],
)
def test_exponents_make_floats(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["1e", "e5", "1e-3x", "12e4567", "'1e-3'", "1e-3 m", "bird", "1-e3"])
def test_other_texts_stay_texts(text):
    assert parse_value(text) == text.strip("'")


@pytest.mark.parametrize("text", ["3", "0.5", "true", "null", "", "[1, 2]", "{a: b}", "1.0e-3", "2026-01-01"])
def test_all_else_is_as_in_yaml(text):
    assert parse_value(text) == yaml.safe_load(text)


@given(st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: 1e-99 < abs(value) < 1e99))
def test_floats_as_python_writes_them_come_back(value):
    assert parse_value(repr(value)) == value


@pytest.mark.parametrize("text", ["[1, 2", "!!python/object:os.system x", "a: b: c"])
def test_what_is_no_yaml_is_named(text):
    with pytest.raises(UsageError, match=r"the value .* cannot be read \(.+\); put it in quotes"):
        parse_value(text)


def test_options_of_models_and_decoders_take_exponents():
    args = Namespace(**dict.fromkeys(_model.MODEL), option=["cut-off=1e-3"])
    assert _model.model_options(args) == {"cut_off": 0.001}
    assert decoders.parse("back-off:threshold=1e-3") == ("back-off", {"threshold": 0.001})
