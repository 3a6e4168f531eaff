"""A preview and the figures of a training, as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from linnet.train import recipe
from linnet.train.card import TITLES, rows

GIB, MIB = 1 << 30, 1 << 20


def listing() -> str:
    """The shipped recipes with what their first lines say."""
    found = recipe.shipped()
    width = max(len(name) for name in found)
    lines = []
    for name, path in found.items():
        about = recipe.about(path)
        lines += [f"{name:{width}}  {about[0]}", *(f"{'':{width}}  {line}" for line in about[1:])]
    return "\n".join(lines)


def preview(found: dict[str, Any]) -> str:
    """What a dry run prints."""
    about, parameters, data = found["recipe"], found["parameters"], found["data"]
    lines = [
        yaml.safe_dump(about, sort_keys=False, allow_unicode=True).rstrip(),
        "",
        f"parameters  {parameters['total']:,}, of which {parameters['trainable']:,} are trained "
        f"({parameters['share']:.2%}): {_some(found['trained'])}",
        f"data        {data['train']:,} training and {data['val']:,} validation photos, "
        f"{data['leaves']:,} leaves, {data['taxa']:,} taxa at {', '.join(data['levels'])}"
        + (f"; {data['withheld_leaves']} leaves withheld" if data["withheld_leaves"] else ""),
        f"test        {', '.join(f'{split} {n:,}' for split, n in data['test'].items()) or 'none'}",
        f"memory      {_memory(found['memory'])}",
        f"batch       {', '.join(f'{name} {_shape(shape)}' for name, shape in found['batch'].items())}; "
        f"scores {_shape(found['scores'])}",
        *(f"            {image}: {path}" for image, path in found["first"]),
        f"texts       {'; '.join(found['texts'])}",
    ]
    return "\n".join(lines)


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _shape(shape: list[int]) -> str:
    return "x".join(map(str, shape))


def _memory(parts: dict[str, int]) -> str:
    named = [f"{name.replace('_', ' ')} {_size(size)}" for name, size in parts.items() if name != "total"]
    return f"about {_size(parts['total'])} a step: {', '.join(named)}"


def _size(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.1f} MiB"


def figures(found: dict[str, Any]) -> str:
    """The figures of a finished run, a line per split, group of leaves and decoder."""
    return "\n".join([*_table(found["figures"]), "", _where(found)])


def _table(found: dict[str, Any]) -> Iterator[str]:
    for number, row in enumerate(rows(found)):
        if not number:
            heads = [*row["levels"], *TITLES.values()]
            yield f"{'photos':18} {'n':>6}  {'decoder':12}" + "".join(f"{head:>14}" for head in heads)
        values = [
            *(f"{100 * value:.1f}" if value is not None else "-" for value in row["levels"].values()),
            *row["main"],
        ]
        yield f"{row['photos']:18} {row['n']:>6}  {row['decoder']:12}" + "".join(
            f"{value:>14}" for value in values
        )


def _where(found: dict[str, Any]) -> str:
    parameters = found["parameters"]
    lost = f"; {found['unreadable']} photos could not be read" if found["unreadable"] else ""
    run = Path(found["run"])
    model = f"model in {run / 'model'}, " if found["merged"] else ""
    return (
        f"{parameters['trainable']:,} of {parameters['total']:,} parameters trained "
        f"({parameters['share']:.2%}), {found['steps']} steps{lost}; {model}card in {run / 'README.md'}"
    )
