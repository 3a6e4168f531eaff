"""A chat model through the whole runner: photos on disk, a broken one, resuming, and the report."""

import json
from dataclasses import replace

import numpy as np
import pytest

from linnet.evaluate import runner
from linnet.models.base import State
from linnet.models.open import open_scorer


@pytest.fixture
def photos(bank, pictures, tmp_path):
    """The bank with photos of three sizes, the third of five broken."""
    for row in range(len(bank)):
        pictures[row % 3].save(tmp_path / str(bank.image[row]))
    (tmp_path / str(bank.image[2])).write_bytes(b"\x89PNG\r\n not a picture")
    return replace(bank, image_root=tmp_path)


def run(bank, scorer, out, **options):
    return runner.run(bank, scorer, out, batch_size=2, progress=False, **options)


def test_a_broken_photo_in_the_middle(tiny, photos, pictures, tmp_path):
    scorer = open_scorer(str(tiny("qwen2_5_vl")), device="cpu")
    answers = run(photos, scorer, tmp_path / "run")
    assert (answers.state[2] == State.UNREADABLE).all()
    assert (np.delete(answers.state, 2, axis=0) == State.SCORED).all()
    whole = scorer.score([scorer.load(pictures[row % 3]) for row in (0, 1, 3, 4)], np.array([0, 1, 3, 4]))
    np.testing.assert_allclose(np.delete(answers.option_logprob, 2, 0), whole.option_logprob, atol=1e-4)


def test_continuing_does_not_ask_again(tiny, photos, tmp_path):
    scorer = open_scorer(str(tiny("internvl")), device="cpu")
    first = run(photos, scorer, tmp_path / "run")
    asked = scorer.counts["questions"]
    again = open_scorer(str(tiny("internvl")), device="cpu", scoring="cache")
    second = run(photos, again, tmp_path / "run")
    np.testing.assert_array_equal(first.option_logprob, second.option_logprob)
    assert asked == 16
    assert again.counts["questions"] == 0


def test_variants_and_their_spread_are_kept(tiny, photos, tmp_path):
    scorer = open_scorer(str(tiny("qwen3_vl")), device="cpu", rotations=True)
    answers = run(photos, scorer, tmp_path / "run")
    assert answers.variant_logprob.shape == (5, 4, 4, 4)
    said = json.loads((tmp_path / "run" / "run.json").read_text())["sessions"][-1]
    assert "shown_position_share" in json.dumps(said)


def test_text_and_scores_of_both_protocols(tiny, photos, tmp_path):
    options = {"device": "cpu", "protocol": "both", "template": "paper-0", "max_new_tokens": 2}
    answers = run(photos, open_scorer(str(tiny("llava_onevision")), **options), tmp_path / "run")
    assert answers.text is not None
    assert any(answers.text[0])
    assert (answers.state[0] == State.SCORED).all()
