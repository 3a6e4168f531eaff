"""A model that vLLM runs in this process: vllm:MODEL, a folder or a hub id."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from linnet.bank.bank import Bank
from linnet.errors import LinnetError, need
from linnet.models import files
from linnet.models.api import questions
from linnet.models.api.answers import Reading, gather
from linnet.models.api.form import TEST
from linnet.models.api.photo import Encoder
from linnet.models.api.questions import Asker, Question, Wording, family_of
from linnet.models.base import Scored, State
from linnet.models.parsers import LETTERS


def matches(folder: Path) -> bool:
    """Every chat model that vLLM runs is also a `vlm` or `text` model, so vLLM has to be asked for."""
    return False


def open(
    model: str,
    revision: str | None = None,
    trust_remote_code: bool = False,
    dtype: str = "auto",
    template: str = "plain",
    modality: str = "image",
    family: str | None = None,
    subject: str | None = None,
    rotations: bool = False,
    max_side: int | None = None,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    max_model_len: int | None = None,
    tensor_parallel: int = 1,
    gpu_memory: float = 0.9,
) -> VllmScorer:
    """The scorer of a model in vLLM; needs the extra 'vllm' and what vLLM itself needs.

    trust_remote_code: run Python files of the model's own, which then count in its revision. template,
    modality, family, subject, rotations: as in `questions.Wording`. max_side: longest side of a photo in
    pixels; min_pixels, max_pixels: of the model's image processor. max_model_len: tokens of the longest
    prompt. gpu_memory: fraction that vLLM may take. Raises LinnetError where the letters are not single
    tokens of the model.
    """
    vllm = need("vllm", "vllm")
    folder = files.resolve(model, revision, bool(trust_remote_code))
    folder.need_safetensors()
    wording = Wording(template, modality, family or family_of(folder.name), subject, bool(rotations))
    asked = {"min_pixels": min_pixels, "max_pixels": max_pixels}
    pixels = {name: value for name, value in asked.items() if value is not None}
    photos = {"limit_mm_per_prompt": {"image": 1}, "mm_processor_kwargs": pixels or None}
    llm = vllm.LLM(
        model=str(folder.path),
        trust_remote_code=bool(trust_remote_code),
        load_format="safetensors",
        dtype=dtype,
        seed=0,
        max_model_len=max_model_len,
        tensor_parallel_size=tensor_parallel,
        gpu_memory_utilization=gpu_memory,
        enable_prefix_caching=True,
        max_logprobs=len(LETTERS),
        logprobs_mode="processed_logprobs",  # after allowed_token_ids: no letter can fall off the list
        **(photos if modality == "image" else {}),
    )
    letters = letter_ids(llm.get_tokenizer(), folder.name)
    shown = {"dtype": dtype, "max_side": max_side, "max_model_len": max_model_len, **pixels}
    encode = Encoder(max_side=max_side)
    return VllmScorer(vllm, llm, folder, letters, wording, encode, shown)


def letter_ids(tokenizer: Any, model: str) -> list[int]:
    """(26,) token ids of the letters where an answer begins; raises LinnetError if one is no single token."""
    chat = [{"role": "user", "content": TEST}]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    before = tokenizer.encode(prompt, add_special_tokens=False)
    found = []
    for letter in LETTERS:
        whole = tokenizer.encode(prompt + letter, add_special_tokens=False)
        if len(whole) != len(before) + 1 or whole[:-1] != before:
            raise LinnetError(
                f"letter '{letter}' is not a single token where an answer of '{model}' begins, so it "
                "cannot be scored by letters; serve the model and use the kind api with option protocol=text"
            )
        found.append(whole[-1])
    return found


@dataclass
class VllmScorer:
    """A model in vLLM. letters: (26,) token ids. settings: what else changes the scores."""

    vllm: Any
    llm: Any
    folder: files.ModelFolder
    letters: list[int]
    wording: Wording
    encode: Encoder
    settings: dict[str, Any]
    asker: Asker | None = None
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def needs_image(self) -> bool:
        """Whether questions come with a photo."""
        return self.wording.modality == "image"

    def describe(self) -> dict[str, Any]:
        """Model, revision, template and settings."""
        return {
            "kind": "vllm",
            "model": self.folder.name,
            "revision": self.folder.revision,
            "protocol": "letter",
            "letters": self.letters,
            **asdict(self.wording),
            **self.settings,
        }

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Take the bank's template; raises LinnetError where it has no such template."""
        self.asker = questions.asker(bank, self.wording)
        return self.asker.report()

    def load(self, image: Image.Image) -> Image.Image:
        """The photo as vLLM takes it."""
        return self.encode.shrink(image)

    def score(self, items: list[Image.Image | None], rows: np.ndarray) -> Scored:
        """Letter log-probabilities of all questions of the rows, in one call sorted by image."""
        assert self.asker is not None, "prepare a bank first"
        asked = list(self.asker.questions(rows))
        chats = [self.asker.messages(question, _part(items[question.at])) for question in asked]
        sampling = [self._sampling(len(question.names)) for question in asked]
        outputs = self._chat(chats, sampling)
        readings = [self._read(*pair) for pair in zip(asked, outputs, strict=True)]
        return gather(self.asker, rows, asked, readings)

    def _sampling(self, n_options: int) -> Any:
        return self.vllm.SamplingParams(
            max_tokens=1, temperature=0.0, logprobs=n_options, allowed_token_ids=self.letters[:n_options]
        )

    def _chat(self, chats: list[Any], sampling: list[Any]) -> list[Any]:
        if not chats:
            return []
        try:
            return self.llm.chat(chats, sampling, use_tqdm=False)
        except ValueError as error:
            raise LinnetError(
                f"vLLM refuses a question to '{self.folder.name}' ({error}); if the prompt is too long, give "
                "a smaller max_side or max_pixels, or a larger max_model_len"
            ) from error

    def _read(self, question: Question, output: Any) -> Reading:
        given = output.outputs[0]
        self.counts.update(prompt_tokens=len(output.prompt_token_ids))
        self.counts.update(cached_prompt_tokens=output.num_cached_tokens or 0)
        values = self._values(question, given.logprobs[0])
        with np.errstate(invalid="ignore"):
            values = values - np.logaddexp.reduce(values)
        return Reading(given.text, values, State.INVALID if np.isnan(values).any() else State.SCORED)

    def _values(self, question: Question, listed: dict[int, Any]) -> np.ndarray:
        wanted = self.letters[: len(question.names)]
        if absent := [LETTERS[k] for k, token in enumerate(wanted) if token not in listed]:
            raise LinnetError(
                f"vLLM {self.vllm.__version__} gives no log-probability for letter {', '.join(absent)} of "
                f"'{self.folder.name}', and none is guessed; use vLLM 0.10 or later, or the model kind 'vlm'"
            )
        return np.array([listed[token].logprob for token in wanted], np.float64)

    def report(self) -> dict[str, Any]:
        """Prompt tokens since the start, how many of them the prefix cache gave, and how much the wordings
        disagree."""
        return {**self.counts, **(self.asker.tally.report() if self.asker else {})}


def _part(image: Image.Image | None) -> dict[str, Any] | None:
    return None if image is None else {"type": "image_pil", "image_pil": image}
