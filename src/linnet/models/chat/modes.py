"""The ways to score give the same; which of them a model allows is found out before the first batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from linnet.errors import LinnetError, unknown
from linnet.models.chat.forked import score_forked
from linnet.models.chat.load import Chat
from linnet.models.chat.packed import Scores
from linnet.models.chat.packed import launch as launch_packed
from linnet.models.chat.prompt import Prompt
from linnet.models.chat.separate import score_separate

MODES = ("packed", "cache", "separate")
TOLERANCE = {"float32": 1e-3, "float64": 1e-3}
LOOSE = 0.5  # half precision: kernels of other shapes round otherwise


def launch(
    mode: str, chat: Chat, prompts: Sequence[Prompt], normalise: bool = False, max_tokens: int = 4096
) -> Callable[[], Scores]:
    """Start scoring; the function returned gives the log-probabilities per prompt, branch and option."""
    if mode == "packed":
        return launch_packed(chat, prompts, normalise, max_tokens)
    run = score_forked if mode == "cache" else score_separate
    scores = run(chat, prompts, normalise)
    return lambda: scores


def check(name: str, chat: Chat) -> None:
    """Raise LinnetError for a way to score that does not exist or that the model cannot go."""
    if name not in ("auto", *MODES):
        raise LinnetError(unknown("scoring", name, "option 'scoring'", ("auto", *MODES)))
    if name != "packed":
        return
    if reason := unmaskable(chat):
        raise LinnetError(f"{reason}, so questions cannot be packed; use --scoring cache")


def unmaskable(chat: Chat) -> str | None:
    """Why a model cannot be masked into branches, None where nothing speaks against it."""
    odd = sorted(chat.handles.layer_types - {"full_attention"})
    if odd:
        return f"'{chat.facts['model']}' has {' and '.join(odd)} layers"
    if chat.facts["attention"].startswith("flash"):
        return f"{chat.facts['attention']} takes no mask of branches"
    return None


def find(name: str, chat: Chat, sample: Prompt, normalise: bool = False) -> tuple[str, dict[str, float]]:
    """The way to score, and how far each way tried is from the reference on one sample.

    name: one of MODES, or auto for the first of them that agrees with separate prompts. sample: a prompt
    with tokens and picture. Raises LinnetError if the one way that is asked for does not agree.
    """
    if name == "separate":
        return name, {}
    wanted = [name] if name != "auto" else [mode for mode in MODES if mode == "cache" or not unmaskable(chat)]
    reference = _relative(launch("separate", chat, [sample], normalise)())
    tried: dict[str, float] = {}
    for mode in wanted:
        gap = np.abs(_relative(launch(mode, chat, [sample], normalise)()) - reference)
        tried[mode] = float(gap.max())
        if not gap.max() > TOLERANCE.get(chat.facts["dtype"], LOOSE):
            return mode, tried
    if name == "auto":
        return "separate", tried
    raise LinnetError(
        f"scoring={name} is {tried[name]:.2g} nats off from one prompt per question on a test sample "
        f"with '{chat.facts['model']}' ({chat.facts['architecture']}); use --scoring auto"
    )


def _relative(scores: Scores) -> np.ndarray:
    """Scores of one prompt's options, each question's relative to its first option."""
    return np.concatenate([question - question[0] for question in scores[0]])
