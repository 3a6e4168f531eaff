"""The exported folder loads with Hugging Face `datasets`, offline, with its features."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bank_cases import birds, skewed

from linnet.bank.formats import datasets as export
from linnet.bank.formats import papers
from linnet.bank.make import make

hf = pytest.importorskip("datasets")


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load one config of a folder without network and with a cache of its own."""
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    hf.disable_progress_bars()
    return lambda folder, config: hf.load_dataset(str(folder), config, cache_dir=str(tmp_path / "cache"))


@pytest.fixture
def bank(shared):
    made = make(birds(shared), "balanced").subset(np.arange(0, 2903, 60))
    split = np.array(["test", "novel genus"], object)[np.arange(len(made)) % 2]
    return replace(made, split=split)


def test_questions_have_the_fields_and_types_of_multiple_choice_sets(bank, load, tmp_path):
    folder = export.write(bank, tmp_path / "out")
    data = load(folder, "questions")
    assert set(data) == {"test", "novel_genus"}
    test = data["test"]
    assert len(test) == 4 * (bank.split == "test").sum()
    assert test.features["answer"].names == ["A", "B", "C", "D"]
    row = test[0]
    assert row["question"] == "Based on taxonomy, what is the order of the bird in this image?"
    assert row["choices"][row["answer"]] == row["path"][0] == bank.taxonomy.path(bank.lineage[0, 3])[0]
    assert row["image"] == bank.image[0]
    assert row["weight"] == pytest.approx(float(bank.weight[0, 0]))
    assert row["distractors"] == "balanced"
    assert len(set(test["question_id"])) == len(test)


def test_images_carry_the_papers_columns(bank, load, tmp_path):
    data = load(export.write(bank, tmp_path / "out"), "images")
    rows = [json.loads(line) for line in papers.write(bank, tmp_path / "p.jsonl").read_text().splitlines()]
    first = data["test"][0]
    assert {key: first[key] for key in rows[0]} == rows[0]
    assert first["weights"] == pytest.approx(bank.weight[0].tolist())


def test_images_can_be_embedded(bank, load, tmp_path):
    folder = export.write(bank, tmp_path / "out", embed_images=True)
    photo = load(folder, "images")["test"][1]["image"]
    assert photo.size == (227, 227)


def test_levels_that_are_not_asked_are_empty(load, tmp_path):
    bank = make(skewed(20), "random")
    bank.answer[0, 2] = -1
    data = load(export.write(bank, tmp_path / "out"), "images")["test"]
    assert data[0]["level3"] is None
    assert data[1]["level3"] is not None


def test_large_sets_are_written_in_shards(monkeypatch, load, tmp_path):
    monkeypatch.setattr(export, "BATCH", 10)
    monkeypatch.setattr(export, "SHARD_BYTES", 5000)
    bank = make(skewed(40), "random")
    folder = export.write(bank, tmp_path / "out")
    assert len(list((folder / "questions").iterdir())) > 2
    data = load(folder, "questions")["test"]
    assert data["image_id"] == [name for name in bank.sample_id for _ in range(3)]
    export.write(bank.subset(np.arange(2)), tmp_path / "out")
    assert len(list((folder / "questions").iterdir())) == 1


def test_the_card_names_configs_policy_and_hash(bank, tmp_path):
    folder = export.write(bank, tmp_path / "out")
    card = (folder / "README.md").read_text()
    assert card.startswith("---\npretty_name: cub100-balanced\n")
    assert "path: questions/novel_genus-*.parquet" in card
    assert "- policy: balanced\n" in card
    assert "n<1K" in card
