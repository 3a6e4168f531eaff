import numpy as np
import pytest

from linnet.errors import LinnetError
from linnet.models import text_features
from linnet.models.base import normalise_levels
from linnet.models.texts import taxon_texts
from linnet.taxonomy import Taxonomy, build, path_table


@pytest.fixture(scope="module")
def ranked() -> Taxonomy:
    return build(path_table([["Aves", "Geococcyx", "Geococcyx"]], ["class", "genus", "species"]))[0]


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ("plain", ["a photo of a Aves.", "a photo of a Geococcyx.", "a photo of a Geococcyx."]),
        (
            "rank",
            [
                "a photo of the class Aves.",
                "a photo of the genus Geococcyx.",
                "a photo of the species Geococcyx.",
            ],
        ),
        (
            "taxonomic",
            ["a photo of Aves.", "a photo of Aves Geococcyx.", "a photo of Aves Geococcyx Geococcyx."],
        ),
        ("paper", ["a photo of a aves.", "a photo of a geococcyx.", "a photo of a geococcyx."]),
        (
            "{}, {rank} of {parent}",
            ["Aves, class of ", "Geococcyx, genus of Aves", "Geococcyx, species of Geococcyx"],
        ),
    ],
)
def test_templates(ranked: Taxonomy, template: str, texts: list[str]) -> None:
    assert taxon_texts(ranked, template) == [texts]
    assert taxon_texts(ranked, [template, "plain"])[0] == texts


def test_plain_depths_name_the_taxon_above(t6: Taxonomy) -> None:
    texts = taxon_texts(t6)[0]
    assert texts[t6.find("B")[0]] == "a photo of a B."
    assert texts[t6.find("s1")[0]] == "a photo of a s1, a kind of S."


def test_bad_templates(t6: Taxonomy) -> None:
    with pytest.raises(
        LinnetError, match=r"unknown template 'rnak' in the model's options.*Did you mean 'rank'"
    ):
        taxon_texts(t6, "rnak")
    with pytest.raises(
        LinnetError, match=r"template 'a \{genus\}' cannot be filled \('genus'\); it may hold \{name\}"
    ):
        taxon_texts(t6, "a {genus}")


# ---- kept features ----


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path) -> list[list[str]]:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    return []


def encoder(calls: list[list[str]]) -> text_features.Encode:
    def encode(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        calls.append(texts)
        rows = [[len(text), sum(map(ord, text))] for text in texts]
        return np.array(rows, np.float32), np.array([len(text) > 3 for text in texts])

    return encode


TEXTS = ["bb", "a", "bb", "long"]


def test_each_distinct_text_is_encoded_once(calls: list[list[str]]) -> None:
    first = text_features.features(TEXTS, encoder(calls), "model")
    again = text_features.features(TEXTS, encoder(calls), "model")
    assert calls == [["a", "bb", "long"]]
    assert first[0][:, 0].tolist() == [2, 1, 2, 4]
    assert first[1].tolist() == [False, False, False, True]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_model_or_text_is_encoded_anew(calls: list[list[str]]) -> None:
    for texts, model in [(TEXTS, "m1"), (TEXTS, "m2"), (["a", "bb"], "m1")]:
        text_features.features(texts, encoder(calls), model)
    assert len(calls) == 3


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_file_is_made_anew(calls: list[list[str]], damage: str) -> None:
    whole = text_features.features(TEXTS, encoder(calls), "model")[0]
    (path,) = text_features.cache_folder().rglob("*.npz")
    data = bytearray(path.read_bytes())
    at = data.find(whole[1].tobytes())
    data[at] ^= 0xFF
    path.write_bytes({"cut": data[: len(data) // 2], "flip": data, "empty": b"", "other": b"text"}[damage])
    with pytest.warns(UserWarning, match="text features in .* are damaged"):
        mended = text_features.features(TEXTS, encoder(calls), "model")[0]
    np.testing.assert_array_equal(mended, whole)
    text_features.features(TEXTS, encoder(calls), "model")
    assert len(calls) == 2


def test_large_features_are_kept_in_half(calls: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_features, "HALF", 8)
    text_features.features(TEXTS, encoder(calls), "model")
    (path,) = text_features.cache_folder().rglob("*.npz")
    assert np.load(path)["vectors"].dtype == np.float16
    assert text_features.features(TEXTS, encoder(calls), "model")[0].dtype == np.float32


def test_a_folder_that_cannot_be_written_costs_only_time(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be kept in .*set LINNET_CACHE"):
        assert text_features.features(TEXTS, encoder(calls), "model")[0][:, 0].tolist() == [2, 1, 2, 4]


# ---- levels ----


def test_levels_are_normalised_apart(t6: Taxonomy) -> None:
    scores = np.random.default_rng(0).normal(0, 4, (3, len(t6))).astype(np.float32)
    scores[1, t6.at_level(1)] = -np.inf
    scores[2, t6.at_level(2)[0]] = np.nan
    out = normalise_levels(t6, scores)
    for level in range(3):
        taxa = t6.at_level(level)
        row = scores[0, taxa].astype(float)
        np.testing.assert_allclose(out[0, taxa], row - np.log(np.exp(row).sum()), atol=1e-5)
    assert (out[1, t6.at_level(1)] == -np.inf).all()
    assert np.isnan(out[2, t6.at_level(2)]).all()
    assert np.isfinite(out[2, t6.at_level(0)]).all()
