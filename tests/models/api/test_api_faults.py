"""Servers that fail: each way of failing ends in the right state or in an error, and soon."""

import logging
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scripted
from scripted import (
    Body,
    ScriptedServer,
    Serve,
    first_time,
    question_of,
    raw,
    sometimes,
    status,
    with_logprobs,
)

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate import runner
from linnet.models.api.scorer import ServedScorer
from linnet.models.base import Scored, State
from linnet.models.open import open_scorer

LIMITS = {"timeout": 1.0, "retries": 2, "patience": 10.0, "first_wait": 0.01, "longest_wait": 0.05}


def opened(server: ScriptedServer, **limits: Any) -> ServedScorer:
    scorer = open_scorer(f"api:tiny@{server.url}", concurrency=4)
    assert isinstance(scorer, ServedScorer)
    scorer.client.limits = replace(scorer.client.limits, **{**LIMITS, **limits})
    return scorer


def score(scorer: ServedScorer, bank: Bank) -> Scored:
    scorer.prepare(bank)
    rows = np.arange(len(bank))
    return scorer.score([scorer.load(runner.images.open_image(bank, row)) for row in rows], rows)


def later(bad: scripted.Behaviour, when: Any) -> scripted.Behaviour:
    """The test question at the start is answered; after it `when` decides."""
    return sometimes(bad, lambda number, body: number > 0 and not is_test(body) and when(number, body))


def is_test(body: Body) -> bool:
    return "first of the alphabet" in question_of(body)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(status(429, headers={"retry-after": "0"}), id="429"),
        pytest.param(status(500), id="500"),
        pytest.param(status(503, headers={"retry-after": "0.05"}), id="503"),
        pytest.param(status(408), id="408"),
        pytest.param(scripted.slow(1.6), id="timeout"),
        pytest.param(scripted.cut, id="cut"),
        pytest.param(raw(b"<html>busy</html>"), id="html"),
        pytest.param(raw(b'{"choices": []}'), id="no choices"),
        pytest.param(raw(b'{"choices": [{"message": {"content": ""}}]}'), id="empty"),
    ],
)
def test_what_fails_now_and_then_is_repeated_until_it_is_answered(
    bad: scripted.Behaviour, serve: Serve, small_bank: Bank
) -> None:
    good = score(opened(serve(with_logprobs)), small_bank)
    server = serve(first_time(bad, lambda body: not is_test(body) and len(question_of(body)) % 2 == 0))
    scorer = opened(server)
    scored = score(scorer, small_bank)
    np.testing.assert_array_equal(scored.option_logprob, good.option_logprob)
    assert (scored.state == State.SCORED).all()
    assert scorer.report()["retries"] >= 3
    assert scorer.report()["missing"] == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(status(500, "CUDA error"), "500 Internal Server Error: CUDA error", id="500"),
        pytest.param(scripted.slow(1.6), "no reply within 1 s", id="timeout"),
        pytest.param(scripted.cut, "Error", id="cut"),
        pytest.param(raw(b"{"), "malformed reply: not JSON", id="not json"),
        pytest.param(raw(b'{"choices": [{"message": {}}]}'), "malformed reply: empty content", id="empty"),
        pytest.param(status(400, "content policy"), "400 Bad Request: content policy", id="400"),
        pytest.param(status(413, "too large"), "413", id="413"),
    ],
)
def test_a_question_that_alone_fails_is_missing_with_a_reason(
    bad: scripted.Behaviour, reason: str, serve: Serve, small_bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    poison = small_bank.option_names(2, 2)
    server = serve(later(bad, lambda number, body: ", ".join(poison) in listed(body)))
    scorer = opened(server, retries=1, first_wait=0.001)
    scored = score(scorer, small_bank)
    assert scored.state is not None
    assert scored.state[2, 2] == State.MISSING
    assert (np.delete(scored.state.ravel(), 2 * 3 + 2) == State.SCORED).all()
    assert np.isnan(scored.option_logprob[2, 2]).all()
    (said,) = scorer.report()["missing_because"]
    assert reason in said
    assert reason in caplog.text


def listed(body: Body) -> str:
    """Names of the options of a question, joined."""
    lines = question_of(body).splitlines()
    return ", ".join(line[3:] for line in lines if line[1:3] == ". ")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (401, r"401 Unauthorized for model 'tiny'; set the environment variable LINNET_API_KEY"),
        (403, r"403 Forbidden for model 'tiny'"),
        (404, r"404 Not Found for model 'tini'; models it serves: tiny, other"),
        (400, r"400 Bad Request for model 'tiny'.* It says: boom"),
        (422, r"422 .*It says: boom"),
    ],
)
def test_a_refusal_at_the_start_is_an_error_after_one_request(code: int, words: str, serve: Serve) -> None:
    server = serve(status(code, "boom"))
    with pytest.raises(LinnetError, match=words):
        open_scorer(f"api:{'tini' if code == 404 else 'tiny'}@{server.url}")
    assert len(server.asked) == 1


def test_a_key_that_expires_stops_the_run(serve: Serve, small_bank: Bank) -> None:
    scorer = opened(serve(later(status(401), lambda number, body: number > 8)))
    with pytest.raises(LinnetError, match="401"):
        score(scorer, small_bank)


def test_no_server_at_all_is_said_soon(serve: Serve) -> None:
    server = serve()
    server.stop()
    with pytest.raises(LinnetError, match=r"no answer for .*ConnectError.*start the server again"):
        open_scorer(f"api:tiny@{server.url}", patience=1.0)


def test_a_wrong_path_is_not_taken_for_a_server(serve: Serve) -> None:
    server = serve(raw(b"<html>hello</html>"))
    with pytest.raises(LinnetError, match=r"not JSON.*usually ends in /v1"):
        open_scorer(f"api:tiny@{server.url}", patience=0.5)


def test_a_server_that_fails_every_question_stops_the_run(serve: Serve, small_bank: Bank) -> None:
    many = small_bank.subset(np.arange(24) % 6)
    scorer = opened(serve(later(status(500, "no vision"), lambda number, body: True)), retries=0)
    with pytest.raises(LinnetError, match=r"the last 20 questions .* got no answer.*no vision"):
        score(scorer, many)


def test_a_long_rate_limit_stops_at_once(serve: Serve, small_bank: Bank) -> None:
    scorer = opened(serve(later(status(429, headers={"retry-after": "3600"}), lambda n, body: True)))
    with pytest.raises(LinnetError, match=r"asks to wait 3600 s more.*lower the concurrency"):
        score(scorer, small_bank)


def test_retry_after_is_waited_for(serve: Serve, small_bank: Bank) -> None:
    when: list[float] = []

    def busy(handler: scripted.Handler, body: Body) -> None:
        when.append(time.monotonic())
        (status(429, headers={"retry-after": "0.5"}) if len(when) == 1 else with_logprobs)(handler, body)

    scorer = opened(
        serve(later(busy, lambda number, body: ", ".join(small_bank.option_names(0, 2)) in listed(body)))
    )
    assert (score(scorer, small_bank.subset([0])).state == State.SCORED).all()
    assert when[1] - when[0] >= 0.5


def test_a_server_that_dies_and_comes_back_is_waited_for(
    serve: Serve, small_bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "linnet")
    good = score(opened(serve(with_logprobs)), small_bank)
    server = serve(with_logprobs)
    scorer = opened(server, patience=20.0)
    back: list[ScriptedServer] = []

    dying = threading.Lock()

    def restart() -> None:
        server.stop()
        time.sleep(1.5)
        back.append(serve(port=server.port))

    def die(handler: scripted.Handler, body: Body) -> None:
        if len(server.asked) < 8:
            with_logprobs(handler, body)
            return
        if dying.acquire(blocking=False):
            threading.Thread(target=restart).start()
        handler.cut()

    server.behave = die
    scored = score(scorer, small_bank)
    np.testing.assert_array_equal(scored.option_logprob, good.option_logprob)
    assert len(back[0].asked) >= 8
    assert "asking again for up to 20 s" in caplog.text
    assert "answers again" in caplog.text


def test_a_server_that_stays_away_stops_the_run_and_the_same_command_resumes(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    server = serve(with_logprobs)
    scorer = opened(server, patience=0.5)
    server.behave = sometimes(scripted.cut, lambda number, body: number >= 8)
    with pytest.raises(LinnetError, match=r"Every answer so far is on disk.*run the same command again"):
        runner.run(small_bank, scorer, tmp_path / "run", batch_size=3, progress=False)
    answered = scorer.report()["answered"]
    assert 4 <= answered < 18
    server.stop()

    back = serve(with_logprobs, port=server.port)
    again = opened(back)
    answers = runner.run(small_bank, again, tmp_path / "run", batch_size=3, progress=False)
    assert (answers.state == State.SCORED).all()
    asked = [body for _, body in back.asked if not is_test(body)]
    assert len(asked) == 18 - answered, "what was answered before is not asked again"


def test_ctrl_c_does_not_wait_for_the_server(serve: Serve, small_bank: Bank) -> None:
    finished: list[Body] = []

    def slow(handler: scripted.Handler, body: Body) -> None:
        time.sleep(3.0)
        finished.append(body)
        with_logprobs(handler, body)

    scorer = opened(serve(later(slow, lambda number, body: True)), timeout=60.0)
    main = threading.main_thread().ident or 0
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            score(scorer, small_bank)
    finally:
        signal.signal(signal.SIGINT, kept)
    assert finished == []
