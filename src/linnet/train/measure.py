"""Full-path accuracy and inconsistency of node scores, while training and at its end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from linnet.evaluate import decoders
from linnet.evaluate.lineages import Lineages, deepest
from linnet.evaluate.metrics import all_metrics, plain
from linnet.taxonomy.rollup import roll_up
from linnet.taxonomy.tree import MISSING, Taxonomy
from linnet.train.features import TOLD
from linnet.train.photos import Photos, Unreadable
from linnet.train.student import Student

DECODERS = ("independent", "joint", "leaf")
ROLLED = "roll-up"  # independent answers on probabilities of leaves, summed up the tree


def independent(scores: Tensor, taxonomy: Taxonomy) -> Tensor:
    """(b, L) best taxon of each level of (b, n_taxa) scores; -1 where all scores are -inf."""
    offsets = taxonomy.level_offsets.tolist()
    answers = torch.full((len(scores), taxonomy.n_levels), MISSING, device=scores.device)
    for level, (start, stop) in enumerate(pairwise(offsets)):
        if start < stop:
            top, place = scores[:, start:stop].max(dim=1)
            answers[:, level] = torch.where(top > -torch.inf, start + place, MISSING)
    return answers


def validation(taxonomy: Taxonomy, answers: np.ndarray, lineage: np.ndarray) -> dict[str, float]:
    """FPA, inconsistency rate and leaf accuracy of independent answers, and `best` to rank models by.

    best: FPA, and among equal ones the lower inconsistency: FPA is a multiple of 1 / n, and the rate
    counts for less than half of that.
    """
    found = path_figures(taxonomy, answers, lineage, asked_only=True)
    fpa, torn = found["fpa"] or 0.0, found["inconsistency_rate"] or 0.0
    told = {"fpa": fpa, "inconsistency_rate": torn, "leaf_accuracy": found["leaf_accuracy"] or 0.0}
    return told | {"best": fpa - torn / (2 * max(len(answers), 1))}


def path_figures(
    taxonomy: Taxonomy, answers: np.ndarray, lineage: np.ndarray, asked_only: bool
) -> dict[str, Any]:
    """Figures of (n, L) answers; those to levels a sample has no label at count only for paths."""
    counted = np.arange(taxonomy.n_levels) >= taxonomy.first_scored_level
    truth = np.where(counted, lineage, MISSING).astype(np.int32)
    said = np.where(counted & ((truth >= 0) | (not asked_only)), answers, MISSING).astype(np.int32)
    found = plain(all_metrics(Lineages(taxonomy, truth, said), ("accuracy", "consistency", "distance")))
    return {
        "fpa": found["hca"],
        "inconsistency_rate": found["inconsistency_rate"],
        "leaf_accuracy": found["leaf_accuracy"],
        "level_accuracy": dict(zip(taxonomy.level_names, found["level_accuracy"], strict=True)),
        "ahd": found["ahd"],
    }


def measure(
    student: Student,
    photos: Photos,
    taxonomy: Taxonomy,
    withheld: np.ndarray,
    unreadable: Unreadable,
    batch_size: int,
    workers: int = 0,
) -> dict[str, Any]:
    """Figures of all photos under each decoder, and of known and withheld leaves if there are both.

    Photos that cannot be read are wrong, and told. The student must speak of this taxonomy.
    """
    answers, lost = answer(student, photos, taxonomy, batch_size, workers)
    unreadable.note(photos.bank, lost)
    lineage = photos.bank.lineage
    novel = withheld[deepest(lineage)]
    groups = {"all": np.ones(len(lineage), bool)}
    if novel.any() and not novel.all():
        groups |= {"known": ~novel, "withheld": novel}
    return {
        group: {"n": int(rows.sum())}
        | {
            name: path_figures(taxonomy, said[rows], lineage[rows], name in ("independent", ROLLED))
            for name, said in answers.items()
        }
        for group, rows in groups.items()
    }


def rolled_up(taxonomy: Taxonomy, nodes: np.ndarray) -> np.ndarray:
    """(b, n_taxa) log-sums over the leaves under each taxon of (b, n_taxa) node scores."""
    return roll_up(taxonomy, np.where(taxonomy.is_leaf, nodes, -np.inf))


def answer(
    student: Student, photos: Photos, taxonomy: Taxonomy, batch_size: int, workers: int = 0
) -> tuple[dict[str, np.ndarray], list[int]]:
    """(n, L) answers of each decoder, -1 for photos that cannot be read, and the rows of those."""
    student.eval()
    device = student.towers.device
    said: dict[str, list[np.ndarray]] = {name: [] for name in (*DECODERS, ROLLED)}
    lost: list[int] = []
    loader = DataLoader(photos, batch_size, collate_fn=photos.collate, num_workers=workers)
    for batch in tqdm(loader, desc=f"measuring {photos.bank.split[0]}", unit="batch", leave=False):
        with torch.inference_mode():
            scores = student(**{key: value.to(device) for key, value in batch.items() if key not in TOLD})
        nodes = scores.float().cpu().numpy()
        nodes[~batch["readable"].numpy()] = -np.inf
        lost += batch["row"][~batch["readable"]].tolist()
        levels = student.read(taxonomy, nodes)
        for name in DECODERS:
            said[name].append(decoders.decode(name, taxonomy, levels))
        said[ROLLED].append(decoders.decode("independent", taxonomy, rolled_up(taxonomy, nodes)))
    return {name: np.concatenate(parts) for name, parts in said.items()}, lost
