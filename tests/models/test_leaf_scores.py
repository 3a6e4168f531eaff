"""Scores of all leaves: dual encoders read their words from disk in parts, classifiers map classes."""

import numpy as np
import pytest
from tiny_models import classifier, clip, picture

from linnet.errors import LinnetError
from linnet.models import text_store
from linnet.models.base import LeafScorer
from linnet.models.open import open_scorer

IMAGES = [picture(seed) for seed in range(4)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    return open_scorer(str(clip(tmp_path_factory.mktemp("dual") / "m")), device="cpu")


def log_softmax(scores):
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def test_parts_from_disk_equal_words_in_memory(dual, t6, monkeypatch):
    items = [dual.load(image) for image in IMAGES]
    words = dual.words(t6)[0][t6.leaves]
    cosine = (dual.image_features(items) @ words.T).numpy()
    monkeypatch.setattr(text_store, "PART", 4)
    report = dual.prepare_leaves(t6)
    assert isinstance(dual, LeafScorer)
    assert report["n_texts"] == 6
    said = dual.leaf_logprob(items)
    np.testing.assert_allclose(np.exp(said).sum(axis=1), 1, atol=1e-5)
    # float16 keeps three digits of a cosine, and the logits are its hundredfold.
    np.testing.assert_allclose(said, log_softmax(dual.towers.scale * cosine), atol=0.002 * dual.towers.scale)


def fake_encode(calls):
    def encode(texts):
        calls.append(list(texts))
        vectors = np.array([np.random.default_rng(len(text)).normal(size=5) for text in texts])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float32), np.zeros(len(texts), bool)

    return encode


def test_parts_are_encoded_once_and_damaged_ones_again(monkeypatch):
    monkeypatch.setattr(text_store, "PART", 3)
    rows, calls = [("a" * k, "b" * (k + 20)) for k in range(1, 9)], []
    made = text_store.store(rows, fake_encode(calls), "m")
    assert [len(part) for part in calls] == [6, 6, 4]
    assert [start for start, _ in made.parts()] == [0, 3, 6]
    text_store.store(rows, fake_encode(calls), "m")
    assert len(calls) == 3
    (made.folder / "3.npy").write_bytes(b"torn")
    again = text_store.store(rows, fake_encode(calls), "m")
    assert calls[3:] == [calls[1]]
    whole = np.concatenate([part for _, part in again.parts()])
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-3)
    assert text_store.store(rows, fake_encode(calls), "other").folder != made.folder


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "file"))
    with pytest.raises(LinnetError, match="set LINNET_CACHE to another folder"):
        text_store.store([("a",)], fake_encode([]), "m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("classifier"), ["s1", "s2", "nothing", "c1", "S", "s1"])


def test_leaves_of_a_classifier_are_its_classes(folder, t6):
    made = open_scorer(str(folder), device="cpu")
    made.prepare_leaves(t6)
    items = [made.load(image) for image in IMAGES]
    said = np.exp(made.leaf_logprob(items))
    odds = np.exp(made.logits(items))
    share = odds / odds[:, [0, 1, 3, 5]].sum(axis=1, keepdims=True)
    expected = np.zeros((4, 6))
    expected[:, 0], expected[:, 1], expected[:, 4] = share[:, 0] + share[:, 5], share[:, 1], share[:, 3]
    np.testing.assert_allclose(said, expected, atol=1e-5)


def test_classes_off_the_list_may_keep_their_share(folder, t6):
    made = open_scorer(str(folder), device="cpu", unmapped="keep")
    made.prepare_leaves(t6)
    items = [made.load(image) for image in IMAGES]
    probs = made.probs(IMAGES)
    np.testing.assert_allclose(
        np.exp(made.leaf_logprob(items)).sum(axis=1), probs[:, [0, 1, 3, 5]].sum(axis=1), atol=1e-5
    )


def test_classes_of_inner_taxa_only(tmp_path, t6):
    made = open_scorer(str(classifier(tmp_path, ["S", "H"])), device="cpu", inner=True)
    with pytest.raises(LinnetError, match="name only inner taxa of 'T6'"):
        made.prepare_leaves(t6)
