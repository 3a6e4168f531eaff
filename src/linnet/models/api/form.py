"""Servers differ in the fields they take; a test question at the start finds out which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from linnet.errors import LinnetError, unknown
from linnet.models.api.client import Client
from linnet.models.api.refusal import Rejected

PROTOCOLS = ("auto", "letter", "text")
TEST = (
    "Which letter is the first of the alphabet?\nA. A\nB. B\nAnswer with the letter of the right option only."
)


@dataclass(frozen=True)
class Form:
    """How requests are written. top_logprobs: how many are asked for, 0 for text only. max_tokens: of the
    answer. limit: name of the field that bounds them. temperature: whether the server takes one."""

    top_logprobs: int
    max_tokens: int
    limit: str = "max_tokens"
    temperature: bool = True

    def body(self, model: str, messages: list[dict[str, Any]], extra: dict[str, Any]) -> dict[str, Any]:
        """The JSON body of one chat completion."""
        made: dict[str, Any] = {"model": model, "messages": messages, self.limit: self.max_tokens}
        if self.temperature:
            made["temperature"] = 0
        if self.top_logprobs:
            made |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        return made | extra

    def without(self, complaint: str) -> Form | None:
        """The form after a server's complaint about one of its fields, or None if it names none of them."""
        if "max_completion_tokens" in complaint and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "logprobs" in complaint and self.top_logprobs:
            return replace(self, top_logprobs=5 if self.top_logprobs > 5 else 0)
        if "temperature" in complaint and self.temperature:
            return replace(self, temperature=False)
        return None


async def find_form(
    client: Client, protocol: str, max_tokens: int, extra: dict[str, Any]
) -> tuple[Form, str | None]:
    """The form this server answers, and the model it says it runs.

    protocol: 'letter' for log-probabilities, 'text' for generated text, 'auto' for letters where offered.
    max_tokens: of generated text. Raises LinnetError where the server offers no log-probabilities although
    they are wanted, and what `Client.ask` raises.
    """
    if protocol not in PROTOCOLS:
        raise LinnetError(unknown("protocol", protocol, "model kind 'api'", PROTOCOLS))
    form = Form(0, max_tokens) if protocol == "text" else Form(20, 1)
    while True:
        client.ping = form.body(client.endpoint.model, [{"role": "user", "content": TEST}], extra)
        try:
            reply = await client.ask(client.ping, empty=True)
        except Rejected as error:
            form = _smaller(form, error)
        else:
            break
    if reply.top is None:
        form = replace(form, top_logprobs=0, max_tokens=max_tokens)
    if protocol == "letter" and not form.top_logprobs:
        raise LinnetError(
            f"{client.endpoint.url} gives no log-probabilities for model '{client.endpoint.model}'; "
            "score its text with option protocol=text, or serve the model with vLLM or SGLang"
        )
    return form, reply.model


def _smaller(form: Form, error: Rejected) -> Form:
    smaller = form.without(error.detail)
    if smaller is None:
        raise error
    return smaller
