"""A step of the arrangement that TARA released, written plainly: nothing is shared between its forwards."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import CLIPVisionConfig, CLIPVisionModel

from linnet.train import rewards
from linnet.train.chat.recipe import RftRecipe
from linnet.train.chat.sampled import Rollouts, own_sampler
from linnet.train.chat.setup import prepare
from linnet.train.photos import Unreadable

VIT_B16 = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


class Official:
    """Rollouts, policy, reference and teacher each see the photo anew, logits are made of every position.

    The projectors of the released code are left out: they are small, and a gain would only look larger.
    """

    def __init__(self, recipe: RftRecipe, out: Path, device: str, teacher: dict[str, int]) -> None:
        self.recipe, reward = recipe, rewards.load(recipe.rft.reward)
        self.setup = prepare(recipe, out, device, reward)
        self.model: Any = self.setup.chat.model.train()
        self.reference: Any = copy.deepcopy(self.model).requires_grad_(False).eval()
        config = CLIPVisionConfig(**teacher, patch_size=16, image_size=224)
        self.teacher = CLIPVisionModel(config).to(device).eval().requires_grad_(False)
        self.rollouts = Rollouts(self.setup.lessons, Unreadable(out / "unreadable.csv"))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=recipe.train.learning_rate)
        self.rows = iter(self.setup.shown)

    def step(self) -> None:
        """One update: a prompt at a time, as many as are accumulated."""
        for _ in range(self.recipe.train.accumulate):
            (self.loss(next(self.rows)) / self.recipe.train.accumulate).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.train.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def loss(self, row: int) -> Tensor:
        """GRPO's loss of the first question that is drawn of a sample."""
        prompt, question = self.rollouts.prompt(row, 0)
        inputs = self._inputs(prompt)
        said = self._sample(inputs)
        length, group = inputs["input_ids"].shape[1], len(said)
        answers = said[:, length:]
        full = self._copies(inputs, said, group)
        logprob = self._logprob(self.model, full)[:, length - 1 :]
        with torch.no_grad():
            reference = self._logprob(self.reference, full)[:, length - 1 :]
            self.teacher(torch.randn(1, 3, 224, 224, device=said.device))
        texts = self.setup.chat.tokenizer.batch_decode(answers, skip_special_tokens=True)
        earned = torch.tensor(self.rollouts.reward(texts, [question] * group), device=said.device)
        return self._grpo(logprob, reference, earned, self._real(answers))

    def _inputs(self, prompt: Any) -> dict[str, Tensor]:
        made = self.setup.chat.processor.apply_chat_template(
            [prompt], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        return made.to(self.model.device)

    @torch.no_grad()
    def _sample(self, inputs: dict[str, Tensor]) -> Tensor:
        """(G, P + C) prompts with sampled answers.

        The released code had each copy of the photo encoded; transformers 5 would encode it once.
        """
        group = self.recipe.rft.group or 1
        copies = self._copies(inputs, inputs["input_ids"].repeat(group, 1), group)
        most = self.recipe.rft.max_answer_tokens
        with own_sampler(self.setup.chat):
            return self.model.generate(
                **copies, do_sample=True, temperature=1.0, top_k=0, max_new_tokens=most
            )

    def _copies(self, inputs: dict[str, Tensor], said: Tensor, group: int) -> dict[str, Tensor]:
        """The photo as often as there are answers, as it went into every forward."""
        kinds = torch.zeros_like(said)
        kinds[:, : inputs["input_ids"].shape[1]] = inputs["mm_token_type_ids"]
        return {
            "input_ids": said,
            "mm_token_type_ids": kinds,
            "pixel_values": inputs["pixel_values"].repeat(group, 1),
            "image_grid_thw": inputs["image_grid_thw"].repeat(group, 1),
        }

    @staticmethod
    def _logprob(model: Any, full: dict[str, Tensor]) -> Tensor:
        """(G, P + C - 1) log-probability of every token but the first, a row at a time."""
        logits = model(**full, use_cache=False).logits[:, :-1]
        rows = zip(logits, full["input_ids"][:, 1:], strict=True)
        return torch.stack([log_softmax(row, -1).gather(1, ids[:, None])[:, 0] for row, ids in rows])

    def _real(self, answers: Tensor) -> Tensor:
        """(G, C) 1 up to the first end of an answer."""
        ends = answers == self.setup.chat.tokenizer.eos_token_id
        return (ends.long().cumsum(1) - ends.long() == 0).float()

    def _grpo(self, logprob: Tensor, reference: Tensor, earned: Tensor, real: Tensor) -> Tensor:
        """Loss of a group; source: GRPO (arXiv 2402.03300)."""
        score = (earned - earned.mean()) / (earned.std() + 1e-4)
        gap = reference - logprob
        kl = gap.exp() - gap - 1
        ratio = (logprob - logprob.detach()).exp()
        each = real * (self.recipe.rft.beta * kl - ratio * score[:, None])
        return (each.sum(1) / real.sum(1)).mean()
