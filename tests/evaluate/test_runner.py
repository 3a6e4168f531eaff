"""Runs survive kill -9, bad photos and wrong folders, and never lose or repeat an answer."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import evaluate_fakes
import numpy as np
import pytest
from evaluate_fakes import HashScorer, draw_photos, toy_bank
from PIL import Image

from linnet.errors import LinnetError
from linnet.evaluate import answers as store
from linnet.evaluate.runner import run
from linnet.models.base import State


def go(bank, out, scorer=None, **options):
    return run(bank, scorer or HashScorer(), out, batch_size=4, progress=False, **options)


@pytest.fixture
def bank(tmp_path):
    bank = toy_bank(10, tmp_path / "photos")
    draw_photos(bank, tmp_path / "photos")
    return bank


def reasons(out):
    return {row["image"]: row["reason"] for row in csv.DictReader(open(out / "unreadable.csv"))}


def test_a_run_answers_every_question_once(bank, tmp_path):
    scorer = HashScorer()
    answers = go(bank, tmp_path / "run", scorer)
    assert sorted(scorer.seen) == list(range(10))
    assert answers.count() == {
        "scored": 30,
        "invalid": 0,
        "unparsed": 0,
        "unreadable": 0,
        "missing": 0,
        "abstained": 0,
    }
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "answers.arrow",
        "bank",
        "mapping.json",
        "run.json",
        "unreadable.csv",
    ]


def test_answers_do_not_depend_on_batches_or_workers(bank, tmp_path):
    one = run(bank, HashScorer(), tmp_path / "a", batch_size=3, workers=1, progress=False)
    two = run(bank, HashScorer(), tmp_path / "b", batch_size=64, workers=4, progress=False)
    assert np.array_equal(one.node_logprob, two.node_logprob)
    assert np.array_equal(one.option_logprob, two.option_logprob, equal_nan=True)


def test_the_same_run_again_asks_nothing(bank, tmp_path):
    go(bank, tmp_path / "run")
    scorer = HashScorer()
    answers = go(bank, tmp_path / "run", scorer)
    assert scorer.seen == []
    assert (answers.state == State.SCORED).all()
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["sessions"]) == 2


def test_node_scores_can_be_left_out(bank, tmp_path):
    assert go(bank, tmp_path / "run", node_scores=False).node_logprob is None


def test_bad_photos_are_counted_and_named(bank, tmp_path):
    photos = tmp_path / "photos"
    (photos / "photo0.png").unlink()
    (photos / "photo3.png").write_text("no picture at all")
    Image.effect_noise((64, 64), 50).save(photos / "photo5.png")
    data = (photos / "photo5.png").read_bytes()
    (photos / "photo5.png").write_bytes(data[: len(data) // 2])
    answers = go(bank, tmp_path / "run")
    assert answers.count()["unreadable"] == 9
    assert answers.count()["scored"] == 21
    assert (answers.state[[0, 3, 5]] == State.UNREADABLE).all()
    found = reasons(tmp_path / "run")
    assert found["photo0.png"] == f"image 'photo0.png' of sample 'photo0.png' is missing below {photos}"
    assert found["photo3.png"] == "image 'photo3.png' of sample 'photo3.png' is not an image"
    assert found["photo5.png"].startswith("image 'photo5.png' of sample 'photo5.png' cannot be read: ")


def test_mended_photos_are_answered_by_the_same_call(bank, tmp_path):
    whole = go(bank, tmp_path / "whole")
    for name in ("photo1.png", "photo9.png"):
        (tmp_path / "photos" / name).rename(tmp_path / name)
    go(bank, tmp_path / "run")
    (tmp_path / "photo9.png").rename(tmp_path / "photos" / "photo9.png")
    scorer = HashScorer()
    assert go(bank, tmp_path / "run", scorer).count()["unreadable"] == 3
    assert scorer.seen == [9]
    assert list(reasons(tmp_path / "run")) == ["photo1.png"]
    (tmp_path / "photo1.png").rename(tmp_path / "photos" / "photo1.png")
    assert np.array_equal(go(bank, tmp_path / "run").node_logprob, whole.node_logprob)


def test_a_run_whose_readable_photos_come_late(bank, tmp_path):
    for row in range(7):
        (tmp_path / "photos" / f"photo{row}.png").write_bytes(b"")
    answers = go(bank, tmp_path / "run")
    assert answers.node_logprob.shape == (10, len(bank.taxonomy))
    assert np.isnan(answers.node_logprob[:7]).all()
    assert answers.count()["unreadable"] == 21


def test_a_run_without_one_readable_photo_can_be_mended(bank, tmp_path):
    for row in range(10):
        (tmp_path / "photos" / f"photo{row}.png").write_bytes(b"")
    assert go(bank, tmp_path / "run").count()["unreadable"] == 30
    draw_photos(bank, tmp_path / "photos")
    assert go(bank, tmp_path / "run").count()["scored"] == 30


def test_photos_are_turned_upright_and_made_rgb(bank, tmp_path):
    picture = Image.new("L", (4, 2))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "photos" / "photo0.png", exif=exif)
    from linnet.evaluate.images import open_image

    opened = open_image(bank, 0)
    assert (opened.size, opened.mode) == ((2, 4), "RGB")


def test_oversized_photos_are_unreadable(bank, tmp_path, monkeypatch):
    from linnet.evaluate import images

    monkeypatch.setattr(images, "MAX_PIXELS", 63)
    assert go(bank, tmp_path / "run").count()["unreadable"] == 30
    expected = "image 'photo4.png' of sample 'photo4.png' has 8 x 8 pixels, over the limit of 63"
    assert reasons(tmp_path / "run")["photo4.png"] == expected


def test_paths_out_of_the_image_root_are_refused(bank, tmp_path):
    bank.image[4] = "../secret.png"
    with pytest.raises(LinnetError) as error:
        go(bank, tmp_path / "run")
    assert str(error.value) == (
        "image '../secret.png' of sample '../secret.png' leaves the image root "
        f"{tmp_path / 'photos'}; images are only read below it"
    )
    assert not (tmp_path / "run" / "answers.arrow").exists()


def test_links_out_of_the_image_root_are_refused(bank, tmp_path):
    (tmp_path / "secret.png").write_bytes((tmp_path / "photos" / "photo4.png").read_bytes())
    (tmp_path / "photos" / "photo4.png").unlink()
    (tmp_path / "photos" / "photo4.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(LinnetError, match="of sample 'photo4.png' leaves the image root".replace(".", "[.]")):
        go(bank, tmp_path / "run")


def test_a_wrong_image_root_is_found_before_the_model_is_asked(bank, tmp_path):
    wrong = toy_bank(10, tmp_path / "elsewhere")
    with pytest.raises(LinnetError) as error:
        go(wrong, tmp_path / "run")
    assert str(error.value) == (
        f"none of the 10 images of bank 'toy' is below {tmp_path / 'elsewhere'}, the first is 'photo0.png'; "
        "give the folder they lie in with --image-root DIR"
    )


def test_samples_without_an_image_need_a_text_scorer(bank, tmp_path):
    bank.image[2] = ""
    with pytest.raises(LinnetError) as error:
        go(bank, tmp_path / "run")
    assert str(error.value) == (
        "sample '' of bank 'toy' has no image, and the model needs one; "
        "use a text-only model or a bank made of photos"
    )


def test_a_text_scorer_reads_no_photos(tmp_path):
    class Text(HashScorer):
        needs_image = False

        def score(self, items, rows):
            assert items == [None] * len(rows)
            return super().score([bytes([row] * 8) for row in rows], rows)

    assert go(toy_bank(5), tmp_path / "run", Text()).count()["scored"] == 15


def test_the_run_folder_of_another_model_is_refused(bank, tmp_path):
    go(bank, tmp_path / "run", HashScorer("old"))
    with pytest.raises(LinnetError) as error:
        go(bank, tmp_path / "run", HashScorer("new"))
    assert str(error.value) == (
        f"{tmp_path / 'run'} holds the run of something else: model.model: old -> new. "
        "Give another folder with --out, or replace the old run with --overwrite"
    )
    scorer = HashScorer("new")
    go(bank, tmp_path / "run", scorer, overwrite=True)
    assert len(scorer.seen) == 10


def test_the_run_folder_of_another_bank_is_refused(bank, tmp_path):
    go(bank, tmp_path / "run")
    with pytest.raises(LinnetError, match=r"bank\.samples: 10 -> 9; bank\.rows: \w+ -> \w+\. Give"):
        go(bank.subset(np.arange(9)), tmp_path / "run")
    with pytest.raises(LinnetError, match=r"something else: node_scores: True -> False\. Give"):
        go(bank, tmp_path / "run", node_scores=False)


def test_a_run_that_never_answered_is_no_obstacle(bank, tmp_path):
    class Failing(HashScorer):
        def prepare(self, bank):
            raise LinnetError("no class maps")

    with pytest.raises(LinnetError, match="no class maps"):
        go(bank, tmp_path / "run", Failing("wrong labels"))
    assert go(bank, tmp_path / "run", HashScorer("right labels")).count()["scored"] == 30


def test_a_folder_of_something_else_is_left_alone(bank, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(LinnetError) as error:
        go(bank, tmp_path / "thesis", overwrite=True)
    assert str(error.value) == (
        f"{tmp_path / 'thesis'} exists and holds no run; give a new or an empty folder with --out"
    )
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


def test_the_fingerprint_ignores_what_only_changes_the_speed(bank, tmp_path):
    class Moved(HashScorer):
        def describe(self):
            return super().describe() | {"device": "cuda:3"}

    go(bank, tmp_path / "run")
    moved = Moved()
    go(bank, tmp_path / "run", moved)
    assert moved.seen == []


def test_a_killed_run_ends_like_an_uninterrupted_one(tmp_path):
    bank = toy_bank(40, tmp_path / "photos")
    draw_photos(bank, tmp_path / "photos")
    script, path = Path(evaluate_fakes.__file__), tmp_path / "run" / "answers.arrow"
    kills = 0
    for batches in (2, 9):
        killed = subprocess.Popen([sys.executable, script, tmp_path, "0.1"])
        while killed.poll() is None and _whole_batches(path) < batches:
            time.sleep(0.02)
        kills += killed.poll() is None
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    left = store.read(path, bank)
    assert kills == 2
    assert 0 < (left.state == State.MISSING).sum() < left.state.size
    again = run(bank, HashScorer(), tmp_path / "run", batch_size=2, progress=False)
    whole = run(bank, HashScorer(), tmp_path / "whole", batch_size=2, progress=False)
    for one, other in zip(vars(again).values(), vars(whole).values(), strict=True):
        assert one is other or np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _whole_batches(path):
    return sum(1 for _ in store.batches(path))


def test_two_processes_do_not_add_to_one_run(bank, tmp_path):
    class Second(HashScorer):
        def prepare(self, bank):
            with pytest.raises(LinnetError) as error:
                go(bank, tmp_path / "run")
            self.message = str(error.value)
            return super().prepare(bank)

    first = Second()
    assert go(bank, tmp_path / "run", first).count()["scored"] == 30
    expected = f"another process is adding to {tmp_path / 'run'}; wait for it, or give another --out"
    assert first.message == expected
    go(bank, tmp_path / "run")


def test_keys_are_never_written(bank, tmp_path, monkeypatch):
    class Hosted(HashScorer):
        def describe(self):
            return super().describe() | {
                "api_key": "hunter2",
                "max_tokens": 5,
                "headers": ["sk-abcdefgh1234"],
            }

    command = [
        "linnet",
        "evaluate",
        "--api-key",
        "hunter2",
        "--token=hunter3",
        "--max-tokens",
        "5",
        "hf_ABCDEFGH1",
    ]
    monkeypatch.setattr(sys, "argv", command)
    go(bank, tmp_path / "run", Hosted())
    text = (tmp_path / "run" / "run.json").read_text()
    assert not [secret for secret in ("hunter", "sk-abc", "hf_ABC") if secret in text]
    run_json = json.loads(text)
    assert (
        run_json["sessions"][0]["command"]
        == "linnet evaluate --api-key '***' '--token=***' --max-tokens 5 '***'"
    )
    assert run_json["fingerprint"]["model"]["max_tokens"] == 5
