"""The demo runs from drawing to table in one folder, and does nothing twice."""

import pytest

from linnet.demo.story import DECODERS, MODELS, SPLITS, Scale, small_world, table, tell

pytest.importorskip("timm", reason="the demo's dual encoder needs linnet[clip]")
SMALL = Scale(n_test=1, pool=2, seeing=2, naming=2, steps=2, mending=1, shots=1)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, tell(out, scale=SMALL, progress=False)


def test_both_models_are_measured_on_every_split_under_every_decoder(told):
    assert set(told[1]["models"]) == set(MODELS)
    for summaries in told[1]["models"].values():
        assert set(summaries) == set(SPLITS)
        for summary in summaries.values():
            assert [row["decoder"] for row in summary["results"]] == list(DECODERS)
            assert summary["results"][1]["inconsistency_rate"] == 0  # a leaf's lineage is a path


def test_known_and_novel_photos_are_apart(told):
    novel = int(small_world(0).held_out.sum())
    for summaries in told[1]["models"].values():
        assert summaries["test"]["n_samples"] == 48 - novel
        assert summaries["novel"]["n_samples"] == novel


def test_the_table_has_a_line_per_model_split_and_decoder(told):
    lines = table(told[1]).splitlines()
    assert len(lines) == 1 + len(MODELS) * len(SPLITS) * len(DECODERS)
    assert lines[0].split()[:4] == ["model", "photos", "answers", "class"]


def test_the_base_is_measured_alike_before_and_among_the_mended(told):
    rows = {(row["split"], row["arm"]): row for row in told[1]["mended"]["rows"]}
    assert {arm for _, arm in rows} == {"base", "sft", "rft", "rft and tara"}
    for split in SPLITS:
        before = told[1]["models"]["chat"][split]
        assert rows[split, "base"]["hca"]["value"] == before["hca"]
        assert rows[split, "base"]["leaf_accuracy"]["value"] == before["results"][0]["leaf_accuracy"]
        assert rows[split, "rft and tara"]["steps"] == 1


def test_the_same_call_goes_on_and_does_not_train_again(told):
    out, first = told
    weights = [out / model / "model.safetensors" for model in MODELS]
    before = [file.stat().st_mtime_ns for file in weights]
    again = tell(out, scale=SMALL, progress=False)
    assert [file.stat().st_mtime_ns for file in weights] == before
    assert again["models"]["chat"]["test"]["hca"] == first["models"]["chat"]["test"]["hca"]


def test_effort_multiplies_steps_and_nothing_else():
    twice = Scale().times(2)
    assert (twice.seeing, twice.naming, twice.steps, twice.mending) == (1000, 700, 800, 136)
    assert (twice.n_test, twice.pool, twice.shots) == (Scale().n_test, Scale().pool, Scale().shots)


def test_the_sheet_is_a_picture(told):
    assert (told[0] / "critters.png").read_bytes().startswith(b"\x89PNG")
