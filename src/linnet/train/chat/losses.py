"""Supervised cross-entropy on right answers, and expected reward over all answers in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.train.chat.batch import Batch
from linnet.train.chat.groups import advantages
from linnet.train.chat.policy import Said
from linnet.train.chat.recipe import Rft

Parts = dict[str, Tensor]


def supervised(said: Said, batch: Batch, per: str = "token") -> tuple[Tensor, Parts]:
    """Cross-entropy of the right answers, their mean over tokens or over questions; 0 if there is none."""
    gold = batch.answer.clamp(min=0)[..., None]
    asked = batch.answer >= 0
    logprob = said.logprob.gather(2, gold)[..., 0][asked]
    tokens = said.tokens.gather(2, gold)[..., 0][asked]
    if not len(logprob):
        return nothing(said), {"gold_prob": said.logprob.new_zeros(())}
    total = -logprob.sum()
    return total / (tokens.sum() if per == "token" else len(tokens)), {
        "gold_prob": logprob.detach().exp().mean()
    }


def nothing(said: Said) -> Tensor:
    """A zero that gradients reach, for a batch without a readable photo."""
    return torch.where(said.offered, said.logprob, 0.0).sum() * 0.0


@dataclass(frozen=True)
class Expected:
    """The expected objective of reinforcement fine-tuning, and its gradient without rollouts.

    The answers are finitely many, so the policy gradient sum_o p(o) A(o) grad log p(o) is computed as it is.
    settings: of a recipe. whole_path: an answer earns its reward only as far as all other questions of the
    image, answered independently, are right. Source of the objective: GRPO (arXiv 2402.03300) with the
    short-answer rewards of No-Thinking RFT (Li et al. 2025, arXiv 2503.16188).
    """

    settings: Rft
    whole_path: bool = False

    def __call__(self, said: Said, batch: Batch, reference: Tensor | None = None) -> tuple[Tensor, Parts]:
        """Loss: minus the expected advantage, plus beta times KL(policy || reference), mean over questions.

        reference: (b, L, O) log-probabilities of the reference policy, None without a KL term.
        """
        asked = batch.answer >= 0
        if not bool(asked.any()):
            zero = said.logprob.new_zeros(())
            names = ("reward", "reward_std", *(["kl"] if reference is not None else []))
            return nothing(said), dict.fromkeys(names, zero)
        logprob = self.distribution(said.logprob[asked])
        p = logprob.exp()
        earned = self._earned(p, batch, asked)
        score = advantages(p, earned, self.settings.group) if self.settings.scale == "group" else earned
        loss = -(p * score.detach()).sum(1).mean()
        reward = (p * earned).sum(1)
        spread = (p * (earned - reward[:, None]) ** 2).sum(1).sqrt()
        parts = {"reward": reward.detach().mean(), "reward_std": spread.detach().mean()}
        if reference is not None:
            kl = divergence(logprob, self.distribution(reference[asked])).mean()
            loss, parts["kl"] = loss + self.settings.beta * kl, kl.detach()
        return loss, parts

    def distribution(self, logprob: Tensor) -> Tensor:
        """(q, K) log-probabilities that sum to 1: over the options, or over them and all other texts."""
        if self.settings.over == "options":
            return logprob.log_softmax(dim=1)
        rest = (1 - logprob.exp().sum(dim=1, keepdim=True)).clamp(min=1e-7)
        return torch.cat([logprob, rest.log()], dim=1)

    def _earned(self, p: Tensor, batch: Batch, asked: Tensor) -> Tensor:
        """(q, K) reward of each answer; other texts earn nothing."""
        earned = batch.reward[asked]
        if self.whole_path:
            right = p.detach().gather(1, batch.answer[asked][:, None])[:, 0]
            earned = earned * others(right, asked)[:, None]
        missing = p.shape[1] - earned.shape[1]
        return torch.nn.functional.pad(earned, (0, missing))


def others(right: Tensor, asked: Tensor) -> Tensor:
    """(q,) for each question the chance that all other questions of its sample are right.

    right: (q,) chance that each is; asked: (b, L) bool, which q of the questions these are, in order.
    """
    table = torch.ones(asked.shape, dtype=right.dtype, device=right.device)
    table[asked] = right
    n = table.shape[1]
    spread = (
        table[:, None, :]
        .expand(-1, n, -1)
        .masked_fill(torch.eye(n, dtype=torch.bool, device=table.device), 1)
    )
    return spread.prod(dim=2)[asked]


def divergence(logprob: Tensor, reference: Tensor) -> Tensor:
    """(q,) KL divergence from reference log-probabilities, both (q, K); impossible answers count nothing."""
    real = (logprob > -torch.inf) & (reference > -torch.inf)
    gap = torch.where(real, logprob - reference, 0.0)
    return (logprob.exp() * gap).sum(dim=1)
