"""`linnet probe`: where in a model the tree is readable, and where it is lost."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from linnet.cli._asking import bank_of, limited, photo_arguments
from linnet.cli._model import chat_arguments, model_arguments, model_options
from linnet.errors import UsageError

HELP = "find where in a model the tree is readable and where it is lost; the same command continues"
EXAMPLES = """\
examples:
  linnet probe --model MODEL --bank photos --places list
  linnet probe --model ../shared/models/bird-mobilenet-v2 --bank ../shared/data/cub100 --out probes/birds
  linnet probe --model Qwen/Qwen3-VL-2B-Instruct --bank birds --out probes/qwen3 --text --causal
  linnet probe --model MODEL --bank photos --out probes/m --places vision --disjoint species --shots 1,4
  linnet probe --compare probes/base probes/sft probes/tara
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom to look into, where, and what to look for."""
    add = parser.add_argument
    add("--model", metavar="M", help="folder or hub id, or kind:either")
    add("--bank", type=Path, metavar="B", help="bank, or folder of photos; its split 'train' is learned from")
    add("--out", type=Path, metavar="RUN", help="folder to make or to continue")
    add("--compare", nargs="+", type=Path, metavar="RUN", help="one table of several finished folders")
    add("--places", default="all", help="places or stacks, such as vision,projector,language.14; all; list")
    add("--pool", default="mean", help="mean, last, max: one vector of a photo's states (default: mean)")
    add("--probes", default="lda", help="lda, ridge, centroid, knn; the first is the main one (default: lda)")
    add("--shots", default="", metavar="K", help="further probes on K training photos per leaf: 1,4,16")
    add(
        "--disjoint", default="photo", metavar="LEVEL", help="level whose taxa training and test do not share"
    )
    add(
        "--controls",
        default="shuffled,regrouped",
        help="shuffled, regrouped, random; none (default: first two)",
    )
    add("--text", action="store_true", help="also probe prompts that name a leaf (chat models)")
    add("--causal", action="store_true", help="also tell true taxa and exchange states (chat models)")
    add("--patched", type=int, default=32, metavar="N", help="wrong answers per level to exchange states of")
    add("--no-geometry", action="store_true", help="leave out distances and directions")
    add("--probe-device", default="cpu", metavar="D", help="where probes are fitted (default: cpu)")
    add("--taxonomy", type=Path, metavar="T", help="tree of the names of a .jsonl bank or of photos")
    add("--image-root", type=Path, metavar="DIR", help="folder that holds the images")
    add("--batch-size", type=int, default=32, metavar="N", help="images of a forward (default: 32)")
    add("--workers", type=int, default=2, metavar="N", help="threads that read images (default: 2)")
    add("--limit", type=int, metavar="N", help="look at N samples, drawn by their ids")
    add("--overwrite", action="store_true", help="replace an older study in the folder")
    add("--json", action="store_true", help="print one JSON object")
    model_arguments(parser.add_argument_group("model"))
    chat_arguments(parser.add_argument_group("chat model"))
    photo_arguments(parser.add_argument_group("folder of photos"))


def run(args: argparse.Namespace) -> int:
    """List places, compare folders, or study a model."""
    if args.compare:
        from linnet.probe import compare

        told = compare.load(args.compare)
        print(json.dumps(told) if args.json else compare.render(told))
        return 0
    if args.model is None:
        raise UsageError("nothing to look into: give --model, --bank and --out, or --compare RUN...")
    return _list(args) if args.places == "list" else _study(args)


def _list(args: argparse.Namespace) -> int:
    from linnet.models.open import open_scorer
    from linnet.probe import networks
    from linnet.probe.places import PIXELS

    network = networks.of(open_scorer(args.model, **model_options(args)))
    names = [PIXELS, *(place.name for place in network.places())]
    print(json.dumps(names) if args.json else "\n".join(names))
    return 0


def _study(args: argparse.Namespace) -> int:
    from linnet.models.open import open_scorer
    from linnet.probe import table
    from linnet.probe.study import HEAT, study

    for name in ("bank", "out"):
        if getattr(args, name) is None:
            raise UsageError(f"a study needs --{name}; --places list shows the places without it")
    settings = _settings(args)
    args.split = args.split or (
        "all" if args.bank.is_dir() and not (args.bank / "manifest.json").exists() else None
    )
    bank = limited(bank_of(args), args.limit)
    options = model_options(args)
    told = study(bank, lambda: open_scorer(args.model, **options), args.out, settings, args.overwrite)
    table.write_heat(told, args.out / HEAT)
    print(json.dumps(told) if args.json else table.render(told))
    return 0


def _settings(args: argparse.Namespace) -> Any:
    from linnet.probe import probes
    from linnet.probe.pool import checked
    from linnet.probe.study import RANDOM, Settings
    from linnet.probe.targets import CONTROLS

    return Settings(
        places=args.places,
        pool=tuple(checked(_names(args.pool))),
        probes=_known("probe", args.probes, "--probes", probes.names()),
        shots=_numbers(args.shots),
        disjoint=args.disjoint,
        controls=()
        if args.controls == "none"
        else _known("control", args.controls, "--controls", (*CONTROLS, RANDOM)),
        text=args.text,
        shape=not args.no_geometry,
        causal=args.causal,
        patched=args.patched,
        seed=args.seed or 0,
        batch_size=args.batch_size,
        workers=args.workers,
        device=args.probe_device,
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known(kind: str, text: str, place: str, known: Any) -> tuple[str, ...]:
    from linnet.errors import unknown

    for name in _names(text):
        if name not in known:
            raise UsageError(unknown(kind, name, place, known))
    return tuple(_names(text))


def _numbers(text: str) -> tuple[int, ...]:
    names = _names(text)
    if not all(name.isdigit() and int(name) > 0 for name in names):
        raise UsageError(f"--shots is '{text}'; give numbers of photos per leaf, such as 1,4,16")
    return tuple(map(int, names))
