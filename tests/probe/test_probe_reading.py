"""What is not readable is named, not scored: one class, disjoint taxa, taxa that training never had."""

from dataclasses import replace

import numpy as np
import pytest

from linnet.probe import reading, splits
from linnet.probe.targets import targets


def read(seen, bank, split, place="vision.1"):
    return reading.read(seen, place, bank, split, targets(bank, split))[0]


def test_a_level_with_one_class_is_trivial_and_never_100_percent(seen, planted_bank):
    rows = planted_bank.lineage[:, 0] == 0
    split = splits.split(planted_bank, usable=rows)
    found = read(seen, planted_bank, split)
    assert found["status"] == ["trivial", "read", "read"]
    assert found["full"]["independent"]["level_accuracy"][0] is None
    assert found["full"]["joint"]["hca"] > 0.5  # paths pass through the trivial level


def test_disjoint_levels_are_not_read(seen, planted_bank):
    found = read(seen, planted_bank, splits.split(planted_bank, "species"))
    assert found["status"] == ["read", "read", "disjoint"]
    assert found["full"]["independent"]["level_accuracy"][2] is None
    assert found["full"]["independent"]["hca"] > 0.5
    assert read(seen, planted_bank, splits.split(planted_bank, "family"))["status"][1:] == ["disjoint"] * 2


def test_classes_absent_from_training_are_counted_and_wrong(seen, planted_bank, split):
    leaf = planted_bank.lineage[:, 2]
    missing = np.unique(leaf)[::4]
    usable = ~(np.isin(leaf, missing) & (planted_bank.split == "train"))
    part = splits.split(planted_bank, usable=usable)
    found, whole = read(seen, planted_bank, part), read(seen, planted_bank, split)
    assert found["unseen"] == [0, 0, 36]
    assert found["n"] == whole["n"] == 144
    assert found["full"]["independent"]["leaf_accuracy"] <= 108 / 144
    assert found["full"]["independent"]["leaf_accuracy"] > 0.6


def test_rows_without_a_taxon_at_a_level_do_not_count_there(seen, planted_bank, split):
    lineage = planted_bank.lineage.copy()
    lineage[::4, 1] = -1
    bank = replace(planted_bank, lineage=lineage)
    found = read(seen, bank, split)
    assert 0.85 < found["full"]["independent"]["level_accuracy"][1] <= 1


def test_offered_options_make_it_easier(seen, planted_bank, split):
    found = read(seen, planted_bank, split, "vision.4")
    full, four = found["full"]["independent"], found["four"]["independent"]
    assert all(a <= b + 0.02 for a, b in zip(full["level_accuracy"], four["level_accuracy"], strict=True))
    assert four["intervals"]["hca"][0] <= four["hca"] <= four["intervals"]["hca"][1]


def test_a_model_that_scores_perfectly_is_answered_perfectly(planted, planted_bank, split, tmp_path):
    from linnet.evaluate.runner import run

    part = planted_bank.subset(split.test)
    told = reading.answered(part, run(part, planted, tmp_path / "run", progress=False))
    assert told["full"]["independent"]["level_accuracy"][0] == pytest.approx(1, abs=0.1)
    assert told["states"]["scored"] == int(part.asked.sum())


def test_a_level_whose_question_is_not_asked_has_no_figure(seen, planted_bank, split):
    """Vectors per level, as at answers, with none for species."""
    x = seen.of("vision.1", 0)
    cube = np.stack([x, x, np.full_like(x, np.nan)], axis=1)
    answers = replace(
        seen,
        rows=cube.reshape(len(x), -1),
        columns={"answer.1": {"start": 0, "shape": list(cube.shape[1:]), "per": "level"}},
    )
    found = read(answers, planted_bank, split, "answer.1")
    assert found["status"] == ["read", "read", "not asked"]
    assert found["full"]["independent"]["level_accuracy"][2] is None
    same = read(seen, planted_bank, split)["full"]["independent"]["level_accuracy"]
    np.testing.assert_allclose(found["full"]["independent"]["level_accuracy"][:2], same[:2], atol=0.02)
