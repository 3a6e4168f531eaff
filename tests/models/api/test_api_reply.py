import json

import pytest
from scripted import completion

from linnet.models.api.reply import Malformed, Reply, parse

GOOD = completion("B", [("B", -0.1), ("A", -2.0)], usage={"prompt_tokens": 9})


def test_text_logprobs_model_and_tokens_are_kept() -> None:
    assert parse(json.dumps(GOOD).encode()) == Reply("B", [("B", -0.1), ("A", -2.0)], "tiny-1", (9, 0))


def test_a_reply_without_logprobs_has_none() -> None:
    for logprobs in (None, {}, {"content": None}, {"content": []}, {"content": [{"token": "B"}]}):
        body = completion("B")
        body["choices"][0]["logprobs"] = logprobs
        assert parse(json.dumps(body).encode()).top is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "no choices"),
        (b"null", "no choices"),
        (b'{"error": "boom"}', "no choices"),
        (b'{"choices": []}', "no choices"),
        (b'{"choices": [{"message": null}]}', "no choices"),
        (b'{"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}', "empty content .*length"),
        (b'{"choices": [{"message": {"content": null}}]}', "empty content"),
        (json.dumps(completion("A", [("A", "high")])).encode(), "no choices"),
    ],
)
def test_replies_that_are_no_completion_say_why(body: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        parse(body)


def test_an_empty_answer_will_do_where_any_answer_does() -> None:
    assert parse(json.dumps(completion("")).encode(), empty=True).text == ""


def test_a_reply_survives_the_cache() -> None:
    reply = Reply("ä\n", [("A", -0.25), (" B", -9999.0)], "m", (5, 2))
    again = Reply.loads(reply.dumps())
    assert (again.text, again.top, again.model) == (reply.text, reply.top, reply.model)
    assert "\n" not in reply.dumps()


def test_a_key_in_a_reply_is_blanked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_API_KEY", "sk-secret-1")
    reply = parse(json.dumps(completion("your key is sk-secret-1")).encode())
    assert reply.text == "your key is ***"
