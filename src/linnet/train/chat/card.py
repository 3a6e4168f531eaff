"""The model card of a chat model: what was trained on what, what it reached, and how to use it."""

from __future__ import annotations

from typing import Any

from linnet.train.card import ADAPTER, MERGED, table


def card(result: dict[str, Any], recipe: str) -> str:
    """Markdown of a finished run; `recipe` is its YAML."""
    model, parameters, data = result["model"], result["parameters"], result["data"]
    lines = [
        f"# {model['name']}, trained on {data['name']}",
        "",
        f"Trained with `linnet train` ({result['task']}) on questions about {data['train']:,} samples of "
        f"{data['leaves']} leaves ({', '.join(data['levels'])}). {parameters['trainable']:,} of "
        f"{parameters['total']:,} parameters were trained ({parameters['share']:.2%}).",
        "",
        *([MERGED] if result["merged"] else []),
        *([ADAPTER] if result["adapter"] else []),
        "",
        "## Figures",
        "",
        *table(result["figures"]),
        "",
        "In %, among the options of each question. Full path: right at every rank. Inconsistent: independent "
        "answers that contradict each other.",
        f"Photos that could not be read: {result['unreadable']}; in the figures they are wrong.",
        "",
        "## Recipe",
        "",
        "```yaml",
        recipe.rstrip(),
        "```",
        "",
        f"Base model revision `{model['revision']}`, taxonomy `{data['taxonomy']}`.",
    ]
    return "\n".join(lines) + "\n"
