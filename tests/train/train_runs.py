"""What tests of training share: a run by the command, and what it changed."""

import json

import torch
from train_cases import written

from linnet.cli import main
from linnet.models.chat.load import open_chat


def run(tmp_path, chosen, *more, out="run"):
    file = written(tmp_path / "recipe.yaml", chosen)
    where = ["--out", str(tmp_path / out)] if out else []
    return main(["train", str(file), *more, *where, "--device", "cpu", "--json"])


def trained(capsys, tmp_path, chosen, *more, out="run"):
    assert run(tmp_path, chosen, *more, out=out) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, tmp_path, chosen, *more, out="run"):
    assert run(tmp_path, chosen, *more, out=out) == 1
    return capsys.readouterr().err.strip().splitlines()[-1].replace(str(tmp_path), "DIR")


def weights(folder):
    return open_chat(str(folder), device="cpu").model.state_dict()


def changed(one, other):
    return {name for name, value in one.items() if not torch.equal(value, other[name])}
