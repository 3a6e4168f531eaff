"""How fast probes are fitted and features taken, and what probes read of birds: python benchmarks/probing.py

    python benchmarks/probing.py --only fit          30 places x 6 levels, 5,000 x 1,024, and scikit-learn
    python benchmarks/probing.py --only extraction   hooks at every place against the bare forward
    python benchmarks/probing.py --only birds        the two shared MobileNets on the shared bird photos

`fit` compares with LogisticRegression fitted for one place and level after another: `one_c` is a single fit
at a C that is given, `chosen_c` four fits to choose C on the validation rows and one on all rows, which is
what Linnet does for its ten penalties. The features are those of the shared bird photos, under noise.
With --threads 1 (and OMP_NUM_THREADS=1) seconds are of the processor, which a busy machine stretches little.
`extraction` takes turns: the forward alone on inputs that are ready, as `evaluate` runs it, the same with
hooks, and the whole pass from photo files to the file of vectors. Parts that are not run keep their figures,
and each names its commit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import _scoring_setup as setup
import numpy as np
import torch
from _features import SHARED
from _record import ROOT, commit, record, spread
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from linnet import data
from linnet.bank import store
from linnet.bank.make import make
from linnet.evaluate.images import open_image
from linnet.models import torchbits
from linnet.models.open import open_scorer
from linnet.probe import features, networks, probes, reading, splits
from linnet.probe.hooks import collecting
from linnet.probe.probes import Labels
from linnet.probe.targets import targets

N_TRAIN, N_HELD, WIDTH = 4000, 1000, 1024  # 902 further photos are tested
CS = (1e-4, 1e-3, 1e-2, 1e-1)
GIVEN_C = 1e-2  # of the reference rows
LINEAR = ("ridge", "lda")
REFERENCE = {  # of shared/README.md, in percent: order, family, genus, species, path
    "imagenet": (95.38, 88.49, 85.02, 84.53, 75.34),
    "bird": (98.59, 97.76, 97.00, 95.76, 94.14),
}
LEVELS = ("order", "family", "genus", "species", "path")


# ---- fitting ----


def pooled(name: str, bank: Any, work: Path) -> features.Features:
    """Pooled features of one of the two networks, from disk as far as they are there."""
    network = networks.of(open_scorer(str(SHARED / f"models/{name}-mobilenet-v2"), device="cpu"))
    return features.collect(network, bank, work / name, {"network": name}, ["pooled"])


def noisy(places: int, work: Path, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """(n, 6) classes of bird photos, and per place (n, 1024) features: those of both networks, projected at
    random, with more noise from place to place. The two coarse levels are orders put together."""
    bank, rng = make(data.read("metadata-csv", SHARED / "data/cub100")), np.random.default_rng(seed)
    both = np.concatenate([pooled(name, bank, work).of("pooled", 0) for name in REFERENCE], axis=1)
    both = (both - both.mean(0)) / both.std(0)
    ranks = np.stack([np.unique(taxa, return_inverse=True)[1] for taxa in bank.lineage.T], axis=1)
    y, order = np.concatenate([ranks[:, :1] % (2, 4), ranks], axis=1), rng.permutation(len(bank))
    made = []
    for noise in np.linspace(0.3, 2, places):
        turn = rng.normal(size=(both.shape[1], WIDTH)) / both.shape[1] ** 0.5
        made.append((both @ turn + noise * rng.normal(size=(len(y), WIDTH)))[order].astype(np.float32))
    return y[order], made


def ours(y: np.ndarray, place: np.ndarray, kind: str) -> list[float]:
    """Test accuracy of every level, penalties chosen."""
    ends = [N_TRAIN, N_TRAIN + N_HELD]
    rows = [torch.from_numpy(part)[None] for part in np.split(place, ends)]
    train, held, truth = (torch.from_numpy(part) for part in np.split(y, ends))
    counts = (y.max(axis=0) + 1).tolist()
    labels = [(Labels(train[:, k], c), Labels(held[:, k], c)) for k, c in enumerate(counts)]
    found = probes.fit(kind, *rows, labels)[0]
    return [float((one.logprob.argmax(1) == truth[:, k]).float().mean()) for k, one in enumerate(found)]


def one_c(y: np.ndarray, place: np.ndarray) -> list[float]:
    """The same of scikit-learn at a given C."""
    learned = N_TRAIN + N_HELD
    return [_logistic(y[:, k], _scaled(place, learned), GIVEN_C, learned) for k in range(y.shape[1])]


def chosen_c(y: np.ndarray, place: np.ndarray) -> list[float]:
    """The same of scikit-learn with C chosen on the validation rows."""
    learned, made = N_TRAIN + N_HELD, []
    place = _scaled(place, learned)
    for k in range(y.shape[1]):
        reached = [_logistic(y[:learned, k], place[:learned], c, N_TRAIN) for c in CS]
        made.append(_logistic(y[:, k], place, CS[int(np.argmax(reached))], learned))
    return made


def _scaled(place: np.ndarray, learned: int) -> np.ndarray:
    spread = place[:learned].std(0)
    return (place - place[:learned].mean(0)) / np.where(spread > 0, spread, np.inf)


def _logistic(y: np.ndarray, x: np.ndarray, c: float, n: int) -> float:
    """Accuracy on the rows from n on of a fit on those before."""
    fitted = LogisticRegression(C=c, max_iter=200).fit(x[:n], y[:n])
    return float((fitted.predict(x[n:]) == y[n:]).mean())


def fitting(places: int, compared: int, turns: int, work: Path) -> dict[str, Any]:
    """Seconds of all places, and accuracies; scikit-learn on `compared` places, its seconds per place."""
    y, made = noisy(places, work)
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in (*LINEAR, "one_c", "chosen_c")}
    reached: dict[str, list[list[float]]] = {}
    some = np.linspace(0, places - 1, compared + 2)[1:-1].astype(int)
    ways: dict[str, tuple[Callable[..., list[float]], Any]] = {
        **{kind: (partial(ours, kind=kind), range(places)) for kind in LINEAR},
        "one_c": (one_c, some),
        "chosen_c": (chosen_c, some),
    }
    for _ in tqdm(range(turns), desc="fit", file=sys.stderr):
        for name, (way, which) in ways.items():
            start = clock()
            reached[name] = [way(y, made[place]) for place in which]
            seconds[name].append((clock() - start) / len(which))
    per_place = {name: float(np.median(values)) for name, values in seconds.items()}
    theirs = np.array(reached["chosen_c"])
    mine = {kind: np.array(reached[kind])[some] for kind in LINEAR}
    return {
        "places": places,
        "classes": (y.max(axis=0) + 1).tolist(),
        "rows": N_TRAIN + N_HELD,
        "width": WIDTH,
        "sklearn_places": compared,
        "turns": turns,
        "seconds_per_place": per_place,
        "times_faster": {
            f"{kind} than {name}": _ratio(seconds[name], seconds[kind])
            for kind in LINEAR
            for name in ("one_c", "chosen_c")
        },
        "accuracy": {name: np.mean(found, axis=0).tolist() for name, found in reached.items()},
        "points_over_chosen_c": {kind: (100 * (mine[kind] - theirs).mean(0)).tolist() for kind in LINEAR},
    }


def _ratio(theirs: list[float], mine: list[float]) -> dict[str, Any]:
    return spread(a / b for a, b in zip(theirs, mine, strict=True))


# ---- extraction ----


def extraction(images: int, turns: int) -> dict[str, Any]:
    """Photos per second of three ways on a chat model of 100 M parameters and on MobileNetV2."""
    made = {}
    with tempfile.TemporaryDirectory() as place:
        args = SimpleNamespace(work=Path(place), images=images, photo="500x375", size="small", batch=4)
        setup.make(args, "qwen3_vl", None, 6)
        bank = store.load(args.work / "bank", image_root=args.work / "photos")
        chat = networks.of(open_scorer(f"vlm:{args.work / 'model'}", device="cpu", template="paper-0"))
        made["qwen3_vl, 100 M"] = _turns(chat, bank, 4, turns)
    if SHARED.is_dir():
        bank = make(data.read("metadata-csv", SHARED / "data/cub100").of_split("test")).subset(
            np.arange(32 * images)
        )
        net = networks.of(open_scorer(str(SHARED / "models/bird-mobilenet-v2"), device="cpu"))
        made["MobileNetV2"] = _turns(net, bank, 32, turns)
    return made


def _turns(network: Any, bank: Any, batch: int, turns: int) -> dict[str, Any]:
    network.prepare(bank)
    items = [network.load(open_image(bank, row)) for row in range(len(bank))]
    names = [place.name for place in network.places()]
    cut = batch if network.whole else torchbits.CPU_BATCH
    ways: dict[str, tuple[int, tuple[str, ...]]] = {"bare": (cut, ()), "hooks": (cut, tuple(names))}
    if not network.whole:
        ways["bare_torch"] = (batch, ())
    seconds: dict[str, list[float]] = {name: [] for name in (*ways, "whole")}
    _forwards(network, items, cut, ())
    for _ in tqdm(range(turns), desc="extraction", file=sys.stderr):
        for name, (size, wanted) in ways.items():
            seconds[name].append(_forwards(network, items, size, wanted))
        with tempfile.TemporaryDirectory() as place:
            start = time.perf_counter()
            out = Path(place) / "features"
            features.collect(network, bank, out, {}, names, batch_size=batch, progress=False)
            seconds["whole"].append(time.perf_counter() - start)
    rates = {f"{name}_photos_per_s": len(bank) / float(np.median(found)) for name, found in seconds.items()}
    shares = {f"{name}_over_bare": _ratio(seconds["bare"], seconds[name]) for name in ("hooks", "whole")}
    if "bare_torch" in ways:
        shares["whole_over_bare_torch"] = _ratio(seconds["bare_torch"], seconds["whole"])
    return {"places": len(names), "photos": len(bank), **rates, **shares}


def _forwards(network: Any, items: list[Any], size: int, wanted: tuple[str, ...]) -> float:
    """Seconds of the forwards of all photos, inputs ready, with hooks at the wanted places.

    Pairs go side by side, as `evaluate` runs them; larger batches one by one, with torch's own threads.
    """
    chosen = [place for place in network.places() if place.name in wanted]
    ready = [
        network.ready([items[k] for k in rows], rows)
        for rows in torchbits.chunks(np.arange(len(items)), size)
    ]
    with collecting(chosen, ("mean",)) as read:

        def run(some: list[Any]) -> None:
            for told, forward in some:
                read(told, forward)

        start = time.perf_counter()
        if size == torchbits.CPU_BATCH:
            torchbits.forward(run, ready, torch.device("cpu"))
        else:
            torchbits.inferred(run, ready)
        return time.perf_counter() - start


# ---- birds ----


def birds(work: Path) -> dict[str, Any]:
    """Four independent probes on pooled features of the two shared networks, and the best path."""
    bank, made = make(data.read("metadata-csv", SHARED / "data/cub100")), {}
    for name, reference in REFERENCE.items():
        seen = pooled(name, bank, work)
        split = splits.split(bank)
        wanted = targets(bank, split, ("shuffled", "regrouped"))
        made[name] = {}
        for kind in probes.names():
            found = reading.read(seen, "pooled", bank, split, wanted, kind)
            made[name][kind] = {told["labels"]: told["full"] for told in found}
        for kind in LINEAR:
            free, joint = (made[name][kind]["true"][decoder] for decoder in ("independent", "joint"))
            shares = [100 * share for share in (*free["level_accuracy"], free["hca"])]
            gaps = [a - b for a, b in zip(shares, reference, strict=True)]
            made[name][kind]["points_over_reference"] = dict(zip(LEVELS, gaps, strict=True))
            made[name][kind]["points_of_joint_path"] = 100 * (joint["hca"] - free["hca"])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", choices=("fit", "extraction", "birds"))
    add("--places", type=int, default=30)
    add("--compared", type=int, default=3, help="places that scikit-learn is run on")
    add("--images", type=int, default=8, help="photos of the chat model; 32 times as many of MobileNetV2")
    add("--turns", type=int, default=3)
    add("--threads", type=int, default=torch.get_num_threads())
    add("--work", type=Path, default=ROOT / "runs" / "probing", help="features of the bird photos stay here")
    add("--out", type=Path, default=ROOT / "benchmarks/results/probing.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    figures = json.loads(args.out.read_text())["figures"] if args.out.exists() else {}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "birds": lambda: birds(args.work),
        "fit": lambda: fitting(args.places, args.compared, args.turns, args.work),
        "extraction": lambda: extraction(args.images, args.turns),
    }
    for name, part in parts.items():
        if args.only in (None, name):
            figures[name] = part() | {"commit": commit()["hash"], "threads": args.threads}
    record("probing", figures, args.out)


if __name__ == "__main__":
    main()
