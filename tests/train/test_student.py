"""Scores of every taxon: what adapters change, what is trained, and what is kept from step to step."""

import math

import numpy as np
import pytest
import torch
from train_cases import IMAGES, MAKERS, TARGETS, towers
from transformers import CLIPConfig, CLIPModel

from linnet.errors import LinnetError
from linnet.models.open import open_scorer
from linnet.train import lora, memory, recipe
from linnet.train.dual_recipe import Lora
from linnet.train.objective import Objective
from linnet.train.student import Student


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: make(root / name) for name, make in MAKERS.items()}


def inputs_of(student, images=IMAGES):
    preprocess = student.towers.preprocess
    return preprocess.collate(
        [preprocess.load(image) for image in images], torch.device("cpu"), torch.float32
    )


def adapted(folder, t6, target, sides=("vision", "text"), rank=2):
    student = Student(towers(folder), t6)
    targets = {side: (target,) if side in sides else () for side in ("vision", "text")}
    peft = lora.attach(student.model, Lora(rank=rank, **targets))
    return student, peft


def lora_of(folder, name, t6, **options):
    """MobileNet has no such layers, so only the text tower of the joined model is adapted."""
    return adapted(
        folder, t6, TARGETS[name], sides=("text",) if name == "joined" else ("vision", "text"), **options
    )


@pytest.mark.parametrize("name", MAKERS)
def test_scores_are_those_of_the_evaluated_model(folders, name, t6):
    student = Student(towers(folders[name]), t6, ("rank", "a {name} of {parent}"))
    scorer = open_scorer(str(folders[name]), device="cpu", template=["rank", "a {name} of {parent}"])
    words = scorer.words(t6)[0]
    cosine = scorer.image_features([scorer.load(image) for image in IMAGES]) @ words.T
    scores = student.eval()(**inputs_of(student)).detach()
    torch.testing.assert_close(scores, scorer.towers.scale * cosine, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", MAKERS)
def test_fresh_adapters_leave_every_score_as_it_was(folders, name, t6, monkeypatch):
    # Without anything to train torch's attention takes another kernel, which rounds differently.
    monkeypatch.setattr(torch.backends.mha, "_is_fastpath_enabled", False)
    plain = Student(towers(folders[name]), t6).eval()
    student, _ = lora_of(folders[name], name, t6)
    before, after = plain(**inputs_of(plain)), student.eval()(**inputs_of(student))
    assert torch.equal(before, after)


@pytest.mark.parametrize("name", MAKERS)
def test_one_step_moves_what_is_trained_and_nothing_else(folders, name, t6):
    student, _ = lora_of(folders[name], name, t6)
    with torch.no_grad():  # at zero the other factor gets no gradient
        for key, parameter in student.moving().items():
            if "lora_B" in key:
                parameter.normal_(std=0.1)
    parts = (
        [n for n in ("visual_projection", "text_projection") if hasattr(student.model, n)]
        if name != "open_clip"
        else []
    )
    lora.train_parts(student.model, parts)
    student.model.logit_scale.requires_grad_(True)
    with torch.no_grad():
        student.model.logit_scale.fill_(math.log(20))
    before = {n: p.detach().clone() for n, p in student.model.state_dict().items()}
    moving = {key.removeprefix("model.") for key in student.moving()}
    optimiser = torch.optim.SGD(student.moving().values(), lr=0.1)
    lineage = torch.from_numpy(t6.lineages[:4].astype(np.int64))
    total, _ = Objective({"level_ce": 1.0}, t6)(student.train()(**inputs_of(student)), lineage)
    total.backward()
    optimiser.step()
    assert any("lora_A" in key for key in moving)
    for key, value in student.model.state_dict().items():
        near = torch.allclose(value, before[key], atol=1e-6)  # attention adds its adapters in and out again
        exact = torch.equal(value, before[key])
        assert (not exact) if key in moving else (near if name == "open_clip" else exact), key


@pytest.mark.parametrize("name", MAKERS)
def test_kept_words_equal_words_encoded_again(folders, name, t6):
    frozen = Student(towers(folders[name]), t6).train()
    lora.attach(frozen.model, Lora(rank=0))
    first = frozen.words()
    assert frozen.words() is first
    assert not first.requires_grad
    student, _ = lora_of(folders[name], name, t6)
    student.train()
    again = student.words()
    assert again is not student.words()
    assert again.requires_grad
    torch.testing.assert_close(first, again, rtol=0, atol=1e-6)
    assert student.eval().words() is student.words()


@pytest.mark.parametrize("name", ["clip", "joined"])
def test_a_trained_projection_reads_what_the_frozen_tower_said(folders, name, t6):
    student = Student(towers(folders[name]), t6).train()
    lora.attach(student.model, Lora(rank=0))
    lora.train_parts(student.model, ["visual_projection", "text_projection"])
    seen = student.vision.encode(inputs_of(student))
    whole, cached = student(**inputs_of(student)), student(features=seen)
    assert torch.equal(whole, cached)
    assert student.said() is student.said()
    first = student.words()
    with torch.no_grad():
        student.model.text_projection.weight.mul_(torch.linspace(0.5, 2, 16)[:, None])
    assert not torch.allclose(student.words(), first)
    assert not student.vision.tower_moves


def test_kept_words_are_exact_also_in_mixed_precision(folders, t6):
    student, mixed = (Student(towers(folders["clip"]), t6) for _ in range(2))
    lora.train_parts(mixed.model, ["text_projection"])
    exact = student.words()
    with torch.autocast("cpu", torch.bfloat16):
        scores = mixed.eval()(**inputs_of(mixed))
        assert torch.equal(mixed.words(), exact)
    assert scores.dtype == torch.float32
    assert torch.equal(mixed.said(), student.said())


def test_towers_stay_in_evaluation_mode(folders, t6):
    student, _ = lora_of(folders["joined"], "joined", t6)
    student.train()
    on = {name for name, module in student.model.named_modules() if module.training}
    assert on
    assert all("lora_dropout" in name for name in on)
    student.eval()
    assert not any(module.training for module in student.model.modules())


def test_the_scale_is_the_models_own_or_the_recipes(folders, t6):
    own = Student(towers(folders["clip"]), t6)
    assert float(own.scale()) == pytest.approx(math.exp(5.5), rel=1e-5)
    assert float(Student(towers(folders["clip"], logit_scale_start=20.0), t6).scale()) == pytest.approx(20)
    with torch.no_grad():
        own.model.logit_scale.add_(1)
    assert float(own.scale()) == pytest.approx(math.exp(5.5), rel=1e-5)
    low = Student(towers(folders["clip"], logit_scale_start=20.0), t6)
    with torch.no_grad():
        low.model.logit_scale.fill_(6)
    assert float(low.scale()) == pytest.approx(100, rel=1e-5)


def test_state_is_what_moves_and_fits_only_the_same_model(folders, t6):
    student, _ = lora_of(folders["clip"], "clip", t6)
    state = {name: value + 1 for name, value in student.state_dict().items()}
    assert state
    assert all("lora_" in name for name in state)
    student.load_state_dict(state)
    assert all(torch.equal(value, state[name]) for name, value in student.state_dict().items())
    with pytest.raises(LinnetError, match="of another model: 2 parameters differ"):
        lora_of(folders["siglip"], "siglip", t6)[0].load_state_dict(
            {k: v for k, v in state.items() if "text_model" in k}
        )


@pytest.mark.parametrize(
    ("name", "side", "target", "message"),
    [
        (
            "clip",
            "vision",
            "qproj",
            "matches no layer of the vision tower; layers that take one: fc1, fc2, k_proj",
        ),
        ("clip", "text", "layer_norm1", "is a LayerNorm, which takes no adapter there,"),
        (
            "open_clip",
            "text",
            "out_proj",
            "takes no adapter there, of the text tower; layers that take one: attn, c_fc",
        ),
    ],
)
def test_targets_that_match_no_layer_list_what_exists(folders, name, side, target, message, t6):
    with pytest.raises(LinnetError, match=message):
        adapted(folders[name], t6, target, sides=(side,))


@pytest.mark.parametrize(("side", "other"), [("vision", "text_model"), ("text", "vision_model")])
def test_a_target_stays_in_its_tower(folders, side, other, t6):
    student, _ = adapted(folders["clip"], t6, "q_proj", sides=(side,))
    assert student.moving()
    assert not any(other in name for name in student.moving())


def test_the_text_side_of_open_clip_is_not_a_part_of_its_image_side(folders, t6):
    student, _ = adapted(folders["open_clip"], t6, "attn", sides=("text",))
    assert all(name.startswith("model.transformer.") for name in student.moving())
    assert student.text.moves
    assert not student.vision.moves


def test_parts_are_named_or_refused(folders, t6):
    student = Student(towers(folders["clip"]), t6)
    lora.attach(student.model, Lora(rank=0))
    lora.train_parts(student.model, ["vision_model.encoder.layers.*.mlp", "text_projection"])
    found = {name.removeprefix("model.") for name in student.moving()}
    ends = {
        f"vision_model.encoder.layers.0.mlp.{fc}.{kind}"
        for fc in ("fc1", "fc2")
        for kind in ("weight", "bias")
    }
    assert found == {"text_projection.weight", *ends}
    with pytest.raises(
        LinnetError, match="'visual_proj' is no part of the model; parts: logit_scale, text_model"
    ):
        lora.train_parts(student.model, ["visual_proj"])


@pytest.mark.parametrize(
    ("vision", "text", "projection", "trainable", "share"),
    [
        ((768, 12, 16), (512, 12, 8), 512, 491_520, 0.0033),
        ((1024, 24, 14), (768, 12, 12), 768, 1_081_344, 0.0025),
    ],
)
def test_the_default_recipe_trains_less_than_half_a_percent(vision, text, projection, trainable, share):
    def sizes(width, layers):
        return {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}

    config = CLIPConfig(
        vision_config={**sizes(*vision[:2]), "patch_size": vision[2], "num_attention_heads": vision[0] // 64},
        text_config={**sizes(*text[:2]), "num_attention_heads": text[2]},
        projection_dim=projection,
    )
    with torch.device("meta"):
        model = CLIPModel(config)
        lora.attach(model, recipe.load("clip-lora").lora)
    found = lora.counts(model)
    assert found["trainable"] == trainable
    assert found["share"] == pytest.approx(share, abs=5e-5)


def test_open_clips_adapters_stay_below_half_a_percent():
    import open_clip

    with torch.device("meta"):
        model = open_clip.create_model("ViT-B-16", pretrained=None, device="meta")
        lora.attach(model, recipe.load("bioclip-lora").lora)
    assert lora.counts(model)["trainable"] == 737_280
    assert lora.counts(model)["share"] < 0.005


def test_memory_grows_with_the_batch_and_what_is_trained(folders, t6):
    student, _ = lora_of(folders["clip"], "clip", t6)
    few = inputs_of(student, IMAGES[:2])
    small, large = (memory.estimate(student, few, size, "fp32") for size in (8, 16))
    assert large["photo_activations"] == 2 * small["photo_activations"] > 0
    assert small["text_activations"] > 0
    assert small["gradients_and_moments"] == 12 * lora.counts(student)["trainable"]
    lora.attach(student.model, Lora(rank=0))
    lora.train_parts(student.model, ["visual_projection"])
    head = memory.estimate(student, few, 8, "fp32")
    assert head["text_activations"] == 0
    assert head["photo_activations"] < small["photo_activations"]
