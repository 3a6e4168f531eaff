"""Networks of every kind give, at every place, what a forward without hooks would show there."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from linnet.bank.make import make
from linnet.data.imageset import ImageSet
from linnet.errors import LinnetError
from linnet.models.chat.capture import NORMED, capture, image_states
from linnet.models.chat.packed import packed_inputs
from linnet.models.chat.tiny import PLACEHOLDERS, save_tiny, train_tokenizer
from linnet.models.open import open_scorer
from linnet.probe import features, networks, patching
from linnet.probe.hooks import collecting
from linnet.probe.pool import POOLINGS
from linnet.taxonomy import build, path_table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))
from tiny_models import clip, open_clip_model, siglip

ROWS = [
    "Corvida Corvus corax",
    "Corvida Corvus corone",
    "Corvida Pica pica",
    "Parida Parus major",
    "Parida Poecile ater",
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten pictures of noise in two sizes, with questions."""
    folder = tmp_path_factory.mktemp("photos")
    tree = build(path_table([row.split() for row in ROWS], ("family", "genus", "species")))[0]
    rng = np.random.default_rng(0)
    for k in range(10):
        pixels = rng.integers(0, 256, (64, 64 + 32 * (k % 2), 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    names = np.array([f"{k}.png" for k in range(10)], object)
    split = np.array(["train", "test"] * 5, object)
    return make(ImageSet("noise", folder, tree, names, split, np.repeat(tree.leaves, 2).astype(np.int32)))


@pytest.fixture(scope="module")
def chat_of(tmp_path_factory):
    made: dict[str, networks.Network] = {}

    def network(family: str) -> networks.Network:
        if family not in made:
            words = train_tokenizer([*ROWS, "What is the genus of the organism in this image?"] * 3)
            folder = save_tiny(family, tmp_path_factory.mktemp(family) / "model", words)
            made[family] = networks.of(open_scorer(f"vlm:{folder}", device="cpu", answer_format="open"))
        return made[family]

    return network


def opened(bank, rows):
    return [Image.open(bank.image_path(row)).convert("RGB") for row in rows]


@pytest.mark.parametrize("family", list(PLACEHOLDERS))
def test_chat_states_are_those_that_capture_reads(family, photos, chat_of):
    network, rows = chat_of(family), np.array([0, 1, 2])
    network.prepare(photos)
    items = [network.load(image) for image in opened(photos, rows)]
    names = [place.name for place in network.places()]
    found = features.forward(network, items, rows, names, POOLINGS)
    chat, layers = network.chat, range(len(network.chat.handles.blocks) + 1)
    packed = [
        row
        for seen, row in zip(items, rows, strict=True)
        for row in network._rows(network._questions(seen, row)[1])
    ]
    with torch.inference_mode(), capture(chat, [*layers, NORMED]) as states:
        inputs, layout = packed_inputs(chat, packed)
        chat.handles.inner(**inputs, use_cache=False)
    for layer, name in [*((k, f"language.{k}") for k in layers), (NORMED, "normed")]:
        for photo, own in enumerate(image_states(chat, states[layer], torch.as_tensor(layout.tokens))):
            expected = torch.stack([own.mean(0), own[-1], own.amax(0)])
            np.testing.assert_allclose(found[name][photo], expected, atol=1e-5)
    last = states[NORMED][layout.reads.row, layout.reads.place].unflatten(0, (3, -1))
    np.testing.assert_allclose(found["answer.normed"], last, atol=1e-5)
    assert names[0] == "vision.0"
    assert all(np.isfinite(vectors).all() for vectors in found.values())


@pytest.mark.parametrize("family", list(PLACEHOLDERS))
def test_photos_do_not_mix_in_a_batch(family, photos, chat_of):
    network = chat_of(family)
    network.prepare(photos)
    names = [place.name for place in network.places()]
    items = [network.load(image) for image in opened(photos, range(3))]
    together = features.forward(network, items, np.arange(3), names, ("mean",))
    for k in range(3):
        alone = features.forward(network, items[k : k + 1], np.array([k]), names, ("mean",))
        for name in names:
            np.testing.assert_allclose(together[name][k], alone[name][0], atol=2e-4, err_msg=name)


def test_questions_in_rows_of_their_own_give_the_same(photos, chat_of):
    network = chat_of("qwen2_5_vl")
    network.prepare(photos)
    items = [network.load(image) for image in opened(photos, range(3))]
    names = [place.name for place in network.places()]
    packed = features.forward(network, items, np.arange(3), names, ("mean",))
    network.packs = False
    apart = features.forward(network, items, np.arange(3), names, ("mean",))
    network.packs = True
    for name in names:
        np.testing.assert_allclose(packed[name], apart[name], atol=2e-4, err_msg=name)


def test_a_question_that_is_not_asked_has_no_answer_vector(photos, chat_of):
    network = chat_of("qwen3_vl")
    answer = photos.answer.copy()
    answer[0, 1], answer[1] = -1, -1
    bank = replace(photos, answer=answer)
    network.prepare(bank)
    items = [network.load(image) for image in opened(bank, range(2))]
    found = features.forward(network, items, np.arange(2), ["answer.1", "vision.1"], ("mean",))
    assert np.isnan(found["answer.1"]).all(axis=2).tolist() == [[False, True, False], [True] * 3]
    assert np.isfinite(found["vision.1"]).all()
    network.prepare(photos)


def test_own_states_change_nothing_and_a_donors_image_is_the_donors_run(photos, chat_of):
    network = chat_of("qwen3_vl")
    patcher = patching.Patcher(network, photos)
    rows, donors = [0, 2], [4, 6]
    own, other = patcher.prompts(2, rows, rows), patcher.prompts(2, rows, donors)
    said, kept = patcher.keep(own)
    theirs, donor = patcher.keep(other)
    for place in patcher.places:
        np.testing.assert_array_equal(patcher.put(own, place, kept[place.name]), said)
        if place.name in ("vision.0", "language.0"):
            reached = patcher.put(own, place, donor[place.name])
            if place.name == "vision.0":
                np.testing.assert_array_equal(reached, theirs)
    last = f"language.{len(network.chat.handles.blocks)}"
    place = next(one for one in patcher.places if one.name == last)
    np.testing.assert_array_equal(patcher.put(own, place, donor[last]), said)  # nothing looks there any more


def classifier(folder: Path) -> Path:
    from transformers import (
        MobileNetV2Config,
        MobileNetV2ForImageClassification,
        MobileNetV2ImageProcessorPil,
    )

    names = ["Corvus corax", "Pica pica"]
    config = MobileNetV2Config(image_size=32, depth_multiplier=0.1, id2label=dict(enumerate(names)))
    torch.manual_seed(0)
    MobileNetV2ForImageClassification(config).eval().save_pretrained(folder)
    size = {"height": 32, "width": 32}
    MobileNetV2ImageProcessorPil(size=size, do_center_crop=False).save_pretrained(folder)
    return folder


def test_a_classifier_has_its_blocks_and_what_its_head_reads(photos, tmp_path):
    scorer = open_scorer(str(classifier(tmp_path / "model")), device="cpu")
    network = networks.of(scorer)
    names = [place.name for place in network.places()]
    assert (names[0], names[-1]) == ("vision.0", "pooled")
    items = [network.load(image) for image in opened(photos, range(4))]
    found = features.forward(network, items, np.arange(4), names, ("mean",))
    with torch.inference_mode():
        logits = scorer.network.classifier(torch.from_numpy(found["pooled"][:, 0])).numpy()
    np.testing.assert_allclose(logits, scorer.logits(items), atol=1e-4)
    seen = features.collect(network, photos, tmp_path / "f", {}, ["pooled"], progress=False)
    np.testing.assert_allclose(seen.of("pooled", 0)[:4], found["pooled"][:, 0], rtol=2e-3, atol=2e-3)


def test_forwards_side_by_side_do_not_take_each_others_states(photos, tmp_path):
    network = networks.of(open_scorer(str(classifier(tmp_path / "model")), device="cpu"))
    names = [place.name for place in network.places()]
    rows = np.arange(len(photos))
    items = [network.load(image) for image in opened(photos, rows)]
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together = features.forward(network, items, rows, names, ("mean", "max"))
    finally:
        torch.set_num_threads(threads)
    for k in rows:
        alone = features.forward(network, items[k : k + 1], rows[k : k + 1], names, ("mean", "max"))
        for name in names:
            np.testing.assert_allclose(together[name][k], alone[name][0], atol=1e-5, err_msg=name)
    assert not any(module._forward_hooks for module in network.module.modules())


@pytest.mark.parametrize("make_model", [clip, siglip, open_clip_model])
def test_a_dual_encoder_has_its_blocks_and_the_shared_space(make_model, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    network = networks.of(open_scorer(str(make_model(tmp_path / "model")), device="cpu"))
    names = [place.name for place in network.places()]
    assert (names[0], names[-1]) == ("vision.0", "embedding")
    network.prepare(photos)
    items = [network.load(image) for image in opened(photos, range(4))]
    found = features.forward(network, items, np.arange(4), names, ("mean",))
    assert all(np.isfinite(vectors).all() and vectors.std() > 0 for vectors in found.values())
    with torch.inference_mode():
        expected = network.towers.image(
            network.towers.preprocess.collate(items, torch.device("cpu"), torch.float32)
        )
    unit = torch.nn.functional.normalize(torch.from_numpy(found["embedding"][:, 0]), dim=1)
    torch.testing.assert_close(unit, torch.nn.functional.normalize(expected, dim=1), atol=1e-4, rtol=1e-4)


def test_shuffled_weights_are_the_same_numbers_elsewhere():
    module = nn.Linear(30, 30)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    networks.shuffle_weights(module, 1)
    for old, new in zip(before, module.parameters(), strict=True):
        assert not torch.equal(old, new)
        torch.testing.assert_close(old.flatten().sort()[0], new.detach().flatten().sort()[0])
    again = nn.Linear(30, 30)
    for parameter, old in zip(again.parameters(), before, strict=True):
        parameter.data = old
    networks.shuffle_weights(again, 1)
    assert torch.equal(again.weight, module.weight)


def test_blocks_are_found_in_towers_of_other_make():
    resnet = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2)))
    wrapped = nn.Module()
    wrapped.inner = resnet
    assert networks.stack_of(wrapped) == list(resnet)


def test_a_scorer_that_cannot_be_looked_into_is_refused():
    class Served:
        def describe(self):
            return {"kind": "api"}

    with pytest.raises(LinnetError, match="a model of kind 'api' cannot be looked into; kinds that can: vlm"):
        networks.of(Served())


def test_names_of_places_are_kept_by_collecting_only(photos, chat_of):
    network = chat_of("qwen3_vl")
    network.prepare(photos)
    items = [network.load(image) for image in opened(photos, range(2))]
    batch, run = network.ready(items, np.arange(2))
    wanted = [place for place in network.places() if place.name == "projector"]
    with torch.inference_mode(), collecting(wanted, ["max"]) as read:
        found = read(batch, run)
    assert list(found) == ["projector"]
    assert not network.chat.handles.projector._forward_hooks
