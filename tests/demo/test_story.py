"""The demo runs from drawing to table in one folder, and does nothing twice."""

import pytest

from linnet.demo.story import DECODERS, SPLITS, Scale, table, tell

pytest.importorskip("timm", reason="the demo's dual encoder needs linnet[clip]")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, tell(out, scale=Scale(n_test=1, steps=2, pool=2), progress=False)


def test_every_split_is_measured_under_every_decoder(told):
    summaries = told[1]["splits"]
    assert set(summaries) == set(SPLITS)
    for summary in summaries.values():
        assert [row["decoder"] for row in summary["results"]] == list(DECODERS)
        assert summary["results"][1]["inconsistency_rate"] == 0  # joint answers are paths


def test_known_and_novel_photos_differ(told):
    splits = told[1]["splits"]
    assert splits["test"]["n_samples"] == 72
    assert splits["novel"]["n_samples"] == 24


def test_the_table_has_a_line_per_split_and_decoder(told):
    lines = table(told[1]).splitlines()
    assert len(lines) == 1 + len(SPLITS) * len(DECODERS)
    assert lines[0].split()[:4] == ["photos", "decoder", "class", "order"]


def test_the_same_call_goes_on_and_does_not_train_again(told):
    out, first = told
    before = (out / "dual" / "model.safetensors").stat().st_mtime_ns
    again = tell(out, scale=Scale(n_test=1, steps=2, pool=2), progress=False)
    assert (out / "dual" / "model.safetensors").stat().st_mtime_ns == before
    assert again["splits"]["test"]["hca"] == first["splits"]["test"]["hca"]


def test_the_sheet_is_a_picture(told):
    assert (told[0] / "critters.png").read_bytes().startswith(b"\x89PNG")
