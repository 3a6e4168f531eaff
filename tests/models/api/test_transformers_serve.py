"""A real server: `transformers serve` with a tiny chat model, where its packages are installed."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from linnet.bank.bank import Bank
from linnet.evaluate import runner
from linnet.models.base import State
from linnet.models.open import open_scorer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, server: subprocess.Popen[bytes], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            httpx.get(f"{url}/health", trust_env=False, timeout=1.0)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"transformers serve did not start within {seconds} s")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Model name and base URL of a tiny Qwen2.5-VL with random weights."""
    for package in ("fastapi", "uvicorn"):
        pytest.importorskip(package, reason="transformers serve needs pip install 'transformers[serving]'")
    from linnet.models.chat.tiny import save_tiny

    folder, port = save_tiny("qwen2_5_vl", tmp_path / "tiny"), free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}", server, 90)
            yield str(folder), f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def test_a_tiny_model_behind_transformers_serve(
    served: tuple[str, str], small_bank: Bank, tmp_path: Path
) -> None:
    model, url = served
    scorer = open_scorer(f"api:{model}@{url}", max_tokens=4, concurrency=2)
    assert scorer.describe()["protocol"] == "text"
    answers = runner.run(small_bank, scorer, tmp_path / "run", progress=False)
    assert np.isin(answers.state, [State.SCORED, State.UNPARSED]).all(), "every question got an answer"
    assert answers.text is not None
    assert all(answers.text.ravel())
