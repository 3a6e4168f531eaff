"""`linnet predict` and `linnet calibrate`: every format, resuming, and refusals word by word."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from predict_fakes import PATHS, Leaves, draw, png_head

from linnet.cli import main
from linnet.models import open as opening
from linnet.predict import formats
from linnet.predict.formats.camtrap_dp import COLUMNS as CAMTRAP

TREE = "order,family,species\n" + "\n".join(row.replace(" ", ",") for row in PATHS) + "\n"


@pytest.fixture
def scorers(monkeypatch):
    made = []
    monkeypatch.setattr(opening, "open_scorer", lambda spec, **_: made.append(Leaves(spec)) or made[-1])
    return made


@pytest.fixture
def place(tmp_path, scorers):
    """Six photos with labels, a tree, and a torn photo beside them."""
    draw(tmp_path / "photos", 6)
    (tmp_path / "photos" / "torn.png").write_bytes((tmp_path / "photos" / "photo0.png").read_bytes()[:40])
    (tmp_path / "tree.csv").write_text(TREE)
    draw(tmp_path / "labelled", 60)
    rows = [f"photo{k}.png,{PATHS[k % 6].replace(' ', ',')}" for k in range(60)]
    (tmp_path / "labelled" / "metadata.csv").write_text(
        "\n".join(["file_name,order,family,species", *rows]) + "\n"
    )
    return tmp_path


def predict(place, *more, out="out.csv", photos="photos"):
    command = ["predict", str(place / photos), "--model", "m", "--taxonomy", str(place / "tree.csv")]
    return main([*command, "--out", str(place / out), *more])


def calibrate(place, *more):
    command = ["calibrate", str(place / "labelled"), "--model", "m", "--taxonomy", str(place / "tree.csv")]
    return main([*command, "--out", str(place / "c.json"), *more])


def refusal(place, capsys, *more, code=1, **named):
    assert predict(place, *more, **named) == code
    return capsys.readouterr().err.strip().splitlines()[-1].replace(str(place), "DIR")


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# ---- formats ----


def test_csv_has_the_columns_of_pybioclip(place):
    assert predict(place, "--stop", "leaf") == 0
    rows = rows_of(place / "out.csv")
    assert len(rows) == 7
    assert list(rows[0])[:6] == ["file_name", "order", "family", "species", "common_name", "score"]
    first, torn = rows[0], rows[-1]
    assert first["stopped_at"] == "species"
    assert float(first["score"]) == float(first["species_score"]) <= float(first["order_score"])
    assert " ".join(first[rank] for rank in ("order", "family", "species")) in PATHS
    assert torn["problem"].startswith("photo ")
    assert torn["score"] == torn["species"] == ""


def test_linnaean_ranks_have_an_epithet(place):
    (place / "tree.csv").write_text(
        "kingdom,phylum,class,order,family,genus,species\n"
        "Animalia,Chordata,Aves,Pas,Cor,Corvus,Corvus corax\nAnimalia,Chordata,Aves,Pas,Cor,Pica,Pica pica\n"
    )
    assert predict(place, "--stop", "leaf") == 0
    row = rows_of(place / "out.csv")[0]
    assert list(row)[7:9] == ["species_epithet", "species"]
    assert row["species"].split()[1] == row["species_epithet"]


@pytest.mark.parametrize("format", formats.names())
def test_every_format_has_every_photo_and_the_fingerprints(place, format):
    assert calibrate(place) == 0
    assert predict(place, "--format", format, "--calibration", str(place / "c.json"), "--risk", "0.1") == 0
    about = json.loads((place / "out.csv.run" / "output.json").read_text())
    assert about["risk"] == 0.1
    if format == "parquet":
        table = pq.read_table(place / "out.csv")
        text = table.schema.metadata[b"linnet_predictions"].decode()
        assert len(table) == 7
    else:
        text = (place / "out.csv").read_text()
        assert len(text.splitlines()) == 7 + (format != "jsonl")
    for key in ("revision", "taxonomy_fingerprint", "calibration"):
        assert about[key] in text


def test_camtrap_observations(place):
    assert predict(place, "--format", "camtrap-dp", "--stop", "majority") == 0
    rows = rows_of(place / "out.csv")
    assert list(rows[0]) == CAMTRAP
    assert rows[0]["deploymentID"] == "photos"
    assert rows[0]["observationType"] in ("animal", "unknown")
    assert rows[0]["classificationMethod"] == "machine"
    assert rows[-1]["observationType"] == "unclassified"
    names = {name for path in PATHS for name in path.split()}
    assert {row["scientificName"] for row in rows} <= names | {""}


def test_darwin_core_names_the_taxon_where_it_stops(place):
    assert predict(place, "--format", "darwin-core", "--stop", "climbing", "--threshold", "0.6") == 0
    for row in rows_of(place / "out.csv")[:-1]:
        if row["scientificName"]:
            assert row["taxonRank"] in ("order", "family", "species")
            assert row["basisOfRecord"] == "MachineObservation"
            assert row[row["taxonRank"]] == row["scientificName"] if row["taxonRank"] != "species" else True


def test_jsonl_keeps_the_whole_chain(place):
    assert predict(place, "--stop", "climbing", "--threshold", "0.99", out="out.jsonl") == 0
    lines = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert [len(line["chain"]) for line in lines] == [3] * 6 + [0]
    assert any(line["stopped_at"] is None for line in lines[:6])


# ---- resuming ----


def test_the_same_command_looks_at_nothing_twice(place, scorers):
    assert predict(place) == 0
    first = (place / "out.csv").read_text()
    assert scorers[0].seen == 6
    assert predict(place, "--stop", "leaf") == 0  # another rule for stopping needs no model
    assert scorers[1].seen == 0
    assert predict(place) == 0
    assert (place / "out.csv").read_text() == first


def test_a_mended_photo_is_looked_at(place, scorers):
    assert predict(place) == 0
    assert "torn.png" in (place / "out.csv.run" / "unreadable.csv").read_text()
    (place / "photos" / "torn.png").write_bytes((place / "photos" / "photo1.png").read_bytes())
    assert predict(place) == 0
    assert scorers[1].seen == 1
    assert (place / "out.csv.run" / "unreadable.csv").read_text() == "photo,reason\n"


def test_another_model_is_refused_and_overwrites_if_asked(place, capsys):
    assert predict(place) == 0
    capsys.readouterr()
    said = refusal(place, capsys, "--model", "other")
    assert said == (
        "linnet predict: DIR/out.csv.run holds predictions of something else: model.model: m -> other. "
        "Give another --out, or replace them with --overwrite"
    )
    assert predict(place, "--model", "other", "--overwrite") == 0


def test_killed_work_goes_on(tmp_path):
    draw(tmp_path / "photos", 20)
    here = Path(__file__).parent
    command = [sys.executable, str(here / "predict_fakes.py"), str(tmp_path), "0.2"]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(here.parents[1] / "src")})
    scores = tmp_path / "out.csv.run" / "scores.jsonl"
    until = time.monotonic() + 120
    while (not scores.exists() or scores.read_text().count("\n") < 4) and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = scores.read_text().count("\n")
    with open(scores, "a") as file:
        file.write('["photo3')  # a torn line
    import predict_fakes

    predict_fakes.main(tmp_path, 0)
    lines = [json.loads(line) for line in scores.read_text().splitlines()]
    assert 4 <= before < 20 == len(lines) == len({line[0] for line in lines})


# ---- refusals ----


def test_an_empty_folder(place, capsys):
    (place / "empty").mkdir()
    assert refusal(place, capsys, photos="empty").startswith(
        "linnet predict: 'DIR/empty' holds no photo (looked for"
    )


def test_risk_zero(place, capsys):
    assert refusal(place, capsys, "--risk", "0", "--calibration", "c.json", code=2) == (
        "linnet predict: --risk 0 is no probability of being wrong; give a number between 0 and 1, "
        "such as 0.05"
    )


def test_a_risk_needs_a_calibration(place, capsys):
    assert refusal(place, capsys, "--risk", "0.1", code=2) == (
        "linnet predict: --risk 0.1 needs --calibration FILE; make one with linnet calibrate"
    )


def test_too_few_calibration_photos(place, capsys):
    assert calibrate(place, "--limit", "12") == 0
    capsys.readouterr()
    said = refusal(place, capsys, "--calibration", str(place / "c.json"), "--risk", "0.05")
    assert said == (
        "linnet predict: risk 0.05 needs at least 19 calibration photos and there are 12; label 7 more, or "
        "give --risk 0.077 or above"
    )


def test_a_taxonomy_with_one_taxon(place, capsys):
    (place / "tree.csv").write_text("species\nMallard\n")
    assert refusal(place, capsys) == (
        "linnet predict: taxonomy 'tree.csv' has one leaf ('Mallard'), so there is nothing to tell apart; "
        "give one with at least two"
    )


def test_an_output_that_cannot_be_written(place, capsys):
    (place / "file").write_text("")
    assert refusal(place, capsys, out="file/out.csv") == (
        "linnet predict: cannot write 'DIR/file/out.csv' (Not a directory); give another --out"
    )


def test_an_output_that_is_a_folder_is_refused_before_any_photo_is_seen(place, capsys, scorers):
    (place / "out.csv").mkdir()
    assert refusal(place, capsys) == (
        "linnet predict: 'DIR/out.csv' is a folder; give a file to write with --out"
    )
    assert scorers[0].seen == 0
    (place / "c.json").mkdir()
    assert calibrate(place) == 1
    assert "is a folder" in capsys.readouterr().err


def test_photos_that_cannot_be_opened_are_all_listed(place, capsys):
    (place / "photos" / "huge.png").write_bytes(png_head(30_000, 30_000))
    whole = (place / "photos" / "photo0.png").read_bytes()
    Image.open(BytesIO(whole)).resize((300, 300)).save(place / "torn.jpg")
    (place / "photos" / "torn.jpg").write_bytes((place / "torn.jpg").read_bytes()[:700])
    assert predict(place, "--stop", "leaf") == 0
    assert "3 could not be read" in capsys.readouterr().out
    problems = {Path(row["file_name"]).name: row["problem"] for row in rows_of(place / "out.csv")}
    assert len(problems) == 9
    assert "exceeds limit" in problems["huge.png"]
    assert "truncated" in problems["torn.jpg"]
    listed = rows_of(place / "out.csv.run" / "unreadable.csv")
    assert sorted(Path(row["photo"]).name for row in listed) == ["huge.png", "torn.jpg", "torn.png"]


def test_a_table_without_a_column_of_paths(place, capsys):
    (place / "photos.csv").write_text("id,where\n1,a.png\n")
    assert refusal(place, capsys, photos="photos.csv").startswith(
        "linnet predict: DIR/photos.csv has no column file_name (or filePath,"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--batch-size", "0"], "--batch-size is 0; give 1 or more"),
        (["--workers", "-1"], "--workers is -1; give 1 or more"),
        (["--detector-confidence", "2"], "--detector-confidence is 2; give a number from 0 to 1"),
        (["--ask", "twice"], "unknown value 'twice' in --ask; values: tree, leaves"),
    ],
)
def test_numbers_that_cannot_be(place, capsys, options, said):
    assert said in refusal(place, capsys, *options, code=2)


def test_a_port_that_is_none(place, capsys):
    command = ["serve", "--model", "m", "--taxonomy", str(place / "tree.csv"), "--port", "99999"]
    assert main(command) == 2
    assert "--port is 99999; give a number from 0 to 65535" in capsys.readouterr().err


def test_unknown_suffix_and_rule(place, capsys):
    assert refusal(place, capsys, out="out.xyz", code=2) == (
        "linnet predict: cannot tell the format of 'DIR/out.xyz' by its suffix; give --format "
        "camtrap-dp|csv|darwin-core|jsonl|parquet"
    )
    assert "unknown rule 'climb' in --stop" in refusal(place, capsys, "--stop", "climb", code=2)


def test_unknown_names_are_told_and_the_work_goes_on(place, capsys):
    (place / "list.txt").write_text("s1\ns2\nc9\n")
    assert predict(place, "--species", str(place / "list.txt"), "--stop", "leaf") == 0
    assert "1 name of " in capsys.readouterr().err
    assert {row["species"] for row in rows_of(place / "out.csv")} <= {"s1", "s2", ""}


def test_a_calibration_tells_what_it_takes(place, capsys):
    assert calibrate(place, "--temperature", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["photos"] == 40
    assert told["risks"][0] == {"risk": 0.01, "needs": 99}
    assert set(told["risks"][-1]) == {"risk", "climbing", "darts"}


def test_the_summary_counts_every_photo(place, capsys):
    assert predict(place, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["photos"] == 7 == told["no_answer"] + sum(told["stopped_at"].values())
    assert told["no_answer"] == 1
