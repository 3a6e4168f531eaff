"""An experiment runs what is missing, shares its work, and its table is paired over seeds and species."""

import json

import numpy as np
import pytest
from chat_cases import bird_bank, saved, tiny
from train_cases import written

from linnet.cli import main
from linnet.errors import LinnetError
from linnet.evaluate import arms as tables
from linnet.evaluate.session import alone
from linnet.taxonomy import build, path_table, store
from linnet.train import lineages
from linnet.train.recipe import load
from linnet.train.tasks import arms


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    root = tmp_path_factory.mktemp("arms")
    bank = saved(bird_bank(root / "photos"), root / "bank")
    model = tiny(root / "chat-0")
    return {
        "task": "arms",
        "against": "sft",
        "shared": {
            "model": {"name": str(model).replace("-0", "-{seed}")},
            "data": {"source": str(bank), "val": None},
            "lora": {"rank": 2},
            "rft": {"beta": 0.0},
            "train": {"max_steps": 2, "batch_size": 4, "precision": "fp32"},
        },
        "arms": {
            "base": {"task": "base"},
            "sft": {"task": "sft", "train": {"learning_rate": 0.02}},
            "then": {"task": "rft", "after": "sft", "longer": 2},
        },
    }


def run(settings, tmp_path, *more):
    file = written(tmp_path / "arms.yaml", settings)
    return main(["train", str(file), *more, "--out", str(tmp_path / "out"), "--device", "cpu", "--json"])


def test_runs_what_is_missing_and_tells_all(settings, tmp_path, capsys):
    assert run(settings, tmp_path) == 0
    told = json.loads(capsys.readouterr().out)
    rows = {row["arm"]: row for row in told["rows"]}
    assert list(rows) == ["base", "sft", "then"]
    assert [row["steps"] for row in rows.values()] == [0, 2, 4]
    assert "difference" in rows["then"]["hca"]
    assert "difference" not in rows["sft"]["hca"]
    recipe = (tmp_path / "out" / "all" / "then" / "seed-0" / "recipe.yaml").read_text()
    assert f"name: {tmp_path}/out/all/sft/seed-0/model" in recipe
    folder = tmp_path / "out" / "all"
    assert not (folder / "then" / "seed-0" / "model").exists()
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*/seed-0/metrics.json")}
    (folder / "base" / "seed-0" / "metrics.json").unlink()
    assert run(settings, tmp_path) == 0
    capsys.readouterr()
    again = {path: path.stat().st_mtime_ns for path in stamps}
    assert {path.parts[-3] for path in stamps if stamps[path] != again[path]} == {"base"}
    assert main(["metrics", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "all, test; in %" in said
    assert "path - sft's" in said


def test_a_run_that_another_process_has_is_left_to_it(settings, tmp_path, capsys):
    with alone(tmp_path / "out" / "all" / "base" / "seed-0"):
        (tmp_path / "out" / tables.ABOUT).write_text(
            '{"cells": [], "arms": [], "seeds": [], "against": null}'
        )
        assert run(settings | {"arms": {"base": {"task": "base"}}, "against": None}, tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == []


def test_settings_go_from_shared_to_cell_to_arm_to_seed(settings, tmp_path):
    chosen = settings | {
        "cells": {"few": {"data": {"shots": 1}, "train": {"batch_size": 3}}},
        "seeds": [0, 4],
        "arms": {"a": {"task": "sft", "train": {"batch_size": 2}}, "b": {"task": "tara", "after": "a"}},
        "against": None,
    }
    chosen["shared"] = settings["shared"] | {
        "teacher": {"kind": "dual", "model": "d-{seed}", "tokens": "pooled"}
    }
    chosen["arms"]["b"]["teacher"] = {"kind": "tree"}
    made = arms.runs(load(str(written(tmp_path / "r.yaml", chosen))), tmp_path / "out")
    assert [(one.arm, one.seed) for one in made] == [("a", 0), ("b", 0), ("a", 4), ("b", 4)]
    first, second, last = made[0].recipe, made[1].recipe, made[2].recipe
    assert (first.data.shots, first.train.batch_size, first.train.max_steps) == (1, 2, 2)
    assert second.train.batch_size == 3
    assert second.teacher == {"kind": "tree"}  # a mapping with a kind replaces the whole
    assert last.model.name.endswith("chat-4")
    assert (last.data.seed, last.train.seed) == (4, 4)
    assert first.out.merged  # another arm starts from it
    assert not second.out.merged


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arms": {}}, "an experiment needs arms and seeds"),
        ({"arms": {"a": {"task": "sft", "after": "b"}}}, "unknown arm 'b' in arms.a.after"),
        ({"against": "sftt"}, "Did you mean 'sft'?"),
        ({"arms": {"sft": {"task": "stf"}}}, "unknown task 'stf' in arms.sft.task"),
        ({"arms": {"sft": {"task": "sft", "train": {"epoch": 1}}}}, "arm sft in cell all"),
        (
            {"arms": {"sft": {"task": "sft", "after": "b"}, "b": {"task": "sft", "after": "sft"}}},
            "start from one another in a circle",
        ),
    ],
)
def test_bad_experiments_are_refused(settings, tmp_path, capsys, changed, said):
    assert run(settings | changed, tmp_path) == 1
    assert said in capsys.readouterr().err


def test_other_folders_are_refused(settings, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert run(settings, tmp_path) == 1
    assert "holds no experiment; give a new folder with --out" in capsys.readouterr().err
    with pytest.raises(LinnetError, match=r"holds no arms\.json"):
        tables.summary(tmp_path)


# ---- the table ----

TREE = build(
    path_table([[f"o{k // 4}", f"f{k // 2}", f"s{k}"] for k in range(8)], ("order", "family", "species"))
)[0]


def experiment(folder, rights, n=10):
    """Answers in which each species of an arm and seed is right on its own share of photos."""
    about = {"cells": ["all"], "arms": list(rights), "seeds": [0, 1], "against": next(iter(rights))}
    folder.mkdir(exist_ok=True)
    (folder / tables.ABOUT).write_text(json.dumps(about))
    truth = np.repeat(TREE.lineages, n, axis=0)
    for arm, seeds in rights.items():
        for seed, shares in enumerate(seeds):
            run = folder / "all" / arm / f"seed-{seed}"
            run.mkdir(parents=True)
            store.write(TREE, run / "taxonomy.parquet")
            right = (np.arange(n) < np.asarray(shares)[:, None] * n).ravel()
            wrong = np.roll(truth, n, axis=0)
            lineages.keep(run, "test", truth, np.where(right[:, None], truth, wrong))
            (run / "metrics.json").write_text('{"steps": 3, "seconds": 1.5}')
    return {row["arm"]: row for row in tables.summary(folder)["rows"]}


def test_figures_are_means_over_seeds(tmp_path):
    rows = experiment(tmp_path / "e", {"a": [[0.5] * 8, [0.7] * 8], "b": [[0.6] * 8, [0.8] * 8]})
    assert rows["a"]["hca"]["value"] == pytest.approx(0.6)
    assert rows["a"]["hca"]["seed_std"] == pytest.approx(0.1414, abs=1e-3)
    assert rows["b"]["hca"]["difference"]["value"] == pytest.approx(0.1)
    low, high = rows["a"]["hca"]["interval"]
    assert (low, high) == pytest.approx((0.5, 0.7))  # species are alike, seeds are not
    assert rows["b"]["hca"]["difference"]["interval"] == pytest.approx(
        [0.1, 0.1]
    )  # paired: the seeds' gap is gone
    assert rows["a"]["steps"] == 3


def test_arms_with_fewer_seeds_are_paired_on_those_that_both_have(tmp_path):
    rows = experiment(tmp_path / "e", {"a": [[0.5] * 8, [0.7] * 8], "b": [[0.6] * 8]})
    assert rows["b"]["seeds"] == [0]
    assert rows["b"]["hca"]["difference"]["value"] == pytest.approx(0.1)
    assert rows["b"]["hca"]["seed_std"] is None


def test_intervals_are_over_species_too(tmp_path):
    shares = [0.2, 0.4, 0.6, 0.8, 1.0, 0.0, 0.5, 0.5]
    rows = experiment(tmp_path / "e", {"a": [shares, shares], "b": [shares, shares]})
    low, high = rows["a"]["hca"]["interval"]
    assert low < 0.4 < 0.5 < high
    assert rows["b"]["hca"]["difference"]["interval"] == [0.0, 0.0]


def test_above_the_leaf(tmp_path):
    """The last rank does not count: a sister species is right above the leaf."""
    truth = TREE.lineages
    sister = truth.copy()
    sister[:, 2] = truth[[1, 0, 3, 2, 5, 4, 7, 6], 2]
    found = tables.above(tables.Lineages(TREE, truth, sister))
    assert found.value == 1
    assert tables.above(tables.Lineages(TREE, truth, np.roll(truth, 4, axis=0))).value == 0
