"""Told questions differ from plain ones by what is told, and by nothing else."""

import numpy as np
import pytest

from linnet.bank.prompts import template
from linnet.probe.oracle import LEAF, PARENT, Told, _told, conditions


@pytest.fixture
def wording(planted_bank):
    return template("plain", planted_bank)


def test_the_leaf_or_the_parent_stands_before_the_question(planted_bank, wording):
    row = 100
    plain = wording.question(planted_bank, row, 1)
    leaf = _told(wording, LEAF).question(planted_bank, row, 1)
    parent = _told(wording, PARENT).question(planted_bank, row, 1)
    label, above = planted_bank.label[row], planted_bank.taxonomy.names[planted_bank.lineage[row, 0]]
    assert leaf == f"The organism is {label}. {plain}"
    assert parent == f"The organism belongs to {above}. {plain}"
    assert _told(wording, PARENT).question(planted_bank, row, 0) == wording.question(planted_bank, row, 0)
    assert isinstance(_told(wording, LEAF), Told)


def test_all_conditions_ask_the_same_questions(planted_bank):
    class Scorer:
        needs_image = True

        def __getattr__(self, name):
            return None

    import linnet.probe.oracle as oracle

    original, oracle.blind = oracle.blind, lambda scorer: scorer
    try:
        asked = {name: bank for name, _, bank in conditions(Scorer(), planted_bank)}
    finally:
        oracle.blind = original
    for name, bank in asked.items():
        np.testing.assert_array_equal(bank.options, planted_bank.options)
        levels = bank.asked.any(axis=0).tolist()
        assert levels == ([False, True, True] if name == "seen, parent told" else [True, True, False])
