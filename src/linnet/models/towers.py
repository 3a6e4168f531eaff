"""The two towers of a dual encoder, from transformers or from open_clip, behind one face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import transformers
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from linnet.errors import LinnetError, need
from linnet.models.files import ModelFolder, read_config
from linnet.models.preprocess import Inputs, Preprocess, of_processor, of_transforms

OPEN_CLIP = "open_clip_config.json"


class Towers(Protocol):
    """Image and text features in one space, before they are scaled to unit length.

    scale: what cosines are multiplied by before the softmax (SigLIP's bias cancels there).
    """

    model: Any
    library: str
    backend: str
    scale: float
    device: torch.device
    dtype: torch.dtype
    preprocess: Preprocess

    def image(self, inputs: Inputs) -> torch.Tensor:
        """(b, d) features of model inputs."""
        ...

    def text(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[bool]]:
        """(m, d) features, and for each text whether it was too long and cut off."""
        ...

    def tokens(self, texts: Sequence[str]) -> tuple[Inputs, list[bool]]:
        """The texts as model inputs of m rows each, and which were cut off."""
        ...

    def encode_text(self, tokens: Inputs) -> torch.Tensor:
        """(m, d) features of what `tokens` gives, or of some of its rows."""
        ...


def has_two_towers(folder: Path) -> bool:
    """Whether a folder holds an open_clip model or a transformers model with image and text features."""
    if (folder / OPEN_CLIP).is_file():
        return True
    architectures = read_config(folder / "config.json").get("architectures") or ["none"]
    found = getattr(transformers, architectures[0], None)
    return hasattr(found, "get_image_features") and hasattr(found, "get_text_features")


class TransformersTowers:
    """CLIP, SigLIP, VisionTextDualEncoder and every other model with image and text features."""

    library = "transformers"

    def __init__(
        self, folder: ModelFolder, device: torch.device, dtype: torch.dtype, backend: str, remote: bool
    ) -> None:
        self.model = AutoModel.from_pretrained(
            folder.path, dtype=dtype, use_safetensors=True, trust_remote_code=remote
        )
        self.model.eval().to(device)
        self.device, self.dtype, self.backend = device, dtype, backend
        self.scale = _scale(self.model, folder.name)
        self.tokenizer = AutoTokenizer.from_pretrained(folder.path, trust_remote_code=remote)
        self.preprocess = of_processor(
            AutoImageProcessor.from_pretrained(folder.path, backend=backend, trust_remote_code=remote)
        )
        positions = self.model.config.get_text_config().max_position_embeddings
        self.context = min(int(self.tokenizer.model_max_length), positions)
        self.siglip = "siglip" in self.model.config.model_type

    def image(self, inputs: Inputs) -> torch.Tensor:
        """(b, d) features of model inputs."""
        return _tensor(self.model.get_image_features(**inputs))

    def text(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[bool]]:
        """(m, d) features, and for each text whether it was too long and cut off."""
        tokens, cut = self.tokens(texts)
        return self.encode_text(tokens), cut

    def tokens(self, texts: Sequence[str]) -> tuple[Inputs, list[bool]]:
        """The texts as model inputs of m rows each, and which were cut off."""
        cut = [len(ids) > self.context for ids in self.tokenizer(list(texts), verbose=False)["input_ids"]]
        tokens = self.tokenizer(
            list(texts),
            # SigLIP was trained on texts of full length, whose padding it reads.
            padding="max_length" if self.siglip else True,
            truncation=True,
            max_length=self.context,
            return_tensors="pt",
        ).to(self.device)
        if self.siglip:
            tokens.pop("attention_mask", None)
        return dict(tokens), cut

    def encode_text(self, tokens: Inputs) -> torch.Tensor:
        """(m, d) features of what `tokens` gives, or of some of its rows."""
        return _tensor(self.model.get_text_features(**tokens))


def _scale(model: Any, name: str) -> float:
    if hasattr(model, "logit_scale"):
        return float(model.logit_scale.detach().float().exp())
    if hasattr(model, "temperature"):
        return 1 / float(model.temperature)
    raise LinnetError(
        f"model '{name}' has two towers but no logit scale, so cosines cannot become probabilities"
    )


def _tensor(output: Any) -> torch.Tensor:
    """Features, which transformers 5 returns as the pooled part of a model output."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output


class OpenClipTowers:
    """A model saved by open_clip: BioCLIP, OpenCLIP, SigLIP, CoCa."""

    library = "open_clip_torch"
    backend = "pil"

    def __init__(self, folder: ModelFolder, device: torch.device, dtype: torch.dtype) -> None:
        open_clip = need("open_clip", "clip")
        place = f"local-dir:{folder.path}"
        precision = {torch.float32: "fp32", torch.bfloat16: "pure_bf16", torch.float16: "pure_fp16"}[dtype]
        self.model, _, transform = open_clip.create_model_and_transforms(
            place, device=device, precision=precision
        )
        self.model.eval()
        self.device, self.dtype = device, dtype
        self.scale = float(self.model.logit_scale.detach().float().exp())
        self.tokenizer = open_clip.get_tokenizer(place)
        self.preprocess = of_transforms(transform.transforms)

    def image(self, inputs: Inputs) -> torch.Tensor:
        """(b, d) features of model inputs."""
        return self.model.encode_image(inputs["pixel_values"])

    def text(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[bool]]:
        """(m, d) features, and for each text whether it was too long and cut off."""
        tokens, cut = self.tokens(texts)
        return self.encode_text(tokens), cut

    def tokens(self, texts: Sequence[str]) -> tuple[Inputs, list[bool]]:
        """The texts as model inputs of m rows each, and which were cut off."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        cut = [length > tokens.shape[1] for length in _lengths(self.tokenizer, list(texts))]
        return {"text": tokens}, cut

    def encode_text(self, tokens: Inputs) -> torch.Tensor:
        """(m, d) features of what `tokens` gives, or of some of its rows."""
        return self.model.encode_text(tokens["text"])


def _lengths(tokenizer: Any, texts: list[str]) -> list[int]:
    """Tokens of each text, start and end included, before open_clip cuts them."""
    if hasattr(tokenizer, "tokenizer"):
        return [len(ids) for ids in tokenizer.tokenizer(texts)["input_ids"]]
    return [len(tokenizer.encode(text)) + 2 for text in texts]
