"""TerraIncognita end to end on a folder as published, with a tiny chat model and with a served one."""

import json

import numpy as np
import pytest
from PIL import Image

from linnet import cli
from linnet.errors import LinnetError
from linnet.models import lines
from linnet.models.chat import lines as chat_lines
from linnet.models.parsers import abstains
from linnet.models.parsers import lines as read

TABLE = "Folder,Order,Family,Genus,Species\n"


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "TerraIncognita"
    for place in ("Known/1", "Known/2", "Novel/12"):
        (root / place).mkdir(parents=True)
        for name in "ab":
            noise = np.random.default_rng(len(place) + ord(name)).integers(0, 256, (40, 48, 3), np.uint8)
            Image.fromarray(noise).save(root / place / f"{name}.png")
    (root / "metadata_known.csv").write_text(
        f"{TABLE}1,Lepidoptera,Nymphalidae,Morpho,Morpho menelaus\n"
        "2,Coleoptera,Carabidae,Carabus,Carabus auratus\n"
    )
    (root / "metadata_novel.csv").write_text(f"{TABLE}12,Lepidoptera,Crambidae,Unknown,Unknown\n")
    return root


def evaluate(model, folder, out, *more):
    words = ["--bank", str(folder), "--split", "all", "--policy", "random", "--protocol", "terraincognita"]
    return cli.main(["evaluate", "--model", str(model), *words, "--out", str(out), *more])


def test_a_tiny_model_is_asked_once_resumed_and_measured_without_it(tiny, folder, tmp_path, capsys):
    words = (tiny("qwen3_vl"), folder, tmp_path / "run", "--device", "cpu", "--option", "max_new_tokens=4")
    assert evaluate(*words) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0].startswith("split  rank")
    assert evaluate(*words) == 0
    assert capsys.readouterr().out == table
    sessions = json.loads((tmp_path / "run" / "run.json").read_text())["sessions"]
    assert [session["report"]["replies"] for session in sessions] == [6, 0]
    kept = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert cli.main(["metrics", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == kept


def test_replies_are_read_and_told(tiny, folder, tmp_path, capsys, monkeypatch):
    reply = "Order: Lepidoptera\nFamily: Nymphalidae\nGenus: Unknown\nSpecies: Unknown"
    monkeypatch.setattr(chat_lines, "generate", lambda chat, prompts, *rest: [reply] * len(prompts))
    assert evaluate(tiny("qwen3_vl"), folder, tmp_path / "run", "--device", "cpu", "--json") == 0
    told = json.loads(capsys.readouterr().out)["splits"]
    assert told["known"]["ranks"][0]["accuracy"] == 0.5
    assert told["novel"]["ranks"][3]["discovery_accuracy"] == 1
    assert told["novel"]["ranks"][1]["accuracy"] == 0


def test_the_prompt_names_every_rank_and_the_way_out(bank):
    system = lines.template(bank).system
    assert all(f"\n{rank.capitalize()}: <name or Unknown>" in system for rank in bank.taxonomy.ranks)


def test_lines_are_read_by_key():
    text = "<think>Order: no</think> Sure!\n ORDER:  Lepidoptera \nfamily: Unknown\nGenus:\nOrdering: x"
    found = read(text, ("order", "family", "genus", "species"))
    assert found == ["Lepidoptera", "Unknown", None, None]
    assert [abstains(name) for name in found] == [False, True, True, True]


def test_a_text_model_is_refused():
    class Blind:
        needs_image = False

    with pytest.raises(LinnetError, match="shows a photo"):
        chat_lines.LinesScorer(Blind(), 4)
