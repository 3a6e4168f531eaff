"""`linnet taxonomy`: what it prints, where, and its exit codes."""

import json
from pathlib import Path

import pytest

from linnet.cli import main

CSV = "order,family,genus,species\nO,F,G,a\nO,F,G,b\nO,F,H,c\nP,E,I,d\n"


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    path = tmp_path / "birds.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_show_json(birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taxonomy", "show", str(birds), "--json"]) == 0
    out, err = capsys.readouterr()
    shown = json.loads(out)
    assert (shown["name"], shown["n_taxa"], shown["n_leaves"], shown["n_levels"]) == ("birds.csv", 11, 4, 4)
    assert shown["ranks"] == ["order", "family", "genus", "species"]
    assert shown["taxa_per_level"] == [2, 2, 3, 4]
    assert shown["leaves_per_level"] == [0, 0, 0, 4]
    assert len(shown["fingerprint"]) == 16
    assert err == ""


def test_show_for_people(birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taxonomy", "show", str(birds), "--ranks", "order, genus,species"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("birds.csv: 9 taxa, 4 leaves, 3 levels, fingerprint ")
    assert lines[2:6] == [
        "level    taxa  leaves  with an only child  for example",
        "order       2       0                   1  O, P",
        "genus       3       0                   2  G, H, I",
        "species     4       4                   0  a, b, c, d"[
            : len("species     4       4                   0  a, b, c")
        ],
    ]
    assert lines[7:] == ["O (3 leaves)", "├─ G (2 leaves)", "│  ├─ a", "│  └─ b", "└─ H", "P"]


def test_show_published_file(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared / "data/taxonomies/hierarchy_CUB200.json"
    assert main(["taxonomy", "show", str(path), "--json", "--ranks", "order,family,genus,species"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["taxa_per_level"] == [13, 37, 124, 200]
    assert shown["ranks"] == ["order", "family", "genus", "species"]


def test_unknown_rank_goes_to_standard_error(birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taxonomy", "show", str(birds), "--ranks", "order,familly", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "linnet taxonomy: unknown rank 'familly' in birds.csv; ranks: order, family, genus, species. "
        "Did you mean 'family'?\n"
    )


def test_check_lists_findings(birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taxonomy", "check", str(birds)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "birds.csv: 0 errors, 3 warnings, 3 notes"
    assert any(line.split() == ["note", "only-child", "genus", "2"] for line in lines)


def test_check_fails_on_errors(birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    birds.write_text(CSV + "O,F,,\n", encoding="utf-8")
    assert main(["taxonomy", "check", str(birds), "--json"]) == 1
    out, err = capsys.readouterr()
    shown = json.loads(out)
    assert (shown["name"], shown["n_errors"], err) == ("birds.csv", 1, "")
    first = shown["findings"][0]
    assert (first["severity"], first["code"], first["count"], first["examples"]) == (
        "error",
        "leaf-also-internal",
        1,
        ["O > F"],
    )
    birds.write_text("")
    assert main(["taxonomy", "check", str(birds)]) == 1
    assert "birds.csv is empty; give at least one taxon" in capsys.readouterr().out


def test_convert_says_what_is_lost(birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "birds.parquet"
    assert main(["taxonomy", "convert", str(birds), str(out)]) == 0
    assert capsys.readouterr().err == f"11 taxa written to {out} (native)\n"
    out = tmp_path / "birds.json"
    assert main(["taxonomy", "convert", str(birds), str(out)]) == 0
    assert capsys.readouterr().err.splitlines()[1] == (
        "note: this format does not name the ranks; read it with --ranks order,family,genus,species"
    )
    assert main(["taxonomy", "convert", str(birds), str(out)]) == 2
    assert "is there already; choose another name or add --force" in capsys.readouterr().err
    birds.write_text("family,genus,species\nF,G,a\nE,H,b\nF,I,c\n")
    assert main(["taxonomy", "convert", str(birds), str(out), "--to", "nested", "--force"]) == 0
    assert "numbered anew" in capsys.readouterr().err
    assert json.loads(out.read_text())[0]["children"][1]["name"] == "I"


def test_help_names_the_actions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["taxonomy", "--help"])
    assert stop.value.code == 0
    assert "linnet taxonomy check birds.csv" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["taxonomy"])
    assert stop.value.code == 2
