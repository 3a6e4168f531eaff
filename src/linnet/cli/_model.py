"""What verbs share: options of the model."""

from __future__ import annotations

import argparse
from typing import Any

from linnet.errors import UsageError

CHAT = ("scoring", "answer_format", "rotations", "protocol", "parser")
MODEL = ("labels", "template", "device", "dtype", *CHAT)


def model_arguments(group: argparse._ArgumentGroup) -> None:
    """What every kind of model may be told."""
    group.add_argument("--labels", metavar="CSV", help="table that says which class names which taxon")
    group.add_argument("--template", metavar="T", help="wording of the questions or captions")
    group.add_argument("--device", help="cpu, cuda, cuda:1, … (default: what there is)")
    group.add_argument("--dtype", help="float32, bfloat16, float16 (default: what the model says)")
    group.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="any other option of the model"
    )


def chat_arguments(group: argparse._ArgumentGroup) -> None:
    """How a chat model is asked."""
    add = group.add_argument
    add("--scoring", help="auto, packed, cache or separate: how questions share an image (default: auto)")
    add("--answer-format", help="letter, name or open: what the options' scores are of (default: letter)")
    add("--rotations", action="store_true", default=None, help="ask with the options in every cyclic order")
    add(
        "--protocol", help="score, paper (generated text) or both; served: auto, letter, text; terraincognita"
    )
    add("--parser", help="strict, or legacy for the papers' rule (default: strict)")


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Options for the model: those of the command line that were given, and --option pairs."""
    from linnet.options import parse_value

    options = {name: getattr(args, name) for name in MODEL if getattr(args, name) is not None}
    for pair in args.option:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"--option {pair} has no value; write --option {name}=VALUE")
        options[name.replace("-", "_")] = parse_value(value)
    return options
