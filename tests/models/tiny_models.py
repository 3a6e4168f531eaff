"""Random models of a few thousand parameters, saved as ordinary folders."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    MobileNetV2ImageProcessorPil,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

SIDE = 32
TEXT = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION = {**TEXT, "image_size": SIDE, "patch_size": 8}


def tokenizer(context: int) -> PreTrainedTokenizerFast:
    """One token per character, between a start and an end token; the end has the highest id."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,'-"
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<unk>", "<s>", *letters, "</s>"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    ends = [("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=context,
    )


def shake(model: torch.nn.Module) -> torch.nn.Module:
    """Seeded weights wide enough that scores differ by tenths of nats between pictures and texts."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        wide = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1 and "embedding" not in name:
            wide *= 1.2 / parameter[0].numel() ** 0.5
        norm = parameter.ndim == 1 and name.endswith("weight")
        parameter.data = torch.ones(parameter.shape) if norm else wide
    model.logit_scale.data.fill_(5.5)
    return model.eval()


def text_sizes(words: PreTrainedTokenizerFast) -> dict[str, int]:
    return {
        **TEXT,
        "vocab_size": len(words),
        "max_position_embeddings": words.model_max_length,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }


def clip(folder: Path, context: int = 77) -> Path:
    words = tokenizer(context)
    text = text_sizes(words)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=VISION, projection_dim=16))
    shake(model).save_pretrained(folder)
    words.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    ).save_pretrained(folder)
    return folder


def siglip(folder: Path, context: int = 64) -> Path:
    words = tokenizer(context)
    config = SiglipConfig(text_config={**text_sizes(words), "projection_size": 32}, vision_config=VISION)
    shake(SiglipModel(config)).save_pretrained(folder)
    words.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def open_clip_model(folder: Path, context: int = 77) -> Path:
    import open_clip

    model_cfg = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": SIDE, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16},
        "text_cfg": {"context_length": context, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    folder.mkdir(parents=True, exist_ok=True)
    model = shake(open_clip.CLIP(**json.loads(json.dumps(model_cfg))))
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    config = {"model_cfg": model_cfg, "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def classifier(folder: Path, class_names: list[str]) -> Path:
    config = MobileNetV2Config(
        image_size=SIDE,
        depth_multiplier=0.1,
        num_labels=len(class_names),
        id2label=dict(enumerate(class_names)),
        label2id={name: index for index, name in enumerate(class_names)},
    )
    torch.manual_seed(0)
    model = MobileNetV2ForImageClassification(config).eval()
    torch.nn.init.normal_(model.classifier.weight, std=2.0)
    model.save_pretrained(folder)
    MobileNetV2ImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, do_center_crop=False, resample=3
    ).save_pretrained(folder)
    return folder


def picture(seed: int, width: int = 40, height: int = 36) -> Image.Image:
    """Coloured blocks of seeded noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)
