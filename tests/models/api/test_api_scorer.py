import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted import (
    VOCABULARY,
    ScriptedServer,
    Serve,
    completion,
    question_of,
    raw,
    sometimes,
    status,
    text_only,
    token_logprobs,
)

from linnet.bank import prompts
from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate import fingerprint, runner
from linnet.models.api.letters import letter_logprobs
from linnet.models.api.scorer import ServedScorer
from linnet.models.base import State
from linnet.models.open import open_scorer

SECRET = "sk-linnet-0123456789abcdef"


def opened(at: ScriptedServer, **options: Any) -> ServedScorer:
    scorer = open_scorer(f"api:tiny@{at.url}", **options)
    assert isinstance(scorer, ServedScorer)
    return scorer


def run(at: ScriptedServer, bank: Bank, out: Path, **options: Any) -> tuple[Any, ServedScorer]:
    scorer = opened(at, **options)
    return runner.run(bank, scorer, out, batch_size=4, progress=False), scorer


def test_scores_are_the_servers_letters_renormalised(serve: Serve, small_bank: Bank, tmp_path: Path) -> None:
    answers, scorer = run(serve(), small_bank, tmp_path / "run")
    assert scorer.asker is not None
    for question in scorer.asker.questions(np.arange(6)):
        n_options = len(question.names)
        expected, _ = letter_logprobs(token_logprobs(question.text), n_options)
        np.testing.assert_allclose(
            answers.option_logprob[question.at, question.level, :n_options], expected, rtol=1e-5
        )
    assert (answers.state == State.SCORED).all()
    assert set(answers.text.ravel()) <= set(VOCABULARY)
    described = scorer.describe()
    assert (described["protocol"], described["top_logprobs"], described["served_as"]) == (
        "letter",
        20,
        "tiny-1",
    )


def test_the_photo_comes_before_the_question_as_a_data_url(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    server = serve()
    run(server, small_bank, tmp_path / "run")
    content = server.asked[-1][1]["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["image_url", "text"]
    assert content[0]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    body = server.asked[-1][1]
    assert (body["max_tokens"], body["temperature"], body["logprobs"], body["top_logprobs"]) == (
        1,
        0,
        True,
        20,
    )


def test_questions_of_one_photo_are_sent_one_after_the_other(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    server = serve()
    run(server, small_bank, tmp_path / "run", concurrency=1)
    photos = [json.dumps(body["messages"][-1]["content"][0]) for _, body in server.asked[1:]]
    assert [photos.index(photo) for photo in photos] == [k - k % 3 for k in range(18)]


def test_letters_that_are_not_listed_are_bounded_and_counted(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    def two(handler: Any, body: Any) -> None:
        handler.json(200, completion("A", [("A", -0.2), ("The", -4.0)]))

    answers, scorer = run(serve(two), small_bank, tmp_path / "run")
    assert (answers.choice == small_bank.options.argmax(axis=2) * 0).all()
    assert scorer.report()["letters_bounded"] == 6 * (1 + 2 + 3)
    assert answers.option_logprob[0, 2, 0] - answers.option_logprob[0, 2, 3] == pytest.approx(3.8, abs=1e-5)


def test_a_question_without_any_listed_letter_is_invalid_not_guessed(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    def thinking(handler: Any, body: Any) -> None:
        handler.json(200, completion("<think>", [("<think>", -0.1), ("Well", -3.0)]))

    answers, scorer = run(serve(thinking), small_bank, tmp_path / "run")
    assert (answers.state == State.INVALID).all()
    assert (answers.choice == -1).all()
    assert scorer.report()["no_letter_listed"] == 18


def test_without_logprobs_the_text_is_parsed(serve: Serve, small_bank: Bank, tmp_path: Path) -> None:
    def answer(question: str) -> str:
        if "species" in question or len(question.splitlines()) == 6:
            return "I cannot tell"
        return "The answer is B."

    answers, scorer = run(serve(text_only(answer)), small_bank, tmp_path / "run")
    assert scorer.describe()["protocol"] == "text"
    assert "0, the others -inf" in scorer.describe()["note"]
    assert (answers.state[:, :2] == State.SCORED).all()
    assert (answers.state[:, 2] == State.UNPARSED).all()
    assert (answers.choice[:, :2] == 1).all()
    np.testing.assert_array_equal(answers.option_logprob[0, 1, :3], [-np.inf, 0, -np.inf])
    assert answers.text[0, 2] == "I cannot tell"
    assert scorer.report()["unparsed"] == 6


def test_the_papers_parser_reads_the_same_cached_text_differently(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    server = serve(text_only(lambda question: "Answer: B"))
    strict, _ = run(server, small_bank, tmp_path / "strict")
    legacy, scorer = run(server, small_bank, tmp_path / "legacy", parser="legacy")
    assert (strict.choice == 1).all()
    assert (legacy.choice == 0).all()
    assert scorer.report()["from_cache"] == 18


def slow_mean(bank: Bank, row: int, level: int) -> np.ndarray:
    """Mean over all stems and turns of what the server says of each option, normalised."""
    many = int(bank.n_options[row, level])
    total = np.zeros(many)
    for stem in prompts.PAPER_STEMS:
        template = prompts.template(stem, bank)
        for turn in range(many):
            order = np.roll(np.arange(many), -turn)
            text = template.question(bank, row, level, order)
            total[order] += letter_logprobs(token_logprobs(text), many)[0]
    mean = total / (5 * many)
    return mean - np.logaddexp.reduce(mean)


def test_wordings_and_orders_are_averaged_and_their_spread_told(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    server = serve()
    answers, scorer = run(server, small_bank, tmp_path / "run", template="all", rotations=True)
    assert len(server.asked) == 1 + 6 * 5 * (2 + 3 + 4)
    for row, level in np.ndindex(6, 3):
        found = answers.option_logprob[row, level, : small_bank.n_options[row, level]]
        np.testing.assert_allclose(found, slow_mean(small_bank, row, level), atol=1e-5)
    assert (answers.state == State.SCORED).all()
    assert answers.variant_logprob.shape == (6, 3, 20, 4)
    assert [len(json.loads(text)) for text in answers.text[0]] == [10, 15, 20]
    said = json.loads((tmp_path / "run" / "run.json").read_text())["sessions"][-1]["report"]
    assert len(said["spread"]["accuracy_by_variant"]) == 20
    assert sum(said["spread"]["shown_position_share"]) == pytest.approx(1)
    assert scorer.describe()["rotations"] is True


def test_a_question_without_an_answer_in_one_order_is_missing(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    server = serve(sometimes(status(400, "no"), lambda number, body: number == 9))
    answers, _ = run(server, small_bank, tmp_path / "run", rotations=True, concurrency=1)
    assert np.argwhere(answers.state == State.MISSING).tolist() == [[0, 2]]
    assert np.isnan(answers.option_logprob[0, 2]).all()
    assert (np.delete(answers.state.ravel(), 2) == State.SCORED).all()
    again, scorer = run(server, small_bank, tmp_path / "run", rotations=True)
    assert (again.state == State.SCORED).all()
    assert (scorer.report()["answered"], scorer.report()["from_cache"]) == (1, 8)


@pytest.mark.parametrize("options", [{"rotations": True}, {"template": "all"}])
def test_text_has_no_log_probabilities_to_average(serve: Serve, options: dict[str, Any]) -> None:
    server = serve(text_only(lambda question: "B"))
    with pytest.raises(LinnetError, match=r"average the log-probabilities of letters.*give one template"):
        opened(server, **options)
    with pytest.raises(LinnetError, match="is asked for text"):
        opened(serve(), protocol="text", **options)


def test_a_second_run_asks_nothing_but_the_test_question(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    server = serve()
    first, _ = run(server, small_bank, tmp_path / "one")
    before = len(server.asked)
    second, scorer = run(server, small_bank, tmp_path / "two")
    assert len(server.asked) == before + 1
    np.testing.assert_array_equal(first.option_logprob, second.option_logprob)
    assert scorer.report()["from_cache"] == 18


def test_a_named_server_keeps_its_answers_when_it_moves(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    run(serve(), small_bank, tmp_path / "run", server="cluster")
    moved = serve()
    _, scorer = run(moved, small_bank, tmp_path / "run2", server="cluster")
    assert len(moved.asked) == 1
    assert moved.url not in json.dumps(scorer.describe())


def test_a_question_with_one_option_is_certain_and_not_asked(
    serve: Serve, small_bank: Bank, tmp_path: Path
) -> None:
    small_bank.options[:, 0, 1:] = -1
    small_bank.options[:, 0, 0] = small_bank.lineage[:, 0]
    small_bank.answer[:, 0] = 0
    server = serve()
    answers, _ = run(server, small_bank, tmp_path / "run")
    assert len(server.asked) == 1 + 12
    assert (answers.option_logprob[:, 0, 0] == 0).all()
    assert (answers.state == State.SCORED).all()


def test_token_counts_show_what_the_prefix_cache_gave(serve: Serve, small_bank: Bank, tmp_path: Path) -> None:
    _, scorer = run(serve(), small_bank, tmp_path / "run")
    report = scorer.report()
    assert (report["prompt_tokens"], report["cached_prompt_tokens"]) == (1800, 720)


def test_the_run_says_why_answers_are_missing(serve: Serve, small_bank: Bank, tmp_path: Path) -> None:
    server = serve(sometimes(status(400, "no such picture"), lambda number, body: number == 9))
    answers, scorer = run(server, small_bank, tmp_path / "run", concurrency=1)
    assert (answers.state == State.MISSING).sum() == 1
    said = json.loads((tmp_path / "run" / "run.json").read_text())["sessions"][-1]["report"]
    assert said["missing_because"] == {"400 Bad Request: no such picture": 1}
    assert said == scorer.report()


def test_text_only_questions_carry_no_photo(serve: Serve, small_bank: Bank, tmp_path: Path) -> None:
    server = serve()
    scorer = opened(server, modality="text", concurrency=1)
    assert not scorer.needs_image
    runner.run(small_bank, scorer, tmp_path / "run", progress=False)
    assert len(server.asked) == 1 + 12
    assert "c2" in question_of(server.asked[-1][1])
    assert isinstance(server.asked[-1][1]["messages"][-1]["content"], str)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parser": "strikt"}, "unknown parser 'strikt'.*'strict'"),
        ({"modality": "sound"}, "unknown modality 'sound'"),
        ({"image_format": "jpg"}, "unknown image format 'jpg'.*'jpeg'"),
        ({"max_side": 0}, "max_side=0 leaves no image"),
        ({"extra": "{seed: 1}"}, "option extra is no JSON"),
        ({"extra": "[1]"}, "no JSON object but list"),
        ({"key": SECRET}, "unknown option 'key'"),
        ({"concurrency": 0}, "concurrency=0 is too small"),
    ],
)
def test_options_that_cannot_work_are_named(serve: Serve, options: dict[str, Any], words: str) -> None:
    with pytest.raises(LinnetError, match=words) as error:
        opened(serve(), **options)
    assert SECRET not in str(error.value)


def test_the_key_is_sent_and_lands_in_no_file_log_or_error(
    serve: Serve,
    small_bank: Bank,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LINNET_API_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    echo = raw(
        json.dumps({"choices": [{"message": {"content": f"B, said {SECRET}"}}], "model": SECRET}).encode()
    )
    server = serve(echo)
    answers, scorer = run(server, small_bank, tmp_path / "run")
    assert all(headers["authorization"] == f"Bearer {SECRET}" for headers, _ in server.asked)
    assert answers.text[0, 0] == "B, said ***"

    said = [json.dumps(scorer.describe()), json.dumps(scorer.report()), repr(scorer)]
    for behave in (
        status(401, f"{SECRET} is wrong"),
        status(500, SECRET),
        raw(SECRET.encode()),
        status(400, SECRET),
    ):
        server.behave = behave
        with pytest.raises(LinnetError) as error:
            opened(server, patience=0.3)
        said.append(str(error.value))
    with pytest.raises(LinnetError) as error:
        opened(server, extra=json.dumps({"user": SECRET}))
    said.append(str(error.value))

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"run.json", "answers.arrow"} <= {path.name for path in files}
    assert any(path.suffix == ".sqlite" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    out, err = capfd.readouterr()
    for text in (*said, caplog.text, out, err):
        assert SECRET not in text


def test_the_fingerprint_tells_servers_and_protocols_apart(serve: Serve, small_bank: Bank) -> None:
    here, there = serve(), serve()
    prints = [
        fingerprint.of(small_bank, opened(server, **options).describe(), True)
        for server, options in [
            (here, {}),
            (there, {}),
            (here, {"protocol": "text"}),
            (here, {"max_side": 8}),
        ]
    ]
    assert all(fingerprint.differences(prints[0], other) for other in prints[1:])
    again = fingerprint.of(small_bank, opened(here, concurrency=2, timeout=9.0).describe(), True)
    assert fingerprint.differences(prints[0], again) == []
