"""A policy with the projectors that align its states to a teacher, in one forward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from linnet.train.align import Aligner, AlignSettings, released
from linnet.train.chat.batch import Batch
from linnet.train.chat.policy import Policy, Said, Want
from linnet.train.chat.tara_recipe import Align
from linnet.train.chat.teaching import Teaching
from linnet.train.moving import Moving

PLACES = {"first_answer": "answer", "last_question": "question", "mean_answer": "whole"}


def aligner_of(policy: Policy, align: Align, teaching: Teaching, seed: int) -> Aligner:
    """Projectors of the sizes that the language model and the teacher have."""
    handles = policy.chat.handles
    settings: AlignSettings = align
    if align.mode == "released":
        settings = released(len(handles.blocks), handles.family)
    return Aligner(
        settings,
        int(handles.config.hidden_size),
        len(handles.blocks),
        None if teaching.seen is None else teaching.seen.width,
        None if teaching.words is None else teaching.words.shape[1],
        seed,
    ).to(policy.chat.device)


class Aligned(Moving):
    """What is trained: the policy and the projectors. Its forward gives what is said and both losses.

    answers: as in `Align`. The states are those of the very forward that gives the log-probabilities.
    """

    def __init__(self, policy: Policy, aligner: Aligner, teaching: Teaching, answers: str) -> None:
        super().__init__()
        self.policy, self.aligner, self.answers = policy, aligner, answers
        self.teaching = teaching
        self.place = PLACES[aligner.settings.answer]
        label = {self.place: (aligner.label_layer,)} if "label" in aligner.heads else {}
        image = (aligner.visual_layer,) if "visual" in aligner.heads else ()
        self.want = Want(image=image, **label)

    def forward(self, batch: Batch, align: bool = True) -> tuple[Said, dict[str, Tensor]]:
        """What the policy says, and the losses `visual` and `label` as far as they are trained."""
        said = self.policy(batch, self.want if align else None)
        losses = {}
        if align and "visual" in self.aligner.heads:
            losses["visual"] = self.visual(said, batch)
        if align and "label" in self.aligner.heads:
            losses["label"] = self.label(said, batch)
        return said, losses

    def visual(self, said: Said, batch: Batch) -> Tensor:
        """L_V of a batch."""
        states = said.states.image[self.aligner.visual_layer]
        grids: Any = batch.grids
        return self.aligner.visual_loss(states, grids, self.teaching.patches(batch))

    def label(self, said: Said, batch: Batch) -> Tensor:
        """L_C of a batch."""
        states = getattr(said.states, self.place)[self.aligner.label_layer]
        taken, weight = self._taken(said, batch)
        own = self.answers == "own"
        targets = self.teaching.offered(batch) if own else self.teaching.asked(batch)[:, :, None]
        targets = targets.expand(*states.shape[:3], -1).to(states.device)
        return self.aligner.label_loss(states[taken], targets[taken], weight[taken])

    def _taken(self, said: Said, batch: Batch) -> tuple[Tensor, Tensor]:
        """(b, L, O) which answers' states are read, and how much each counts."""
        asked = said.offered & (batch.answer >= 0)[..., None]
        if self.answers == "gold":
            gold = batch.answer[..., None] == torch.arange(asked.shape[2], device=asked.device)
            return asked & gold, torch.ones_like(said.logprob)
        if self.answers == "own":
            return asked, torch.ones_like(said.logprob)
        shown = torch.where(asked, said.logprob.detach(), -torch.inf)
        return asked, torch.nan_to_num(shown.softmax(dim=2))

    def gradient_checkpointing_enable(self, *_: Any, **options: Any) -> None:
        """As of the policy: states that are read stay what they were."""
        self.policy.gradient_checkpointing_enable()

    def train(self, mode: bool = True) -> Aligned:
        """Training mode of the policy; projectors have no other."""
        self.training = mode
        self.policy.train(mode)
        return self
