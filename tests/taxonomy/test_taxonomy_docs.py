"""What the page on taxonomies shows is what the commands print."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from linnet.cli import main
from linnet.taxonomy import files

PAGE = Path(__file__).resolve().parents[2] / "docs/taxonomy.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "birds.csv").write_text(blocks("csv birds.csv")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def session(commands: list[str]) -> str:
    """The commands with what a terminal shows for them."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        for command in commands:
            print(f"$ {command}")
            main(shlex.split(command)[1:])
    return shown.getvalue()


@pytest.mark.usefixtures("birds")
def test_commands() -> None:
    for block in blocks("console"):
        commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
        assert commands
        assert session(commands) == block


@pytest.mark.usefixtures("birds")
def test_python_lines() -> None:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(blocks("python")[0], {})
    assert shown.getvalue() == blocks("output")[0]


def test_examples_of_formats_are_read(tmp_path: Path) -> None:
    examples = [*blocks("json"), *blocks("csv"), *blocks("text")]
    seen = []
    for text in examples:
        (tmp_path / "file").write_text(text, encoding="utf-8")
        files.read(tmp_path / "file")
        seen.append(files.reader(tmp_path / "file").__name__.rsplit(".", 1)[1])
    assert seen == ["leaf_paths", "nested", "nested", "darwin_core", "inat_folders"]
