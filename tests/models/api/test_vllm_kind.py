"""The vLLM kind against a stand-in for the package: what it is asked, and how its answers are read."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from linnet.bank.bank import Bank
from linnet.errors import LinnetError, MissingExtraError
from linnet.evaluate import answers, images
from linnet.evaluate.answers import Answers
from linnet.models.base import State
from linnet.models.kinds.vllm import VllmScorer, letter_ids
from linnet.models.open import open_scorer

Answer = Callable[[int, int], float]  # number of the request and of the letter -> log-probability


class Letters:
    """A tokenizer of single characters, with the letters 65 to 90."""

    def apply_chat_template(self, chat: Any, tokenize: bool, add_generation_prompt: bool) -> str:
        assert add_generation_prompt
        assert not tokenize
        return f"<user>{chat[0]['content']}<assistant>"

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(letter) for letter in text]


class Merging(Letters):
    """A tokenizer that joins the letter with what stands before it."""

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        whole = super().encode(text, add_special_tokens)
        return whole if text.endswith(">") else [*whole[:-2], 1000 + whole[-1]]


class FakeLLM:
    made: ClassVar[list["FakeLLM"]] = []

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.calls: list[tuple[list[Any], list[Any]]] = []
        self.answer: Answer = lambda number, letter: -float(letter + number % 3)
        FakeLLM.made.append(self)

    def get_tokenizer(self) -> Letters:
        return Letters()

    def chat(self, chats: list[Any], sampling: list[Any], use_tqdm: bool) -> list[Any]:
        self.calls.append((chats, sampling))
        return [self.output(number, params) for number, params in enumerate(sampling)]

    def output(self, number: int, params: Any) -> Any:
        listed = {
            token: SimpleNamespace(logprob=self.answer(number, k))
            for k, token in enumerate(params.allowed_token_ids)
            if not self.answer(number, k) < -90
        }
        given = SimpleNamespace(text="A", logprobs=[listed])
        return SimpleNamespace(outputs=[given], prompt_token_ids=[1] * 50, num_cached_tokens=20)


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> VllmScorer:
    fake: Any = ModuleType("vllm")
    fake.LLM, fake.SamplingParams, fake.__version__ = FakeLLM, SimpleNamespace, "0.11.0"
    monkeypatch.setitem(sys.modules, "vllm", fake)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["Qwen3VLForConditionalGeneration"]}')
    (folder / "model.safetensors").write_bytes(b"weights")
    made = open_scorer(f"vllm:{folder}", max_side=16, min_pixels=100)
    assert isinstance(made, VllmScorer)
    return made


def scored(scorer: VllmScorer, bank: Bank) -> Answers:
    scorer.prepare(bank)
    rows = np.arange(len(bank))
    photos = [scorer.load(images.open_image(bank, row)) for row in rows]
    return answers.of_scored(bank, rows, scorer.score(photos, rows))


def test_the_engine_is_set_up_for_shared_prefixes_and_exact_letters(scorer: VllmScorer) -> None:
    settings = FakeLLM.made[-1].settings
    assert settings["enable_prefix_caching"] is True
    assert settings["limit_mm_per_prompt"] == {"image": 1}
    assert settings["logprobs_mode"] == "processed_logprobs"
    assert settings["max_logprobs"] >= 26
    assert settings["load_format"] == "safetensors"
    assert settings["mm_processor_kwargs"] == {"min_pixels": 100}
    assert Path(settings["model"]).name == "model"


def test_letters_are_scored_in_one_call_sorted_by_image(scorer: VllmScorer, small_bank: Bank) -> None:
    found = scored(scorer, small_bank)
    ((chats, sampling),) = scorer.llm.calls
    assert len(chats) == 18
    photos = [id(chat[-1]["content"][0]["image_pil"]) for chat in chats]
    assert [photos.index(photo) for photo in photos] == [k - k % 3 for k in range(18)]
    assert [part["type"] for part in chats[0][-1]["content"]] == ["image_pil", "text"]
    assert max(chats[0][-1]["content"][0]["image_pil"].size) == 16
    assert vars(sampling[2]) == {
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 4,
        "allowed_token_ids": [65, 66, 67, 68],
    }
    assert (found.state == State.SCORED).all()
    raw = -np.arange(4.0)
    np.testing.assert_allclose(found.option_logprob[0, 2], raw - np.logaddexp.reduce(raw), rtol=1e-6)
    assert scorer.report() == {"prompt_tokens": 900, "cached_prompt_tokens": 360}


def test_a_liking_for_the_first_letter_averages_out(
    scorer: VllmScorer, small_bank: Bank, tmp_path: Path
) -> None:
    turned = open_scorer(f"vllm:{tmp_path / 'model'}", rotations=True)
    assert isinstance(turned, VllmScorer)
    found = scored(turned, small_bank)
    for level, count in enumerate((2, 3, 4)):
        np.testing.assert_allclose(found.option_logprob[:, level, :count], -np.log(count), rtol=1e-5)
    assert turned.report()["spread"]["shown_position_share"] == [1, 0, 0, 0]
    assert turned.report()["spread"]["choice_changes"] == 1


def test_trusted_code_is_passed_on_and_counts_in_the_revision(scorer: VllmScorer, tmp_path: Path) -> None:
    (tmp_path / "model" / "modeling.py").write_text("code")
    spec = f"vllm:{tmp_path / 'model'}"
    wary, trusting = open_scorer(spec), open_scorer(spec, trust_remote_code=True)
    assert [llm.settings["trust_remote_code"] for llm in FakeLLM.made[-2:]] == [False, True]
    revisions = [one.describe()["revision"] for one in (scorer, wary, trusting)]
    assert revisions[0] == revisions[1]
    assert revisions[2] != revisions[1]


def test_a_letter_that_is_missing_stops_the_run(scorer: VllmScorer, small_bank: Bank) -> None:
    scorer.llm.answer = lambda number, letter: -99.0 if letter == 2 else -1.0
    scorer.prepare(small_bank)
    with pytest.raises(LinnetError, match=r"vLLM 0.11.0 gives no log-probability for letter C of 'model'"):
        scorer.score([None] * 6, np.arange(6))


def test_nan_makes_the_question_invalid(scorer: VllmScorer, small_bank: Bank) -> None:
    scorer.llm.answer = lambda number, letter: float("nan") if number == 4 else -1.0
    found = scored(scorer, small_bank)
    assert found.state[1, 1] == State.INVALID
    assert (np.delete(found.state.ravel(), 4) == State.SCORED).all()


def test_a_prompt_that_does_not_fit_names_the_remedy(
    scorer: VllmScorer, small_bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ValueError("prompt is longer than the maximum model length of 128")

    monkeypatch.setattr(scorer.llm, "chat", refuse)
    scorer.prepare(small_bank)
    with pytest.raises(LinnetError, match=r"maximum model length of 128.*max_side .*max_model_len"):
        scorer.score([None] * 6, np.arange(6))


def test_letters_are_looked_up_where_the_answer_begins() -> None:
    assert letter_ids(Letters(), "m") == list(range(65, 91))
    with pytest.raises(LinnetError, match=r"letter 'A' is not a single token .*protocol=text"):
        letter_ids(Merging(), "m")


def test_the_description_holds_what_changes_the_scores(scorer: VllmScorer) -> None:
    described = scorer.describe()
    assert described["kind"] == "vllm"
    assert described["letters"][:2] == [65, 66]
    assert (described["max_side"], described["min_pixels"]) == (16, 100)
    assert len(described["revision"]) == 16


def test_without_vllm_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'linnet\[vllm\]'"):
        open_scorer(f"vllm:{tmp_path}")


def test_weights_that_are_not_safetensors_are_refused(scorer: VllmScorer, tmp_path: Path) -> None:
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "model.bin")
    with pytest.raises(LinnetError, match="safetensors"):
        open_scorer(f"vllm:{tmp_path / 'model'}")
