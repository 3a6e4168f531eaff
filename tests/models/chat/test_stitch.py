"""A stitched chat model is an ordinary folder, scores packed as it does separately, and reads as before."""

import json

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    MobileNetV2ImageProcessorPil,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

from linnet.cli import main
from linnet.errors import LinnetError
from linnet.models.backbone import patch_grid, token_grid
from linnet.models.chat import variants
from linnet.models.chat.forked import score_forked
from linnet.models.chat.load import open_chat
from linnet.models.chat.packed import score_packed
from linnet.models.chat.prompt import build, see
from linnet.models.chat.questions import poser
from linnet.models.chat.separate import score_separate
from linnet.models.chat.tiny_language import save_language
from linnet.models.open import open_scorer
from linnet.models.stitch import stitch, template_of

SQUARE = {"size": {"height": 32, "width": 32}}
WIDE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def scatter(model):
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(std=(1.5 / parameter[0].numel()) ** 0.5)
    return model.eval()


def vit(folder):
    scatter(ViTModel(ViTConfig(**WIDE, image_size=32, patch_size=8))).save_pretrained(folder)
    ViTImageProcessorPil(**SQUARE).save_pretrained(folder)


def mobilenet(folder):
    config = MobileNetV2Config(image_size=64, depth_multiplier=0.25, num_labels=3)
    scatter(MobileNetV2ForImageClassification(config)).save_pretrained(folder)
    size = {"height": 64, "width": 64}
    MobileNetV2ImageProcessorPil(size=size, do_center_crop=False).save_pretrained(folder)


def clip(folder):
    text = {**WIDE, "vocab_size": 50, "max_position_embeddings": 16}
    vision = {**WIDE, "image_size": 32, "patch_size": 8}
    scatter(CLIPModel(CLIPConfig(text_config=text, vision_config=vision))).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )


MAKERS = {
    "vit": (vit, "qwen2", [4, 4]),
    "mobilenet": (mobilenet, "llama", [2, 2]),
    "clip": (clip, "qwen2", [4, 4]),
}


@pytest.fixture(scope="module", params=MAKERS)
def student(request, tmp_path_factory, tokenizer):
    """Folder, report, and the two it was made of."""
    make, kind, grid = MAKERS[request.param]
    home = tmp_path_factory.mktemp(request.param)
    make(home / "vision")
    save_language(home / "language", tokenizer, kind, tie=kind == "qwen2")
    made = stitch(str(home / "vision"), str(home / "language"), home / "student")
    assert made["image_tokens"] == grid
    return home, made


def prompts(chat, bank, pictures, form):
    put = poser(chat, bank, variants.make(bank, "plain", False, "image", None, "x"), form)
    asked = [[one.asked for one in put.questions(0, row)] for row in range(len(pictures))]
    return [build(chat, some, see(chat, image), image) for some, image in zip(asked, pictures, strict=True)]


@pytest.mark.parametrize("form", ["letter", "name"])
def test_packed_equals_separate(student, bank, pictures, form, close):
    chat = open_chat(str(student[0] / "student"), device="cpu")
    made = prompts(chat, bank, pictures, form)
    expected = score_separate(chat, made)
    close(score_packed(chat, made), expected)
    close(score_packed(chat, made, side="left"), expected)
    close(score_forked(chat, made), expected)
    first = [np.concatenate(prompt) for prompt in expected]
    assert min(np.abs(first[0] - first[k]).max() for k in (1, 2)) > 1e-3, "all pictures look alike"


def test_the_folder_says_what_it_is(student, bank):
    scorer = open_scorer(str(student[0] / "student"), device="cpu")
    assert scorer.describe()["family"] == "stitched"
    assert scorer.prepare(bank)["scoring"] == "packed"


def test_both_halves_are_as_they_were(student):
    home, made = student
    chat = open_chat(str(home / "student"), device="cpu")
    assert sum(made["parameters"].values()) == sum(p.numel() for p in chat.model.parameters())
    reader = AutoModelForCausalLM.from_pretrained(home / "language").eval()
    ids = torch.tensor([[5, 9, 20, 33]])
    with torch.no_grad():
        torch.testing.assert_close(chat.model(input_ids=ids).logits, reader(input_ids=ids).logits)


def test_generates_with_a_cache(student, pictures):
    chat = open_chat(str(student[0] / "student"), device="cpu")
    text = chat.processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}],
        tokenize=False,
        add_generation_prompt=True,
    )
    inputs = chat.processor(text=[text], images=[pictures[0]], return_tensors="pt")
    ids = [
        chat.model.generate(**inputs, max_new_tokens=5, do_sample=False, use_cache=c) for c in (True, False)
    ]
    assert torch.equal(*ids)


def test_batch_norm_keeps_its_statistics(student):
    model = open_chat(str(student[0] / "student"), device="cpu").model.train()
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms)
    assert model.model.language_model.training


def test_seed_decides_the_projector_only(tmp_path, student):
    home, _ = student
    for seed in (0, 1):
        stitch(str(home / "vision"), str(home / "language"), tmp_path / str(seed), seed=seed)
    zero, one = (open_chat(str(tmp_path / str(seed)), device="cpu").model.state_dict() for seed in (0, 1))
    first = open_chat(str(home / "student"), device="cpu").model.state_dict()
    assert all(torch.equal(zero[name], first[name]) for name in zero)
    moved = {name for name in zero if not torch.equal(zero[name], one[name])}
    assert moved == {f"model.multi_modal_projector.{k}.weight" for k in (0, 2)}


def test_an_image_token_and_a_template_where_there_are_none(tmp_path):
    from linnet.models.chat.tiny import train_tokenizer

    plain = train_tokenizer(["a b"])
    vocabulary = json.loads(plain.backend_tokenizer.to_str())
    drop = {"<|image_pad|>", "<image>", "<|im_start|>"}
    vocabulary["added_tokens"] = [t for t in vocabulary["added_tokens"] if t["content"] not in drop]
    vocabulary["model"]["vocab"] = {
        (f"zz{n}" if word in drop else word): n for word, n in vocabulary["model"]["vocab"].items()
    }
    (tmp_path / "tokens.json").write_text(json.dumps(vocabulary))
    bare = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokens.json"), eos_token="<|im_end|>")
    save_language(tmp_path / "language", bare)
    vit(tmp_path / "vision")
    stitch(str(tmp_path / "vision"), str(tmp_path / "language"), tmp_path / "out")
    chat = open_chat(str(tmp_path / "out"), device="cpu")
    assert chat.handles.image_token == len(plain)
    text = chat.processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<image>\nWhat?\nAnswer:\n"


def test_the_language_models_own_template_is_kept(tokenizer):
    class Speaker:
        chat_template = "{{ messages[0]['content'] }}|{{ messages | length }}"

    rendered = template_of(Speaker, "<image>")
    turn = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]
    assert tokenizer.apply_chat_template(turn, chat_template=rendered, tokenize=False) == "a<image>\n|1"


def test_a_head_that_does_more_is_refused(tmp_path, tokenizer, student):
    save_language(tmp_path / "capped", tokenizer, "gemma2")
    with pytest.raises(LinnetError, match=r"does more to its hidden states than a plain head"):
        stitch(str(student[0] / "vision"), str(tmp_path / "capped"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_input(tmp_path, student, capsys):
    home, _ = student
    paths = ["--vision", str(home / "vision"), "--language", str(home / "language")]
    assert main(["stitch", *paths, "--out", str(home / "student")]) == 1
    assert "exists; give a new folder" in capsys.readouterr().err
    assert main(["stitch", *paths[:2], "--language", str(tmp_path / "no"), "--out", str(tmp_path / "o")]) == 1
    with pytest.raises(LinnetError, match="takes input_ids, not pixel values"):
        stitch(str(home / "language"), str(home / "language"), tmp_path / "o")


def test_the_command_prints_json(tmp_path, student, capsys):
    home, made = student
    paths = ["--vision", str(home / "vision"), "--language", str(home / "language")]
    assert main(["stitch", *paths, "--out", str(tmp_path / "o"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**made, "model": str(tmp_path / "o")}


def test_grids_of_tokens():
    class Config:
        model_type, patch_size = "vit", 8

    tokens = torch.arange(1 + 8.0)[None, :, None]
    assert patch_grid(tokens, (16, 32), Config)[0, :, :, 0].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    maps = torch.arange(6.0).view(1, 1, 2, 3)
    assert patch_grid(maps, (64, 96), Config).shape == (1, 2, 3, 1)
    assert token_grid(49, (224, 224), type("Swin", (), {"patch_size": 4})) == (7, 7)
    with pytest.raises(LinnetError, match="no grid"):
        token_grid(11, (32, 32), Config)


def test_a_real_backbone(shared, tmp_path, tokenizer, bank, pictures, close):
    save_language(tmp_path / "language", tokenizer)
    made = stitch(str(shared / "models/imagenet-mobilenet-v2"), str(tmp_path / "language"), tmp_path / "s")
    assert (made["pixels"], made["image_tokens"]) == ([224, 224], [7, 7])
    chat = open_chat(str(tmp_path / "s"), device="cpu")
    asked = prompts(chat, bank, pictures[:2], "letter")
    close(score_packed(chat, asked), score_separate(chat, asked))
