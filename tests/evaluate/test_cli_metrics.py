"""`linnet metrics` on run folders and on the papers' result files."""

import gzip
import json

import numpy as np
import pytest
from evaluate_fakes import HashScorer, draw_photos, toy_bank

from linnet.cli import main
from linnet.evaluate import papers
from linnet.evaluate.paper_summary import records_of
from linnet.evaluate.run_folder import load
from linnet.evaluate.runner import run

EXAMPLE = ["ABCD ABCD", "ABCD AxCD", "ABCD xBCD", "abcd ABCD", "ABC ABU", "ABCD ABxD"]
MEANS = {
    "hca": 1 / 3,
    "leaf_accuracy": 5 / 6,
    "por": 0.8194444,
    "s_por_prefix": 0.5694444,
    "s_por_run": 0.7361111,
    "tor": 0.6388889,
}


def record(row):
    truth, pred = row.split()
    made = {"image": "x.jpg", "label": truth[-1]}
    for level, name in enumerate(truth, start=1):
        made[f"ground_truth_level{level}"] = name
        made[f"predicted_level{level}"] = "Unknown" if pred[level - 1] == "U" else pred[level - 1]
    return made


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([record(row) for row in EXAMPLE]))
    return path


@pytest.fixture
def runs(tmp_path):
    bank = toy_bank(24, tmp_path / "photos")
    draw_photos(bank, tmp_path / "photos")
    for name in ("a", "b"):
        run(bank, HashScorer(name), tmp_path / name, progress=False)
    return tmp_path


def told(capsys, *command):
    assert main(["metrics", *map(str, command), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


@pytest.mark.parametrize("protocol", ["paper", "linnet"])
def test_the_worked_example(results, capsys, protocol):
    figures = told(capsys, results, "--keep-root", "--protocol", protocol)
    assert figures["protocol"] == protocol
    assert {key: figures[key] for key in MEANS} == pytest.approx(MEANS)
    assert figures["level_accuracy"] == pytest.approx([5 / 6, 5 / 6, 4 / 6, 1])
    assert (figures["n"], figures["n_invalid"]) == (6, 1)
    assert {row["protocol"] for row in figures["results"]} == {"paper", "linnet"}


def test_the_first_level_is_dropped_by_default(results, capsys):
    for protocol in ("paper", "linnet"):
        figures = told(capsys, results, "--protocol", protocol)
        assert figures["hca"] == pytest.approx(3 / 6)


def test_gzipped_files_and_a_table_for_people(results, tmp_path, capsys):
    packed = tmp_path / "results.json.gz"
    packed.write_bytes(gzip.compress(results.read_bytes()))
    assert told(capsys, packed, "--keep-root") == told(capsys, results, "--keep-root")
    assert main(["metrics", str(packed), "--protocol", "paper", "--keep-root"]) == 0
    out = capsys.readouterr().out
    assert out.index("paper") < out.index("linnet")
    assert "33.3" in out
    assert "give --taxonomy" in out


def test_a_taxonomy_brings_the_metrics_on_the_tree(tmp_path, capsys):
    rows = [record("AB AB"), record("AC AB")]
    (tmp_path / "r.json").write_text(json.dumps(rows))
    (tmp_path / "t.json").write_text(json.dumps({"B": ["A", "B"], "C": ["A", "C"], "E": ["D", "E"]}))
    figures = told(capsys, tmp_path / "r.json", "--taxonomy", tmp_path / "t.json")
    assert (figures["hca"], figures["inconsistency_rate"], figures["ahd"]) == (0.5, 0.0, 0.5)


def test_a_cut_off_file(results, capsys):
    text = results.read_text()
    results.write_text(text[: text.index("}, ", 300) + 5])
    whole = results.read_text().count("}")
    assert main(["metrics", str(results)]) == 1
    message = capsys.readouterr().err
    assert message.startswith(
        f"linnet metrics: {results} is cut off after {whole} whole records (line 1, column "
    )
    assert message.endswith("copy the file again, or let the script that wrote it finish\n")


def test_run_folders_are_measured_again(runs, capsys):
    figures = told(capsys, runs / "a", "--decoders", "joint:weights=[1,1,2],leaf", "--candidates", "full")
    assert [row["decoder"] for row in figures["results"]] == ["joint:weights=[1,1,2]", "leaf"]
    assert figures["candidates"] == "full"
    whole = told(capsys, runs / "a")
    assert {row["candidates"] for row in whole["results"]} == {"four", "full"}


def test_a_run_under_the_papers_rules(runs, capsys):
    figures = told(capsys, runs / "a", "--protocol", "paper", "--keep-root")
    ours = told(capsys, runs / "a", "--candidates", "four", "--decoders", "independent")
    for key in MEANS:
        assert figures[key] == pytest.approx(ours[key])
    assert figures["chance_hca"] == pytest.approx(ours["chance_hca"])


def test_answers_written_as_the_papers_write_them(runs, tmp_path, capsys):
    made = load(runs / "a")
    made.answers.state[0, 1] = 2
    records = records_of(made.bank, made.answers)
    assert records[0]["predicted_level2"] == records[0]["predicted_level2_letter"] == "Unknown"
    chosen = records[1]["predicted_level3_letter"]
    assert records[1]["choices_level3"][chosen] == records[1]["predicted_level3"]
    (tmp_path / "r.json").write_text(json.dumps(records))
    assert papers.read(tmp_path / "r.json") == records
    assert papers.score(records, keep_root=True).n_invalid == 1


def test_paired_tests(runs, capsys):
    figures = told(capsys, runs / "a", "--against", runs / "b", "--decoders", "leaf", "--candidates", "full")
    assert [(test["candidates"], test["decoder"]) for test in figures["tests"]] == [("full", "leaf")]
    assert figures["tests"][0]["hca"]["difference"] == 0
    assert main(["metrics", str(runs / "a"), "--against", str(runs / "b")]) == 0
    assert "a - b" in capsys.readouterr().out


def test_refusals(runs, results, capsys):
    assert main(["metrics", str(results), "--decoders", "joint"]) == 2
    expected = "linnet metrics: --decoders has no meaning for the answers of a result file; leave it out\n"
    assert capsys.readouterr().err == expected
    assert main(["metrics", str(runs / "photos")]) == 1
    assert capsys.readouterr().err == (
        f"linnet metrics: {runs / 'photos'} holds no run.json, so it is no run folder; "
        "make one with linnet evaluate\n"
    )
    assert main(["metrics", str(runs / "a"), "--decoders", "bogus"]) == 2
    assert "unknown decoder 'bogus' in --decoders" in capsys.readouterr().err


def test_metrics_need_no_torch(runs):
    import subprocess
    import sys

    code = (
        "import sys; from linnet.cli import main; main(['metrics', sys.argv[1], '--json']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(runs / "a")], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.isfinite(json.loads(done.stdout)["hca"])
