"""`linnet report` on whole, torn, foreign and unlike folders."""

import json
import re

import numpy as np
import pytest
from report_cases import NASTY, make_run, make_training, toy_bank

from linnet.cli import main
from linnet.report import view


def embedded(page):
    """The data in a page."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def test_a_report_needs_no_other_file(page):
    text = page.read_text(encoding="utf-8")
    assert NASTY not in text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert {part["id"] for part in embedded(page)["sections"]} >= {"training", "probe", "prompts", "compare"}


def test_the_command_says_what_it_wrote(runs, tmp_path, capsys):
    out = tmp_path / "new" / "one.html"
    assert main(["report", str(runs / "plain"), "--out", str(out), "--no-photos", "--gallery", "4"]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: 1 folders, 0.")
    items = next(part for part in embedded(out)["sections"] if part["id"] == "gallery")["figures"][0]["items"]
    assert len(items) == 4
    assert all(item["photo"] is None for item in items)


def test_all_taxa_need_scores_of_all_taxa(runs, tmp_path, capsys):
    out = str(tmp_path / "full.html")
    assert (
        main(["report", str(runs / "better"), "--candidates", "full", "--decoder", "joint", "--out", out])
        == 0
    )
    assert main(["report", str(runs / "plain"), "--candidates", "full", "--out", out]) == 1
    assert "--candidates four" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--gallery", "-1"], ["--decoder", "jonit"], ["--candidates", "four,full"]]
)
def test_wrong_options_end_with_two(runs, tmp_path, wrong):
    assert main(["report", str(runs / "plain"), "--out", str(tmp_path / "x.html"), *wrong]) == 2
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_run_is_named(tmp_path, capsys):
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 1
    assert f"{tmp_path} holds none of run.json, train.json, probes.json" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "gone"), "--out", str(tmp_path / "x.html")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_a_torn_run_says_which_file(tmp_path, capsys):
    (tmp_path / "probes.json").write_text('{"places": [')
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 1
    assert "probes.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["folder", "file/x.html"])
def test_an_output_that_cannot_be_written_is_refused(runs, tmp_path, capsys, out):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    assert main(["report", str(runs / "plain"), "--out", str(tmp_path / out)]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_unfinished_run_is_reported_as_far_as_it_goes(tmp_path, capsys):
    make_run(tmp_path / "run", n=40)
    path = tmp_path / "run" / "answers.arrow"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    out = tmp_path / "x.html"
    assert main(["report", str(tmp_path / "run"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    n = int(re.search(r"run is unfinished: (\d+) of 40 samples", said)[1])
    assert 0 < n < 40
    assert embedded(out)["heads"][0]["samples"] == n
    path.unlink()
    assert main(["report", str(tmp_path / "run"), "--out", str(out)]) == 0
    assert [part["id"] for part in embedded(out)["sections"]] == ["card"]


def test_an_unfinished_training_shows_its_curves(tmp_path):
    out = tmp_path / "x.html"
    assert main(["report", str(make_training(tmp_path / "run", finished=False)), "--out", str(out)]) == 0
    figures = next(part for part in embedded(out)["sections"] if part["id"] == "training")["figures"]
    assert [panel["title"] for panel in figures[0]["panels"]] == ["loss", "grad_norm"]
    assert figures[-1]["rows"][0][-1].startswith("unfinished")


def test_only_the_same_questions_are_compared(tmp_path):
    bank = toy_bank(30)
    changed = bank.options.copy()
    changed[20:] = changed[20:, :, ::-1]
    make_run(tmp_path / "a", bank=bank)
    other = bank.subset(np.arange(29, 4, -1))  # rows 29 … 5, in another order
    make_run(tmp_path / "b", bank=other)
    seen = view.read([tmp_path / "a", tmp_path / "b"])
    pair = seen.pairs[0]
    assert list(pair.a.bank.sample_id) == list(pair.b.bank.sample_id)
    assert len(pair.a) == 25
    assert "compared on the 25" in seen.notes[0]


def test_unlike_questions_and_taxonomies_are_told_apart(tmp_path):
    make_run(tmp_path / "a", bank=toy_bank(12))
    make_run(tmp_path / "b", bank=toy_bank(12, seed=1).subset(np.arange(12)))
    seen = view.read([tmp_path / "a", tmp_path / "b"])
    same = len(seen.pairs[0].a) if seen.pairs else 0
    assert same < 12
    assert seen.notes
    from report_cases import renamed

    make_run(tmp_path / "c", bank=renamed(toy_bank(12), 0, "other"))
    apart = view.read([tmp_path / "a", tmp_path / "c"])
    assert not apart.pairs
    assert "different taxonomies" in apart.notes[0]


def test_names_are_as_short_as_they_can_be(tmp_path):
    from linnet.report.folders import names

    assert names([tmp_path / "x" / "run", tmp_path / "y" / "run", tmp_path / "z"]) == ["x/run", "y/run", "z"]
    with pytest.raises(ValueError, match="given twice"):
        view.read([tmp_path, tmp_path])
