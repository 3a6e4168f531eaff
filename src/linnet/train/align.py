"""TARA's alignment: states of a chat model are drawn towards what a teacher makes of photo and label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from linnet.errors import LinnetError
from linnet.models.chat.capture import NORMED
from linnet.models.chat.grids import ImageGrid
from linnet.train import projectors
from linnet.train.resize import pair

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class AlignSettings:
    """What is aligned and how; the defaults are the method as the paper states it.

    visual, label: weights of L_V and L_C, whose weighted mean is the loss; at 0 one is left out.
    visual_layer, label_layer: blocks counted from 1, by default the middle one and the last. final_norm:
    the last block's states are taken behind the final norm. tokens: 'all' image tokens or only the 'last'.
    answer: which states L_C takes. match: as in `resize.pair`. form: 'cosine', or 'relational', by which
    the cosines among states are drawn towards those among targets (ours). hidden, precision: of the
    projectors. gradient: whether the losses reach the chat model; without, only projectors learn.
    padding_counts: images with fewer tokens than the longest of their batch count less.
    """

    visual: float = 0.5
    label: float = 0.5
    visual_layer: int | None = None
    label_layer: int | None = None
    final_norm: bool = True
    tokens: Literal["all", "last"] = "all"
    answer: Literal["first_answer", "last_question", "mean_answer"] = "first_answer"
    match: Literal["bilinear", "area", "linspace"] = "bilinear"
    form: Literal["cosine", "relational"] = "cosine"
    hidden: int = 1024
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient: bool = True
    padding_counts: bool = False


def released(n_layers: int, family: str) -> AlignSettings:
    """What the code released with TARA does: states without gradient, tokens paired by rank, bfloat16 heads.

    Its last state is normed in Qwen2.5-VL and not in Qwen3-VL. The teacher's `view: released` belongs to it.
    """
    return AlignSettings(
        visual_layer=(n_layers + 1) // 2,
        final_norm=family != "qwen3_vl",
        match="linspace",
        precision="bfloat16",
        gradient=False,
        padding_counts=True,
    )


class Aligner(nn.Module):
    """The projectors and the two losses; while `reaches` is off they teach the projectors alone.

    width, n_layers: of the language model's states and blocks; patch_width, word_width: of the teacher's
    patches and taxa, None for a loss that is left out. Source: TARA, eq. 1-3 (arXiv 2603.00431), plus the
    constant that makes cosines distances.
    """

    def __init__(
        self,
        settings: AlignSettings,
        width: int,
        n_layers: int,
        patch_width: int | None = None,
        word_width: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.settings, self.n_layers, self.reaches = settings, n_layers, settings.gradient
        wanted = {"visual": (settings.visual, patch_width), "label": (settings.label, word_width)}
        outs = {name: out for name, (weight, out) in wanted.items() if weight and out}
        if not outs:
            raise LinnetError("nothing is aligned: give visual or label a weight, and a teacher that has it")
        self.widths = {name: [width, out] for name, out in outs.items()}
        self.heads = projectors.make(width, settings.hidden, outs, seed, DTYPES[settings.precision])

    # ---- layers ----

    @property
    def visual_layer(self) -> int:
        """The block whose image states L_V takes."""
        chosen = self.settings.visual_layer
        return max(1, round(self.n_layers / 2)) if chosen is None else chosen

    @property
    def label_layer(self) -> int:
        """The layer whose answer states L_C takes, NORMED for the last one normed."""
        chosen = self.settings.label_layer or self.n_layers
        return NORMED if chosen == self.n_layers and self.settings.final_norm else chosen

    @property
    def layers(self) -> list[int]:
        """What `capture` must read."""
        where: dict[str, int] = {"visual": self.visual_layer, "label": self.label_layer}
        return [layer for name, layer in where.items() if name in self.heads]

    # ---- losses ----

    def visual_loss(
        self, states: Sequence[Tensor], grids: Sequence[ImageGrid], teacher: Sequence[Tensor | None]
    ) -> Tensor:
        """L_V: mean over images of the mean over their tokens of 1 - cosine, 0-dim float32.

        states: per image the (n, d) states of its tokens; teacher: per image (g, g', e), None where the
        teacher has nothing, as for a photo it cannot read; such images do not count.
        """
        samples = zip(states, grids, teacher, strict=True)
        pairs = [self._pair(state, grid, target) for state, grid, target in samples if target is not None]
        if not pairs:
            return _nothing(self.heads["visual"])
        made = self.heads["visual"](torch.cat([self._grad(one) for one, _ in pairs]))
        parts = made.split([len(one) for one, _ in pairs])
        found = [
            self._image(part, target.to(part.device)) for part, (_, target) in zip(parts, pairs, strict=True)
        ]
        if self.settings.padding_counts:
            most = max(len(part) for part in parts)
            found = [1 - (1 - loss) * len(part) / most for loss, part in zip(found, parts, strict=True)]
        return torch.stack(found).mean()

    def _pair(self, states: Tensor, grid: ImageGrid, teacher: Tensor) -> tuple[Tensor, Tensor]:
        if self.settings.tokens == "last":
            return states[-1:], teacher.flatten(0, 1).mean(dim=0, keepdim=True)
        return pair(states, grid, teacher, self.settings.match)

    def _image(self, made: Tensor, target: Tensor) -> Tensor:
        return (
            relational(made, target) if self.settings.form == "relational" else distance(made, target).mean()
        )

    def label_loss(self, states: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """L_C: mean over answers of 1 - cosine, 0-dim float32.

        states: (e, d) of `answer_states`; targets: (e, f) the asked taxa's vectors, rows of zeros for taxa
        that the teacher does not know; those do not count. weight: (e,) how much each answer counts, all
        alike by default; the relational form knows no weights.
        """
        targets = targets.to(states.device)
        known = (targets != 0).any(dim=1)
        if not known.any():
            return _nothing(self.heads["label"])
        made, target = self.heads["label"](self._grad(states[known])), targets[known]
        if weight is None or self.settings.form == "relational":
            return self._image(made, target)
        counts = weight[known].float()
        return (distance(made, target) * counts).sum() / counts.sum().clamp(min=1e-12)

    def answer_states(
        self, states: Tensor, rows: Tensor, places: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        """(e, d) the states that L_C takes.

        states: (b, t, d); rows, places: (e,) where the first token of each answer stands in the input: the
        token must be fed, also where it is the only one; lengths: (e,) tokens fed of each answer, for
        mean_answer.
        """
        if self.settings.answer == "last_question":
            return states[rows, places - 1]
        if self.settings.answer == "first_answer":
            return states[rows, places]
        if lengths is None:
            raise LinnetError("answer: mean_answer needs the lengths of the answers")
        spans = zip(rows.tolist(), places.tolist(), lengths.tolist(), strict=True)
        return torch.stack([states[row, start : start + many].mean(dim=0) for row, start, many in spans])

    def total(self, visual: Tensor | None, label: Tensor | None) -> Tensor:
        """Weighted mean of the losses there are."""
        weights = {"visual": self.settings.visual, "label": self.settings.label}
        there = {name: loss for name, loss in (("visual", visual), ("label", label)) if loss is not None}
        both = [weights[name] * loss for name, loss in there.items()]
        return torch.stack(both).sum() / sum(weights[name] for name in there)

    def _grad(self, states: Tensor) -> Tensor:
        return states if self.reaches else states.detach()

    # ---- files ----

    def about(self) -> dict[str, Any]:
        """What saved projectors belong to."""
        return {**asdict(self.settings), "n_layers": self.n_layers, "widths": self.widths}

    def save(self, folder: Path) -> None:
        """Write the projectors beside a model."""
        projectors.save(self.heads, folder, self.about())

    def load(self, folder: Path) -> None:
        """Read them again; raises LinnetError if they belong to other settings."""
        projectors.load(self.heads, folder, self.about())


def distance(made: Tensor, target: Tensor) -> Tensor:
    """(...,) float32: 1 - cosine over the last axis."""
    return 1 - (normalize(made.float(), dim=-1) * normalize(target.float(), dim=-1)).sum(dim=-1)


def relational(made: Tensor, target: Tensor) -> Tensor:
    """0-dim float32: mean squared difference between the cosines among n vectors and among n targets."""
    one, other = normalize(made.float(), dim=-1), normalize(target.float(), dim=-1)
    with torch.autocast(made.device.type, enabled=False):
        return (one @ one.T - other @ other.T).square().mean()


def _nothing(head: nn.Module) -> Tensor:
    """Zero, with a gradient of zero."""
    return torch.stack([parameter.float().sum() for parameter in head.parameters()]).sum() * 0
