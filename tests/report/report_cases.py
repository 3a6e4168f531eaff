"""Run folders for the tests of the report: the toy bank, answered by a scorer that is often right."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "evaluate"))
from evaluate_fakes import HashScorer, draw_photos, toy_bank

from linnet.evaluate.runner import run as answer
from linnet.models.base import Scored, pick_options
from linnet.taxonomy.tree import Taxonomy

NASTY = "<script>alert(1)</script>"


class Knowing(HashScorer):
    """Scores the true taxa higher by `sure`, on top of a hash of the picture; some wordings if asked."""

    def __init__(self, name="knowing", sure=1.5, nodes=False, variants=0):
        super().__init__(name, nodes)
        self.sure, self.variants = sure, variants

    def load(self, image):
        return hashlib.sha256(np.asarray(image).tobytes() + self.name.encode()).digest()

    def score(self, items, rows):
        taxonomy, seeds = self.bank.taxonomy, [int.from_bytes(item[:8], "little") for item in items]
        raw = np.array([np.random.default_rng(seed).normal(size=len(taxonomy)) for seed in seeds])
        np.put_along_axis(raw, self.bank.lineage[rows], 0, axis=1)
        raw[np.arange(len(rows))[:, None], self.bank.lineage[rows]] += self.sure
        for start, stop in zip(taxonomy.level_offsets, taxonomy.level_offsets[1:], strict=False):
            raw[:, start:stop] -= np.log(np.exp(raw[:, start:stop]).sum(axis=1, keepdims=True))
        options = pick_options(self.bank, rows, raw.astype(np.float32))
        several = None
        if self.variants:
            turned = [
                np.where(np.isnan(options), np.nan, options * (1 - 2 * (k % 2))) for k in range(self.variants)
            ]
            several = np.stack(turned, axis=2)
        return Scored(options, raw.astype(np.float32) if self.nodes else None, variant_logprob=several)


def renamed(bank, taxon, name):
    """The bank with another name for one taxon."""
    tree = bank.taxonomy
    names = tree.names.copy()
    names[taxon] = name
    return replace(bank, taxonomy=Taxonomy(names, tree.parent, tree.level, tree.ranks, tree.name))


def make_run(folder, n=36, bank=None, **scorer):
    """A finished run folder on drawn photos, and its bank."""
    photos = folder.parent / "photos"
    bank = replace(bank or toy_bank(n), image_root=photos)
    draw_photos(bank, photos)
    answer(bank, Knowing(**{"name": folder.name, **scorer}), folder, batch_size=8, progress=False)
    return bank


def make_training(folder, finished=True):
    """A training folder as far as the report reads it."""
    state = folder / "checkpoints" / "checkpoint-30" / "trainer_state.json"
    state.parent.mkdir(parents=True)
    log = [{"step": s, "epoch": s / 10, "loss": 2 / s, "grad_norm": 1.0} for s in (10, 20, 30)]
    state.write_text(json.dumps({"log_history": log}))
    torn = folder / "checkpoints" / "checkpoint-40" / "trainer_state.json"
    torn.parent.mkdir()
    torn.write_text('{"log_his')
    about = {"fingerprint": {"recipe": {"task": "dual"}}, "sessions": [{"started": "now"}]}
    (folder / "train.json").write_text(json.dumps(about))
    if finished:
        reached = {"fpa": 0.5, "inconsistency_rate": 0.1, "leaf_accuracy": 0.75}
        levels = {"level_accuracy": {"order": 0.9, "species": 0.75}}
        figures = {"figures": {"test": {"all": {"n": 40, "joint": reached | levels}}}}
        (folder / "metrics.json").write_text(json.dumps(figures))
    return folder


def make_probe(folder, finished=True):
    """A probe folder as far as the report reads it: its run.json is no evaluation's."""
    folder.mkdir()
    about = {"fingerprint": {"model": {"model": "chat"}, "places": ["pixels"]}, "sessions": []}
    (folder / "run.json").write_text(json.dumps(about))
    accuracy = {"pixels": [0.3, 0.1], "tower": [0.9, 0.8], "answer": [0.7, None]}
    readings = [
        {"place": place, "labels": "true", "full": {"independent": {"level_accuracy": levels}}}
        for place, levels in accuracy.items()
    ]
    if finished:
        told = {"levels": ["order", "species"], "readings": readings}
        (folder / "probes.json").write_text(json.dumps(told))
    return folder
