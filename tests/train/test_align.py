"""The alignment losses equal their slow twins, and their gradient reaches what it should and nothing else."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slow_align
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from PIL import Image
from torch.nn.functional import interpolate

from linnet.errors import LinnetError
from linnet.models.chat.capture import NORMED, capture, image_states
from linnet.models.chat.grids import ImageGrid, Part, grid_of
from linnet.models.chat.images import collate
from linnet.models.chat.load import open_chat
from linnet.models.chat.prompt import see
from linnet.models.chat.tiny import save_tiny
from linnet.train.align import Aligner, AlignSettings, distance, released
from linnet.train.resize import pair, resized, weights

sys.path.insert(0, str(Path(__file__).parent))
SMALL = AlignSettings(hidden=6)
ONE = ImageGrid((Part(0, 3, 4, 4),), 12)
LINES = ImageGrid((Part(0, 2, 2, 2), Part(4, 2, 3, 4)), 12)  # the last token of each row has no place
TILES = ImageGrid((Part(0, 2, 2, 2, (0, 0, 1, 0.5)), Part(4, 2, 2, 2, (0, 0.5, 1, 1)), Part(8, 2, 2, 2)), 12)
GRIDS = {"one": ONE, "lines": LINES, "tiles": TILES}
LAYERS, LAYER = 3, 2


def numbers(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def aligner(settings=SMALL, width=5, **options):
    return Aligner(settings, width, LAYERS, **{"patch_width": 4, "word_width": 3, **options})


# ---- resizing ----


@pytest.mark.parametrize("shape", [(3, 5), (12, 12), (16, 16), (20, 7), (1, 1)])
def test_bilinear_is_torchs_interpolation(shape):
    teacher = numbers(0, 16, 16, 4)
    grid = ImageGrid((Part(0, *shape, shape[1]),), shape[0] * shape[1])
    made = interpolate(teacher.permute(2, 0, 1)[None], shape, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(resized(teacher, grid), made.flatten(1).T)


def test_area_is_torchs_where_cells_divide():
    teacher = numbers(0, 16, 12, 4)
    grid = ImageGrid((Part(0, 4, 3, 3),), 12)
    made = interpolate(teacher.permute(2, 0, 1)[None], (4, 3), mode="area")[0]
    torch.testing.assert_close(resized(teacher, grid, "area"), made.flatten(1).T)


@pytest.mark.parametrize("match", ["bilinear", "area"])
@pytest.mark.parametrize("name", GRIDS)
def test_resizing_equals_its_twin(name, match):
    teacher = numbers(1, 5, 7, 4)
    slow = [row for part in GRIDS[name].parts for row in slow_align.targets(teacher.tolist(), part, match)]
    torch.testing.assert_close(resized(teacher, GRIDS[name], match), torch.tensor(slow), atol=1e-5, rtol=1e-4)


@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 0.7), st.sampled_from(["bilinear", "area"]))
def test_weights_sum_to_one(n, cells, start, match):
    made = weights(n, cells, start, start + 0.3, match)
    assert made.shape == (n, cells)
    assert (made >= 0).all()
    torch.testing.assert_close(made.sum(dim=1), torch.ones(n), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", GRIDS)
def test_a_ramp_of_coordinates_stays_one(name):
    """A teacher whose features are its own coordinates says at each token where that token is."""
    ramp = (torch.arange(64) + 0.5) / 64
    teacher = torch.stack(torch.meshgrid(ramp, ramp, indexing="ij"), dim=-1)
    centres = torch.cat([part.centres for part in GRIDS[name].parts])
    for match in ("bilinear", "area"):
        torch.testing.assert_close(resized(teacher, GRIDS[name], match), centres, atol=1e-3, rtol=0)


def test_ranks_instead_of_places_lose_the_column():
    """What the released code does: right row, any column (a third of the width off on average)."""
    ramp = (torch.arange(16) + 0.5) / 16
    teacher = torch.stack(torch.meshgrid(ramp, ramp, indexing="ij"), dim=-1)
    grid = ImageGrid((Part(0, 14, 14, 14),), 196)
    states, targets = pair(grid.parts[0].centres, grid, teacher, "linspace")
    assert len(states) == 196
    off = (states - targets).abs().mean(dim=0)
    assert off[0] < 0.04
    assert off[1] > 0.25


def test_bad_pairs():
    with pytest.raises(LinnetError, match="unknown match 'bilinar'"):
        pair(numbers(0, 12, 5), ONE, numbers(1, 4, 4, 2), "bilinar")
    with pytest.raises(LinnetError, match="of two images"):
        pair(numbers(0, 11, 5), ONE, numbers(1, 4, 4, 2))


# ---- losses ----


@pytest.mark.parametrize("form", ["cosine", "relational"])
@pytest.mark.parametrize("match", ["bilinear", "area", "linspace"])
def test_visual_loss_equals_its_twin(match, form):
    made = aligner(replace(SMALL, match=match, form=form))
    grids = [ONE, LINES, TILES, ONE, ImageGrid((Part(0, 1, 5, 5),), 5)]
    states = [numbers(k, grid.count, 5) for k, grid in enumerate(grids)]
    teacher = [None if k == 3 else numbers(10 + k, 3 + k, 3, 4) for k in range(5)]
    lists = [None if one is None else one.tolist() for one in teacher]
    slow = slow_align.visual_loss(
        made.heads["visual"], [state.tolist() for state in states], grids, lists, match, form
    )
    assert float(made.visual_loss(states, grids, teacher).detach()) == pytest.approx(slow, abs=1e-5)


def test_label_loss_equals_its_twin():
    made, states, words = aligner(), numbers(0, 4, 5), numbers(1, 4, 3)
    words[2] = 0
    slow = slow_align.label_loss(made.heads["label"], states.tolist(), words.tolist())
    assert float(made.label_loss(states, words).detach()) == pytest.approx(slow, abs=1e-5)


def test_losses_of_nothing_are_zero_with_a_gradient():
    made = aligner()
    both = [
        made.visual_loss([numbers(0, 12, 5)], [ONE], [None]),
        made.label_loss(numbers(0, 2, 5), torch.zeros(2, 3)),
    ]
    for loss in both:
        loss.backward()
        assert loss == 0
    assert all(p.grad is not None and not p.grad.any() for p in made.parameters())


def test_perfect_and_opposite():
    target = numbers(0, 6, 4)
    torch.testing.assert_close(distance(3 * target, target), torch.zeros(6), atol=1e-6, rtol=0)
    torch.testing.assert_close(distance(-target, target), torch.full((6,), 2.0))


def test_total_is_the_weighted_mean_of_what_is_there():
    made = aligner(replace(SMALL, visual=3.0, label=1.0))
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    assert made.total(one, two) == 1.25
    assert made.total(one, None) == 1
    assert made.total(None, two) == 2


def test_the_last_token_alone():
    made = aligner(replace(SMALL, tokens="last"))
    state, seen = numbers(0, 12, 5), numbers(1, 1, 1, 4)
    expected = distance(made.heads["visual"](state[-1]), seen[0, 0])
    torch.testing.assert_close(made.visual_loss([state], [ONE], [seen]), expected)


def test_released_code_dilutes_shorter_images():
    short = ImageGrid((Part(0, 1, 4, 4),), 4)
    states, teacher = [numbers(0, 12, 5), numbers(1, 4, 5)], [numbers(2, 3, 4, 4), numbers(3, 1, 4, 4)]
    both = {}
    for counts in (False, True):
        made = aligner(replace(SMALL, match="linspace", padding_counts=counts))
        both[counts] = [
            float(made.visual_loss([s], [g], [t]).detach())
            for s, g, t in zip(states, [ONE, short], teacher, strict=True)
        ]
        both[counts].append(float(made.visual_loss(states, [ONE, short], teacher).detach()))
    alone = both[False]
    assert alone[2] == pytest.approx((alone[0] + alone[1]) / 2, abs=1e-6)
    assert both[True][2] == pytest.approx((alone[0] + 1 - (1 - alone[1]) * 4 / 12) / 2, abs=1e-6)


def test_answer_states():
    states = numbers(0, 2, 6, 5)
    rows, places, lengths = torch.tensor([0, 1]), torch.tensor([3, 2]), torch.tensor([1, 3])
    first = aligner().answer_states(states, rows, places)
    torch.testing.assert_close(first, torch.stack([states[0, 3], states[1, 2]]))
    before = aligner(replace(SMALL, answer="last_question")).answer_states(states, rows, places)
    torch.testing.assert_close(before, torch.stack([states[0, 2], states[1, 1]]))
    mean = aligner(replace(SMALL, answer="mean_answer"))
    found = mean.answer_states(states, rows, places, lengths)
    torch.testing.assert_close(found, torch.stack([states[0, 3], states[1, 2:5].mean(dim=0)]))
    with pytest.raises(LinnetError, match="needs the lengths"):
        mean.answer_states(states, rows, places)


# ---- settings ----


def test_layers():
    assert aligner().layers == [2, NORMED]
    assert Aligner(AlignSettings(), 5, 28, 4, 3).layers == [14, NORMED]
    assert Aligner(AlignSettings(), 5, 36, 4, 3).layers == [18, NORMED]
    assert Aligner(AlignSettings(final_norm=False), 5, 28, 4, 3).label_layer == 28
    assert Aligner(AlignSettings(label_layer=14), 5, 28, 4, 3).label_layer == 14
    assert aligner(word_width=None).layers == [2]
    assert aligner(replace(SMALL, visual=0)).layers == [NORMED]
    with pytest.raises(LinnetError, match="nothing is aligned"):
        aligner(replace(SMALL, visual=0), word_width=None)


def test_released_settings():
    assert released(28, "qwen3_vl").visual_layer == 14
    assert released(36, "qwen2_5_vl").visual_layer == 18
    assert not released(28, "qwen3_vl").final_norm
    assert released(36, "qwen2_5_vl").final_norm
    made = aligner(replace(released(LAYERS, "qwen3_vl"), hidden=6))
    assert {p.dtype for p in made.parameters()} == {torch.bfloat16}


def test_projectors_stay_exact_in_mixed_precision():
    made = aligner()
    state, seen = numbers(0, 12, 5), numbers(1, 3, 4, 4)
    exact = made.visual_loss([state.bfloat16()], [ONE], [seen])
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made.visual_loss([state.bfloat16()], [ONE], [seen])
    assert exact.dtype == mixed.dtype == torch.float32
    assert torch.equal(exact, mixed)


def test_published_sizes():
    made = Aligner(AlignSettings(), 2048, 28, patch_width=1024, word_width=768)
    sizes = {name: sum(p.numel() for p in head.parameters()) for name, head in made.heads.items()}
    assert sizes == {"visual": 4_197_376, "label": 3_934_976}


def test_projectors_are_kept_and_belong_to_their_settings(tmp_path):
    one, other = aligner(seed=1), aligner(seed=2)
    assert not torch.equal(one.heads["label"][0].weight, other.heads["label"][0].weight)
    one.save(tmp_path)
    other.load(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with pytest.raises(LinnetError, match="match: bilinear -> area"):
        aligner(replace(SMALL, match="area")).load(tmp_path)
    with pytest.raises(LinnetError, match="holds no projectors"):
        one.load(tmp_path / "nowhere")


# ---- gradient ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny("qwen3_vl", tmp_path_factory.mktemp("chat") / "m", layers=LAYERS, tie=False)


def forward(chat, layers):
    """Two photos of unlike size with a question and an answer, in one forward with a gradient."""
    rng = np.random.default_rng(0)
    sizes = [(64, 64), (48, 32)]
    photos = [Image.fromarray(rng.integers(0, 256, (h, w, 3), np.uint8)) for w, h in sizes]
    seen = [see(chat, photo) for photo in photos]
    rows = [[30, *one.block, 31, 32, 33] for one in seen]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    image = collate([one.inputs for one in seen])
    places = chat.handles.positions(ids, mask, image)
    with capture(chat, layers) as states:
        chat.handles.inner(input_ids=ids, attention_mask=mask, position_ids=places, use_cache=False, **image)
    grids = [grid_of(chat, one, size) for one, size in zip(seen, sizes, strict=True)]
    return ids, states, grids, torch.tensor([len(row) - 1 for row in rows])


def losses(chat, made):
    ids, states, grids, ends = forward(chat, made.layers)
    teacher, words = [numbers(5, 4, 4, 4), numbers(6, 4, 4, 4)], numbers(7, 2, 3)
    seen = image_states(chat, states[made.visual_layer], ids)
    visual = made.visual_loss(seen, grids, teacher)
    answers = made.answer_states(states[made.label_layer], torch.arange(2), ends)
    return visual, made.label_loss(answers, words), teacher, words


def touched(model):
    """Names of parameters with a gradient other than zero."""
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


def blocks_of(names):
    return {
        int(name.split(".layers.")[1].split(".")[0]) for name in names if "language_model.layers." in name
    }


def test_visual_gradient_reaches_up_to_its_layer_and_no_further(folder):
    chat, made = open_chat(str(folder), device="cpu"), aligner(width=32)
    losses(chat, made)[0].backward()
    names = touched(chat.model)
    assert blocks_of(names) == {0, 1}
    assert any("visual.blocks.0" in name for name in names)
    assert any("visual.merger" in name for name in names)
    assert not any("language_model.norm" in name or "lm_head" in name for name in names)
    assert all(p.grad.abs().sum() > 0 for p in made.heads["visual"].parameters())
    assert all(p.grad is None for p in made.heads["label"].parameters())


def test_label_gradient_reaches_every_block(folder):
    chat, made = open_chat(str(folder), device="cpu"), aligner(width=32)
    losses(chat, made)[1].backward()
    names = touched(chat.model)
    assert blocks_of(names) == {0, 1, 2}
    assert any("visual" in name for name in names)
    assert any("language_model.norm" in name for name in names)


def test_targets_have_no_gradient_and_released_code_moves_nothing(folder):
    chat = open_chat(str(folder), device="cpu")
    made = aligner(replace(SMALL, gradient=False), width=32)
    visual, label, teacher, words = losses(chat, made)
    made.total(visual, label).backward()
    assert not touched(chat.model)
    assert all(p.grad.abs().sum() > 0 for p in made.parameters())
    assert not any(one.requires_grad for one in (*teacher, words))


def test_gradient_is_that_of_finite_differences(folder):
    chat, made = open_chat(str(folder), device="cpu"), aligner(width=32).double()
    chat.model.double()
    weight = chat.handles.blocks[1].mlp.down_proj.weight
    loss = made.total(*losses(chat, made)[:2])
    (gradient,) = torch.autograd.grad(loss, [weight])
    step = numbers(3, *weight.shape).double()
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(sign * 1e-3 * step)
            values.append(made.total(*losses(chat, made)[:2]))
            weight.sub_(sign * 1e-3 * step)
    slope = (values[0] - values[1]) / 2e-3
    assert float(slope) == pytest.approx(float((gradient * step).sum()), rel=0.02)


def test_through_peft_adapters_alone_move(folder):
    chat, made = open_chat(str(folder), device="cpu"), aligner(width=32)
    model = get_peft_model(chat.model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD([*trained, *made.parameters()], 1.0)
    made.total(*losses(chat, made)[:2]).backward()
    optimiser.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name in before if "lora_B" in name}  # A follows once B is not zero


def test_a_few_steps_align(folder):
    chat, made = open_chat(str(folder), device="cpu"), aligner(replace(SMALL, hidden=32), width=32)
    optimiser = torch.optim.AdamW([*chat.model.parameters(), *made.parameters()], 3e-3)
    values = []
    for _ in range(12):
        loss = made.total(*losses(chat, made)[:2])
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        values.append(float(loss.detach()))
    assert values[-1] < values[0] - 0.2
