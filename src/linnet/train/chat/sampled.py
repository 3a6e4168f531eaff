"""Reinforcement fine-tuning by sampled answers: TRL's GRPO, with a sampler that is the recipe's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import GenerationConfig, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from linnet.errors import LinnetError
from linnet.models.chat.dialogue import conversation
from linnet.models.chat.load import Chat
from linnet.models.chat.prompt import tokenize
from linnet.train.chat.lessons import Lessons
from linnet.train.chat.recipe import RftRecipe
from linnet.train.chat.setup import Setup
from linnet.train.chat.trainer import Measured, steps_of
from linnet.train.photos import Unreadable
from linnet.train.rewards import Question, Reward


def check(recipe: RftRecipe, reward: Reward) -> None:
    """Raise LinnetError for what answers drawn one by one cannot give."""
    if reward.whole_path:
        raise LinnetError(
            f"rft.reward={reward.name} needs the answers to all questions of an image, and sampled answers "
            "come one question at a time; set rft.objective=expected, or another reward"
        )
    if recipe.lora.rank and recipe.train.parts and recipe.rft.beta:
        raise LinnetError(
            "train.parts beside adapters leaves no reference policy for rft.objective=sampled; set "
            "rft.beta=0, lora.rank=0, or train.parts=[]"
        )


def arguments(recipe: RftRecipe) -> dict[str, Any]:
    """TRL's own settings; a batch counts answers there, so it is `group` times the recipe's.

    The loss is the published one: the mean over each answer's tokens, then over answers, one update per draw.
    """
    rft, train = recipe.rft, recipe.train
    return {
        "kind": GRPOConfig,
        "per_device_train_batch_size": train.batch_size * (rft.group or 1),
        "per_device_eval_batch_size": rft.group,
        "num_generations": rft.group,
        "beta": rft.beta,
        "scale_rewards": rft.scale,
        "loss_type": "grpo",
        "temperature": rft.temperature,
        "top_p": rft.top_p,
        "top_k": rft.top_k,
        "repetition_penalty": 1.0,
        "max_completion_length": rft.max_answer_tokens,
        "shuffle_dataset": True,
        "label_names": None,
        "ddp_find_unused_parameters": None,
    }


def run(setup: Setup, out: Path, last: Path | None) -> dict[str, int]:
    """Train by TRL's trainer; the model keeps its own generation defaults."""
    args: Any = setup.arguments
    chat = setup.chat
    if args.max_completion_length is None:
        args.max_completion_length = longest_answer(chat, setup.lessons)
    with own_sampler(chat):
        trainer = SampledTrainer(setup, Unreadable(out / "unreadable.csv"))
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if (peft := setup.policy.peft.model) is not None and "ref" in peft.peft_config:
        peft.delete_adapter("ref")
    return steps_of(trainer)


@contextmanager
def own_sampler(chat: Chat) -> Iterator[None]:
    """Sets generation defaults of the checkpoint aside: they would fill whatever a sampler leaves unset.

    Prompts are padded on the left meanwhile, where TRL expects it and a processor by itself may not do it.
    """
    kept, side = chat.model.generation_config, chat.tokenizer.padding_side
    ends = {"pad_token_id": chat.tokenizer.pad_token_id, "eos_token_id": chat.tokenizer.eos_token_id}
    chat.model.generation_config, chat.tokenizer.padding_side = GenerationConfig(**ends), "left"
    try:
        yield
    finally:
        chat.model.generation_config, chat.tokenizer.padding_side = kept, side


def longest_answer(chat: Chat, lessons: Lessons) -> int:
    """Tokens of the longest reply with its end."""
    if lessons.poser.letter_ids:
        return 2
    names = [lessons.bank.shown_name(taxon) for taxon in range(len(lessons.bank.taxonomy))]
    return 1 + max(len(ids) for ids in tokenize(chat, names))


class SampledTrainer(Measured, GRPOTrainer):
    """TRL's GRPO on the questions of lessons, one question a prompt."""

    def __init__(self, setup: Setup, unreadable: Unreadable) -> None:
        chat, self.policy, self.recipe = setup.chat, setup.policy, setup.recipe
        self.val, self.unreadable = setup.sets.val, unreadable
        rollouts = Rollouts(setup.lessons, unreadable)
        rewards: list[Any] = [rollouts.reward]
        args: Any = setup.arguments
        super().__init__(
            model=chat.model if setup.policy.peft.model is None else setup.policy.peft.model,
            reward_funcs=rewards,
            args=args,
            train_dataset=rollouts.dataset(),
            eval_dataset=None if self.val is None else rollouts.dataset(),
            processing_class=chat.processor or chat.tokenizer,
            callbacks=[Epoch(setup.lessons)],
        )


class Epoch(TrainerCallback):
    """Tells the lessons which epoch it is."""

    def __init__(self, lessons: Lessons) -> None:
        self.lessons = lessons

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.lessons.set_epoch(int(state.epoch or 0))


class Rollouts:
    """The questions of lessons as prompts of TRL, and the reward of what is said to them."""

    def __init__(self, lessons: Lessons, unreadable: Unreadable) -> None:
        self.lessons, self.unreadable = lessons, unreadable

    def dataset(self) -> Dataset:
        """A row per question of a sample, filled in when it is looked at."""
        rows = [(row, k) for row in range(len(self.lessons)) for k in range(len(self.lessons.drawn(row)))]
        table = Dataset.from_dict({"row": [row for row, _ in rows], "place": [k for _, k in rows]})
        return table.with_transform(self._filled)

    def _filled(self, rows: dict[str, list[int]]) -> dict[str, list[Any]]:
        pairs = [self.prompt(row, k) for row, k in zip(rows["row"], rows["place"], strict=True)]
        return {"prompt": [prompt for prompt, _ in pairs], "question": [question for _, question in pairs]}

    def prompt(self, row: int, place: int) -> tuple[Any, Question | None]:
        """A question as a conversation (as text, for a model without eyes); no question for a lost photo."""
        lessons, level = self.lessons, self.lessons.drawn(row)[place]
        picture, readable = lessons.picture(row)
        if not readable:
            self.unreadable.note(lessons.bank, [row])
        poser, template = lessons.poser, lessons.poser.variants[0].template
        order = lessons.order(row, level)
        asked = poser.ask(row, level, template, order)
        question = lessons.question(row, level, order, asked) if readable else None
        if picture is None:
            return asked.text, question
        names = [lessons.bank.option_names(row, level)[k] for k in order]
        text = template.after_image(lessons.bank, row, poser.user_text(row, level, template, order, names))
        return [_with(turn, picture) for turn in conversation(template, text, True)], question

    def reward(self, completions: list[Any], question: list[Question | None], **_: Any) -> list[float]:
        """What each answer earns; nothing for a photo that could not be read."""
        said = [one if isinstance(one, str) else one[0]["content"] for one in completions]
        return [
            0.0 if about is None or self.lessons.reward is None else self.lessons.reward.of(text, about)
            for text, about in zip(said, question, strict=True)
        ]


def _with(turn: dict[str, Any], picture: Any) -> dict[str, Any]:
    """A turn of a conversation with the picture in its place."""
    parts = [part | {"image": picture} if part["type"] == "image" else part for part in turn["content"]]
    return {**turn, "content": parts}
