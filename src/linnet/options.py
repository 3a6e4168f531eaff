"""The value of an option on the command line is YAML, and a number may be written as 1e-3."""

from __future__ import annotations

import re
from typing import Any

import yaml

from linnet.errors import UsageError

# YAML 1.1 wants a point and a sign (1.0e-3). More than two digits of exponent: rather a commit than a number.
EXPONENT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]{1,2}$")


class _Loader(yaml.SafeLoader):
    """The safe loader, which knows one more way to write a float."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+.0123456789"))


def parse_value(text: str) -> Any:
    """What an option's text stands for: number, bool, None, list, mapping or the text itself.

    Raises UsageError for text that is no YAML.
    """
    try:
        return _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise UsageError(f"the value {text!r} cannot be read ({problem}); put it in quotes") from None
