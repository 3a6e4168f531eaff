"""Two processes of `accelerate launch` make the updates of one process with the batches of both."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate.commands.config import load_config_from_file
from chat_cases import bird_bank, saved, settings, tiny
from safetensors.torch import load_file
from tara_cases import trainer_of
from train_cases import written

from linnet.cli import main
from linnet.errors import LinnetError

CONFIGURATIONS = Path(__file__).resolve().parents[2] / "docs" / "accelerate"
MODES = ("alternate", "alternate_fresh", "joint")
# one start of two processes runs all recipes: importing takes longer than training
SCRIPT = """
import sys
from linnet.cli import main
for recipe, out in zip(sys.argv[1::2], sys.argv[2::2]):
    code = main(["train", recipe, "--out", out, "--device", "cpu", "--json"])
    assert code == 0, (recipe, code)
import torch
torch.distributed.destroy_process_group()
"""


def values(model, bank, mode, batch):
    """3 steps of 4 photos, each with as many questions as the next, so that means of means are means."""
    return settings(
        "tara",
        model,
        bank,
        data={"val": None, "test": []},
        teacher={"kind": "random", "grid": 3, "width": 6},
        align={"hidden": 8, "mode": mode, "learning_rate": 0.004, "projector_rate": 0.01},
        train={
            "parts": ["projector", "vision"],
            "precision": "fp32",
            "schedule": "constant",
            "warmup": 0.0,
            "max_steps": 3,
            "learning_rate": 0.002,
            "batch_size": batch,
        },
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of all modes, trained by one process and by two."""
    root = tmp_path_factory.mktemp("processes")
    model, bank = tiny(root / "qwen3_vl"), saved(bird_bank(root / "photos"), root / "bank")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINNET_CACHE", str(root / "one-cache"))
        pairs = []
        for mode in MODES:
            alone = written(root / f"{mode}.yaml", values(model, bank, mode, 4))
            assert main(["train", str(alone), "--out", str(root / "one" / mode), "--device", "cpu"]) == 0
            shared = written(root / f"{mode}-2.yaml", values(model, bank, mode, 2))
            pairs += [str(shared), str(root / "two" / mode)]
        launched(root, pairs)
    return root


def launched(root, pairs):
    script = root / "script.py"
    script.write_text(SCRIPT)
    how = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    how += ["--dynamo_backend", "no", "--main_process_port", "0"]
    env = {**os.environ, "LINNET_CACHE": str(root / "two-cache"), "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "accelerate.commands.launch", *how]
    done = subprocess.run(
        [*launch, str(script), *pairs], env=env, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.count('"projector_parameters"') == len(MODES)  # the main process alone tells figures


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("file", ["projectors.safetensors", "model/model.safetensors"])
def test_two_processes_make_the_updates_of_one(runs, mode, file):
    one, two = (load_file(runs / many / mode / file) for many in ("one", "two"))
    start = load_file(runs / "qwen3_vl" / "model.safetensors")
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=2e-5, rtol=1e-3, msg=name)
    moved = {name for name in one.keys() & start.keys() if not torch.equal(one[name], start[name])}
    assert file.startswith("proj") or len(moved) > 10


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    return tiny(root / "qwen3_vl"), saved(bird_bank(root / "photos"), root / "bank")


def test_modes_that_step_twice_are_refused_where_moments_are_in_pieces(tmp_path, world):
    trainer = trainer_of(tmp_path, *world, align={"mode": "alternate"})
    trainer.is_deepspeed_enabled = True
    with pytest.raises(LinnetError, match=r"align.mode=alternate steps twice .* set align.mode=joint"):
        trainer._refuse_sharding()


@pytest.mark.parametrize(("fsdp", "stage", "said"), [(True, None, "FSDP"), (False, 3, "DeepSpeed ZeRO-3")])
def test_weights_in_pieces_are_refused_before_the_first_step(tmp_path, world, monkeypatch, fsdp, stage, said):
    trainer = trainer_of(tmp_path, *world, align={"mode": "joint"})
    trainer.is_fsdp_enabled = fsdp
    plugin = None if stage is None else SimpleNamespace(zero_stage=stage)
    state = SimpleNamespace(deepspeed_plugin=plugin)
    monkeypatch.setattr(trainer, "accelerator", SimpleNamespace(state=state))
    with pytest.raises(LinnetError, match=f"{said} keeps weights in pieces, .* zero_stage: 2"):
        trainer.train()


@pytest.mark.parametrize(("name", "kind"), [("ddp", "MULTI_GPU"), ("deepspeed-zero2", "DEEPSPEED")])
def test_configurations_are_accelerates(name, kind):
    found = load_config_from_file(str(CONFIGURATIONS / f"{name}.yaml"))
    assert str(found.distributed_type.value) == kind
    assert found.num_processes == 4
    assert found.deepspeed_config.get("zero_stage") == (2 if kind == "DEEPSPEED" else None)
