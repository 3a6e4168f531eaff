"""A reply is what is kept of a chat completion: its text, its log-probabilities, or why there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from linnet.models.api.endpoint import without_key


class Trouble(Exception):
    """An attempt that failed and may be repeated; `limited` where the server asked to slow down."""

    def __init__(
        self,
        reason: str,
        retry_after: float | None = None,
        limited: bool = False,
        remedy: str = "start the server again",
    ) -> None:
        super().__init__(reason)
        self.retry_after, self.limited, self.remedy = retry_after, limited, remedy


class Malformed(Trouble):
    """A reply that is no chat completion."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        remedy = "see that the base URL is that of a chat API (it usually ends in /v1)"
        super().__init__(f"malformed reply: {reason}", retry_after, remedy=remedy)


@dataclass(frozen=True)
class Reply:
    """text: what was generated. top: tokens and log-probabilities at the first position, best first,
    None where the server gives none. model: what the server says it ran. tokens: of the prompt, and how
    many of them it had cached. missing: why there is no answer, None where there is one."""

    text: str = ""
    top: list[tuple[str, float]] | None = None
    model: str | None = None
    tokens: tuple[int, int] = (0, 0)
    missing: str | None = None

    def dumps(self) -> str:
        """One line of JSON for the cache; token counts are of one request and are not kept."""
        return json.dumps({"text": self.text, "top": self.top, "model": self.model})

    @classmethod
    def loads(cls, line: str) -> Reply:
        """The reply of a line of the cache."""
        kept = json.loads(line)
        top = kept["top"] and [(token, value) for token, value in kept["top"]]
        return cls(kept["text"], top, kept["model"])


def parse(body: bytes, empty: bool = False) -> Reply:
    """The reply in a response body; raises Malformed saying in what way it is no chat completion.

    empty: whether a reply without text and without log-probabilities will do.
    """
    try:
        payload = json.loads(body)
    except ValueError:
        raise Malformed("not JSON") from None
    try:
        choice = payload["choices"][0]
        text, finish = choice["message"].get("content"), choice.get("finish_reason")
        top, model = _top(choice.get("logprobs")), payload.get("model")
        tokens = _tokens(payload.get("usage"))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise Malformed("no choices with a message") from None
    if not (text or top or empty):
        raise Malformed(f"empty content (finish reason: {finish})", retry_after=0.0)
    return Reply(without_key(str(text or "")), top, model and without_key(str(model)), tokens)


def _top(logprobs: Any) -> list[tuple[str, float]] | None:
    if not logprobs or not logprobs.get("content"):
        return None
    first = logprobs["content"][0]
    return [
        (str(entry["token"]), float(entry["logprob"])) for entry in first.get("top_logprobs") or []
    ] or None


def _tokens(usage: Any) -> tuple[int, int]:
    usage = usage or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return int(usage.get("prompt_tokens") or 0), int(cached)
