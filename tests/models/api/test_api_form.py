from dataclasses import asdict

import pytest
from scripted import Behaviour, Body, Handler, Serve, completion, text_only, with_logprobs

from linnet.errors import LinnetError
from linnet.models.api import loop
from linnet.models.api.client import Client
from linnet.models.api.endpoint import endpoint
from linnet.models.api.form import Form, find_form
from linnet.models.api.patience import Limits


def found(url: str, protocol: str = "auto") -> tuple[Form, str | None]:
    client = Client(endpoint(f"tiny@{url}"), Limits(patience=1))
    try:
        return loop.run(find_form(client, protocol, 10, {}))
    finally:
        loop.run(client.close())


def only(**allowed: int | None) -> Behaviour:
    """Refuses requests with a field that is not allowed, or one above its limit, as servers word it."""

    def behave(handler: Handler, body: Body) -> None:
        for name in ("max_tokens", "temperature", "top_logprobs", "logprobs"):
            limit = allowed.get(name, 10**9)
            if name in body and (limit is None or body[name] > limit):
                hint = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                handler.json(400, {"error": {"message": f"Unsupported value: '{name}'.{hint}"}})
                return
        with_logprobs(handler, body)

    return behave


def test_a_server_with_logprobs_is_asked_for_twenty(serve: Serve) -> None:
    form, served_as = found(serve(with_logprobs).url)
    assert form == Form(20, 1)
    assert served_as == "tiny-1"


def test_a_server_that_ignores_logprobs_is_asked_for_text(serve: Serve) -> None:
    form, _ = found(serve(text_only(lambda question: "B")).url)
    assert form == Form(0, 10)


def test_a_server_that_answers_the_test_with_nothing_is_still_a_server(serve: Serve) -> None:
    form, _ = found(serve(text_only(lambda question: "")).url)
    assert form == Form(0, 10)


@pytest.mark.parametrize(
    ("allowed", "form"),
    [
        ({"top_logprobs": 5}, Form(5, 1)),
        ({"top_logprobs": 2}, Form(0, 10)),
        ({"logprobs": None}, Form(0, 10)),
        ({"max_tokens": None}, Form(20, 1, limit="max_completion_tokens")),
        ({"temperature": None}, Form(20, 1, temperature=False)),
        (
            {"max_tokens": None, "temperature": None, "logprobs": None},
            Form(0, 10, limit="max_completion_tokens", temperature=False),
        ),
    ],
)
def test_fields_a_server_refuses_are_left_out(
    serve: Serve, allowed: dict[str, int | None], form: Form
) -> None:
    assert asdict(found(serve(only(**allowed)).url)[0]) == asdict(form)


def test_text_can_be_asked_for_although_logprobs_are_offered(serve: Serve) -> None:
    server = serve(with_logprobs)
    assert found(server.url, "text")[0] == Form(0, 10)
    assert "logprobs" not in server.asked[0][1]


def test_letters_without_logprobs_are_an_error_with_a_remedy(serve: Serve) -> None:
    with pytest.raises(LinnetError, match=r"no log-probabilities for model 'tiny'; .*protocol=text"):
        found(serve(text_only(lambda question: "B")).url, "letter")


def test_other_refusals_are_passed_on(serve: Serve) -> None:
    server = serve(lambda handler, body: handler.json(400, {"error": {"message": "no chat template"}}))
    with pytest.raises(LinnetError, match=r"400 Bad Request for model 'tiny'; .*no chat template"):
        found(server.url)
    assert len(server.asked) == 1


def test_unknown_protocols_are_named(serve: Serve) -> None:
    with pytest.raises(LinnetError, match=r"unknown protocol 'leter'.*Did you mean 'letter'"):
        found(serve(with_logprobs).url, "leter")


def test_an_extra_field_goes_into_every_body() -> None:
    body = Form(0, 10).body("m", [], {"chat_template_kwargs": {"enable_thinking": False}})
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert completion("x")["choices"]
