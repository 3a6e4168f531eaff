"""A server on loopback, and a small bank of drawn photos on T6."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripted import Behaviour, ScriptedServer, Serve, with_logprobs

from linnet.bank.bank import Bank
from linnet.taxonomy import Taxonomy


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, proxy or cache of the machine is used."""
    for name in ("LINNET_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that are stopped after the test."""
    started: list[ScriptedServer] = []

    def start(behave: Behaviour = with_logprobs, port: int = 0) -> ScriptedServer:
        started.append(ScriptedServer(behave, port))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def small_bank(t6: Taxonomy, tmp_path: Path) -> Bank:
    """Six photos, one per species of T6, with 2, 3 and 4 options at their three levels."""
    leaves = t6.leaves
    n = len(leaves)
    lineage = t6.ancestors[leaves]
    options = np.full((n, 3, 4), -1, np.int32)
    rng = np.random.default_rng(0)
    for row in range(n):
        for level, count in enumerate((2, 3, 4)):
            taxa = [taxon for taxon in t6.at_level(level) if taxon != lineage[row, level]]
            options[row, level, :count] = rng.permutation([lineage[row, level], *taxa[: count - 1]])
    answer = (options == lineage[:, :, None]).argmax(axis=2).astype(np.int8)
    names = [str(t6.names[leaf]) for leaf in leaves]
    (tmp_path / "photos").mkdir()
    for k, name in enumerate(names):
        noise = np.random.default_rng(k).integers(0, 256, (20 + k, 30, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / f"{name}.png")
    return Bank(
        taxonomy=t6,
        sample_id=np.array(names, object),
        image=np.array([f"{name}.png" for name in names], object),
        label=np.array(names, object),
        split=np.array(["test"] * n, object),
        lineage=lineage,
        options=options,
        answer=answer,
        weight=np.ones((n, 3), np.float32),
        name="t6",
        image_root=tmp_path / "photos",
    )
