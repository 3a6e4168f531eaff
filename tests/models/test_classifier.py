import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_cases import full_bank
from PIL import Image
from strategies import taxonomies
from tiny_models import classifier, picture
from transformers import AutoImageProcessor, AutoModelForImageClassification

from linnet.errors import LinnetError
from linnet.models.kinds.classifier import Classifier, node_logprob
from linnet.models.labels import LabelMap
from linnet.models.open import open_scorer
from linnet.taxonomy import Taxonomy, build, path_table

CLASSES = ["S2 (sp.)", "s1", "unheard of", "h1", "c1", "an s1", "s3", "C"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("classifier"), CLASSES)


@pytest.fixture(scope="module")
def scorer(folder: Path, t6: Taxonomy) -> Classifier:
    opened = open_scorer(str(folder), device="cpu")
    assert isinstance(opened, Classifier)
    opened.prepare(full_bank(t6, 5))
    return opened


def node_logprob_slow(logits: list[float], labels: LabelMap, keep: bool) -> list[float]:
    """Probabilities added class by class to each ancestor, then divided by the sum of the level."""
    taxonomy = labels.taxonomy
    counted = [k for k in range(len(logits)) if keep or labels.taxon[k] >= 0]
    total = sum(math.exp(logits[k]) for k in counted)
    mass = [0.0] * len(taxonomy)
    for k in counted:
        taxon = int(labels.taxon[k])
        while taxon >= 0:
            mass[taxon] += math.exp(logits[k]) / total
            taxon = int(taxonomy.parent[taxon])
    if not keep:
        level = [sum(mass[int(t)] for t in taxonomy.at_level(k)) for k in range(taxonomy.n_levels)]
        mass = [m / (level[taxonomy.level[t]] or 1) for t, m in enumerate(mass)]
    return [math.log(m) if m else -math.inf for m in mass]


@given(taxonomies(gaps=True), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None)
def test_scores_of_taxa_equal_the_slow_sum(taxonomy: Taxonomy, seed: int, keep: bool) -> None:
    rng = np.random.default_rng(seed)
    taxon = rng.integers(-1, len(taxonomy), rng.integers(1, 12)).astype(np.int32)
    taxon[0] = len(taxonomy) - 1
    labels = LabelMap(
        taxonomy, [f"class {k}" for k in range(len(taxon))], taxon, np.full(len(taxon), "", object)
    )
    logits = rng.normal(0, 3, (3, len(taxon))).astype(np.float32)
    expected = [node_logprob_slow(row, labels, keep) for row in logits.astype(float).tolist()]
    np.testing.assert_allclose(node_logprob(logits, labels, keep), expected, atol=1e-4)


def test_class_scores_are_the_models_own(folder: Path, scorer: Classifier) -> None:
    images = [picture(seed, 30 + seed, 50) for seed in range(6)]
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(folder)
    with torch.no_grad():
        expected = model(**processor(images=images, return_tensors="pt")).logits
    assert scorer.preprocess.name == "fast"
    np.testing.assert_allclose(scorer.class_logits(images), expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(scorer.probs(images), expected.softmax(1).numpy(), atol=1e-5)
    assert scorer.class_logits([]).shape == (0, len(CLASSES))


def test_a_photo_scores_the_same_in_any_batch(scorer: Classifier) -> None:
    items = [scorer.load(picture(seed)) for seed in range(5)]
    together = scorer.score(items, np.arange(5)).node_logprob
    for row, item in enumerate(items):
        alone = scorer.score([item], np.array([row])).node_logprob
        np.testing.assert_allclose(alone[0], together[row], atol=1e-4)


def test_threads_side_by_side_change_nothing(scorer: Classifier) -> None:
    images = [picture(seed) for seed in range(11)]
    threads = torch.get_num_threads()
    alone = scorer.class_logits(images)
    torch.set_num_threads(3)
    try:
        beside = scorer.class_logits(images)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(beside, alone, atol=1e-4)


def test_options_are_scored_among_themselves(scorer: Classifier, t6: Taxonomy) -> None:
    scored = scorer.score([scorer.load(picture(1))], np.array([1]))
    bank = scorer.bank
    for level in range(3):
        taxa = bank.options[1, level]
        node = scored.node_logprob[0, taxa[taxa >= 0]]
        shown = scored.option_logprob[0, level, : len(node)]
        np.testing.assert_allclose(np.exp(shown).sum(), 1, rtol=1e-5)
        finite = np.isfinite(node)
        np.testing.assert_allclose(np.diff(shown[finite]), np.diff(node[finite]), atol=1e-5)
        assert np.isnan(scored.option_logprob[0, level, len(node) :]).all()
    assert scored.node_logprob[0, t6.find("c2")[0]] == -np.inf


def test_the_report_and_the_record(folder: Path, t6: Taxonomy, tmp_path: Path) -> None:
    report = open_scorer(str(folder)).prepare(full_bank(t6, 1))
    assert report["labels"]["n_mapped"] == 6
    assert report["labels"]["unmapped"] == ["unheard of", "C"]
    assert report["labels"]["inner_only"] == ["C"]
    assert report["labels"]["uncovered_leaves"] == ["c2"]
    inner = open_scorer(str(folder), inner=True)
    assert inner.prepare(full_bank(t6, 1))["labels"]["n_mapped"] == 7
    (tmp_path / "map.csv").write_text("taxon,index\ns1,0\n")
    tabled = open_scorer(str(folder), labels=tmp_path / "map.csv")
    assert tabled.prepare(full_bank(t6, 1))["labels"]["rules"] == {"table": 1}
    records = [open_scorer(str(folder), unmapped="keep").describe(), inner.describe(), tabled.describe()]
    assert len({str({**record, "versions": None}) for record in records}) == 3


def test_classes_that_name_nothing_are_an_error(tmp_path: Path, t6: Taxonomy) -> None:
    opened = open_scorer(str(classifier(tmp_path / "cars", ["sedan", "van"])))
    with pytest.raises(
        LinnetError, match=r"none of the 2 classes of 'cars' names a taxon of 'T6'.*sedan, van"
    ):
        opened.prepare(full_bank(t6, 1))


def test_bfloat16(folder: Path, scorer: Classifier) -> None:
    low = open_scorer(str(folder), dtype="bfloat16", device="cpu")
    assert low.describe()["dtype"] == "bfloat16"
    images = [picture(seed) for seed in range(3)]
    np.testing.assert_allclose(low.probs(images), scorer.probs(images), atol=0.1)


def test_the_real_bird_model_names_real_birds(shared: Path) -> None:
    data = shared / "data/cub100"
    lines = [line.split(",") for line in (data / "taxonomy.csv").read_text().splitlines()]
    taxonomy = build(path_table(lines[1:], lines[0]))[0]
    opened = open_scorer(str(shared / "models/bird-mobilenet-v2"), labels=data / "bird_label_map.csv")
    with (data / "metadata.csv").open() as file:
        rows = [
            row for row in csv.DictReader(file) if row["split"] == "test" and row["order"] == "Anseriformes"
        ]
    rows = rows[::8]
    bank = full_bank(taxonomy, len(rows))
    opened.prepare(bank)
    items = [opened.load(Image.open(data / row["file_name"]).convert("RGB")) for row in rows]
    node = opened.score(items, np.arange(len(rows))).node_logprob
    for level, rank in enumerate(taxonomy.ranks):
        taxa = taxonomy.at_level(level)
        named = taxonomy.names[taxa[node[:, taxa].argmax(axis=1)]]
        assert np.mean(named == [row[rank] for row in rows]) >= 0.8
