"""`linnet bank` from the command line: build, audit, export, and what it says when it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bank_cases import birds, photos, skewed

from linnet import cli, data
from linnet.bank import store
from linnet.bank.audit import audit
from linnet.bank.make import make
from linnet.taxonomy import files
from linnet.taxonomy import store as taxonomy_store


@pytest.fixture
def folder(monkeypatch):
    """`--data` reads the skewed photos, whatever the folder."""
    monkeypatch.setattr(data, "detect", lambda root: "made-up", raising=False)
    monkeypatch.setattr(data, "is_flat", lambda layout: False)
    monkeypatch.setattr(data, "read", lambda layout, root: skewed(200))


def run(*words: object) -> int:
    return cli.main(["bank", *map(str, words)])


def test_build_writes_a_bank_and_says_what_it_holds(folder, tmp_path, capsys):
    assert run("build", "--data", "x", "--seed", 5, "--out", tmp_path / "b") == 0
    assert capsys.readouterr().out == (
        f"{tmp_path / 'b'}: 200 samples, 600 questions at level1, level2, level3; policy balanced, seed 5\n"
    )
    bank = store.load(tmp_path / "b")
    assert (bank.options == make(skewed(200), "balanced", seed=5).options).all()


def test_build_prints_the_manifest_as_json(folder, tmp_path, capsys):
    words = ("--policy", "random", "--options", 3, "--limit", 50, "--name", "few", "--json")
    assert run("build", "--data", "x", "--out", tmp_path / "b", *words) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert (manifest["name"], manifest["n_samples"], manifest["n_options"]) == ("few", 50, 3)


def test_build_can_leave_photos_out_instead_of_weighing(folder, tmp_path):
    assert run("build", "--data", "x", "--subsample", "--out", tmp_path / "b") == 0
    bank = store.load(tmp_path / "b")
    assert len(bank) < 200
    assert (bank.weight == 1).all()


def test_held_out_taxa_are_told_kept_and_the_same_whatever_the_split(folder, tmp_path, capsys):
    words = ("build", "--data", "x", "--hold-out", "level2:1", "--hold-out-seed", 3)
    assert run(*words, "--out", tmp_path / "b") == 0
    whole = store.load(tmp_path / "b")
    held = whole.manifest["held_out"]
    told = capsys.readouterr().out.splitlines()[1]
    assert told == f"held out, {held['photos']} photos in split novel: level2 {held['taxa'][0][-1]}"
    assert len(whole) == 200
    assert run(*words, "--split", "novel", "--out", tmp_path / "n") == 0
    novel = store.load(tmp_path / "n")
    assert set(novel.sample_id) == set(whole.sample_id[whole.split == "novel"])
    assert novel.manifest["held_out"] == held
    assert run("build", "--data", "x", "--hold-out-seed", 3, "--out", tmp_path / "c") == 2


def test_limited_photos_are_the_same_in_every_order_and_other_with_another_seed(
    folder, tmp_path, monkeypatch
):
    def drawn(seed: int) -> set[str]:
        run("build", "--data", "x", "--limit", 20, "--seed", seed, "--out", tmp_path / "b")
        return set(store.load(tmp_path / "b").sample_id)

    first = drawn(0)
    assert drawn(1) != first
    turned = skewed(200).subset(np.arange(200)[::-1])
    monkeypatch.setattr(data, "read", lambda layout, root: turned)
    assert drawn(0) == first


def test_build_takes_names_from_another_taxonomy(folder, tmp_path, capsys):
    tree = skewed(10).taxonomy
    taxonomy_store.write(tree, tmp_path / "tree.parquet")
    few = tree.leaves[:4]
    data.read = lambda layout, root: photos(tree, few)  # the fixture puts the real one back
    assert run("build", "--data", "x", "--taxonomy", tmp_path / "tree.parquet", "--out", tmp_path / "b") == 0
    assert (
        store.load(tmp_path / "b").taxonomy.fingerprint == files.read(tmp_path / "tree.parquet").fingerprint
    )


def test_build_asks_a_dual_encoder_for_similar_names(folder, tmp_path, monkeypatch):
    asked: list[list[Path]] = []

    class Dual:
        def similarity(self, images, taxonomy):
            asked.append(images)
            return np.tile(np.arange(len(taxonomy), dtype=float), (len(images), 1))

    monkeypatch.setattr("linnet.models.open.open_scorer", lambda spec: Dual())
    words = ("--policy", "similar", "--similarity-model", "m", "--out", tmp_path / "b")
    assert run("build", "--data", "x", *words) == 0
    assert asked == [[Path("root") / f"images/{k:05d}.jpg" for k in range(200)]]
    bank = store.load(tmp_path / "b")
    wrong = np.where(bank.options[:, 2] == bank.lineage[:, 2, None], -1, bank.options[:, 2])
    assert (wrong.max(axis=1) >= len(bank.taxonomy) - 2).all()


def test_a_model_without_similarity_is_refused(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("linnet.models.open.open_scorer", lambda spec: object())
    words = ("--policy", "similar", "--similarity-model", "m", "--out", tmp_path / "b")
    assert run("build", "--data", "x", *words) == 1
    assert "model 'm' is no dual encoder, so it has no image-text similarity" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("--similarity-model", "m"),
            2,
            "--similarity-model has no meaning for another policy than similar",
        ),
        (
            ("--policy", "similar"),
            1,
            "policy 'similar' needs image-text similarities; give --similarity-model",
        ),
        (("--policy", "random", "--subsample"), 2, "--subsample has no meaning for another policy"),
        (("--limit", 0), 2, "--limit is 0; give the number of photos to ask about"),
        (("--split", "val"), 1, "'root' has no split 'val'; splits: test"),
        (("--policy", "ballanced"), 1, "Did you mean 'balanced'?"),
    ],
)
def test_build_says_what_is_wrong(folder, tmp_path, capsys, words, code, message):
    assert run("build", "--data", "x", "--out", tmp_path / "b", *words) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_audit_prints_the_table_or_one_object(tmp_path, capsys):
    bank = make(skewed(200), "balanced")
    store.save(bank, tmp_path / "b")
    assert run("audit", tmp_path / "b") == 0
    assert "whole path right, by a guesser who sees no image:" in capsys.readouterr().out
    assert run("audit", tmp_path / "b", "--json") == 0
    assert json.loads(capsys.readouterr().out) == audit(bank)


def test_audit_of_the_published_bank(shared, capsys):
    bank = shared / "data" / "banks" / "CUB200_with_similar_choice.jsonl"
    tree = shared / "data" / "taxonomies" / "hierarchy_CUB200.json"
    assert run("audit", bank, "--taxonomy", tree, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert 100 * figures["path"]["majority_hca"] == pytest.approx(6.52, abs=0.005)


def test_audit_counts_what_export_refuses(tmp_path, capsys):
    path = tmp_path / "b.jsonl"
    row = {"image": "a", "label": "y", "split": "test", "level1": "x", "choices_level1": ["x", "z", "z"]}
    path.write_text(json.dumps(row) + "\n")
    assert run("audit", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["defects"]["duplicate_options"] == 1
    assert run("export", path, "--to", "papers", "--out", tmp_path / "out") == 1
    assert "an option is offered twice" in capsys.readouterr().err


def test_export_writes_every_format(shared, tmp_path, capsys):
    store.save(make(birds(shared), "balanced").subset(np.arange(8)), tmp_path / "b")
    for to in ("papers", "lmms-eval", "lm-eval", "datasets"):
        assert run("export", tmp_path / "b", "--to", to, "--out", tmp_path / to, "--json") == 0
        told = capsys.readouterr()
        assert json.loads(told.out)["format"] == to
        assert ("question weights" in told.err) == (to == "papers")
        assert list((tmp_path / to).iterdir())


def test_export_refuses_options_the_format_has_no_use_for(tmp_path, capsys):
    store.save(make(skewed(4)), tmp_path / "b")
    words = ("export", tmp_path / "b", "--to", "papers", "--out", tmp_path / "o")
    assert run(*words, "--template", "plain") == 2
    assert "--template has no meaning for the format papers" in capsys.readouterr().err
    assert run("export", tmp_path / "b", "--to", "lm_evil", "--out", tmp_path / "o") == 1
    assert "Did you mean 'lm-eval'?" in capsys.readouterr().err


def test_another_taxonomy_is_refused(tmp_path, shared, capsys):
    store.save(make(skewed(4)), tmp_path / "b")
    tree = shared / "data" / "taxonomies" / "hierarchy_CUB200.json"
    assert run("audit", tmp_path / "b", "--taxonomy", tree) == 1
    assert "bank 'skewed-random' and the given taxonomy do not belong together" in capsys.readouterr().err


def test_real_photos_make_a_bank(shared, tmp_path, capsys):
    root = shared / "data" / "cub100"
    assert run("build", "--data", root, "--policy", "balanced", "--out", tmp_path / "b", "--json") == 0
    assert json.loads(capsys.readouterr().out)["n_samples"] == 2903
    bank = store.load(tmp_path / "b")
    assert bank.taxonomy.taxa_per_level == [13, 30, 78, 100]
    assert bank.image_path(0).is_file()
    for level in audit(bank)["levels"]:
        for guess in ("majority", "frequency"):
            assert abs(level[guess] - level["chance"]) < 2 * level["chance_standard_error"]


def test_help_imports_no_numpy():
    """The help of every verb is made without the arrays."""
    code = "import sys; from linnet.cli import parser; parser(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
