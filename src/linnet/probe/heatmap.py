"""Place by level as a picture whose lightness alone tells the accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Dark blue to yellow over grey: lightness rises evenly, so it reads without red, without green, and in print.
RAMP = np.array([(8, 28, 78), (66, 81, 108), (124, 124, 118), (187, 174, 96), (252, 232, 72)], float)
CELL, HEIGHT, GAP, SIZE = 92, 34, 12, 16
BLANK, INK, PAPER = (238, 238, 238), (20, 20, 20), (255, 255, 255)


def colour(share: float) -> tuple[int, int, int]:
    """RGB of a share in 0..1."""
    at = min(max(share, 0.0), 1.0) * (len(RAMP) - 1)
    low = min(int(at), len(RAMP) - 2)
    r, g, b = RAMP[low] + (at - low) * (RAMP[low + 1] - RAMP[low])
    return round(r), round(g), round(b)


def lightness(rgb: Sequence[int]) -> float:
    """Relative luminance in 0..1, as in WCAG 2."""
    linear = [(v / 255 / 12.92) if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def draw(
    path: Path,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    words: Sequence[Sequence[str]],
    title: str,
) -> None:
    """Write a PNG of one cell per row and column.

    values: shares in 0..1, None for a cell that has none and shows its word instead, such as 'trivial'.
    """
    font = ImageFont.load_default(SIZE)
    left = 2 * GAP + round(max(font.getlength(row) for row in rows))
    width = max(left + CELL * len(columns) + GAP, round(font.getlength(title)) + 2 * GAP)
    top = 4 * GAP + 2 * SIZE
    image = Image.new("RGB", (width, top + HEIGHT * len(rows) + 4 * GAP + SIZE), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((GAP, GAP), title, INK, font)
    for k, name in enumerate(columns):
        pen.text((left + CELL * k + CELL / 2, top - GAP), name, INK, font, anchor="ms")
    for j, name in enumerate(rows):
        y = top + HEIGHT * j
        pen.text((left - GAP, y + HEIGHT / 2), name, INK, font, anchor="rm")
        for k, value in enumerate(values[j]):
            _cell(pen, font, (left + CELL * k, y), value, words[j][k])
    _legend(pen, font, left, top + HEIGHT * len(rows) + GAP)
    image.save(path)


def _cell(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    at: tuple[int, int],
    value: float | None,
    word: str,
) -> None:
    x, y = at
    fill = BLANK if value is None else colour(value)
    pen.rectangle((x, y, x + CELL - 2, y + HEIGHT - 2), fill)
    text = word if value is None else f"{100 * value:.1f}"
    ink = PAPER if lightness(fill) < 0.18 else INK
    pen.text((x + CELL / 2, y + HEIGHT / 2), text, ink, font, anchor="mm")


def _legend(
    pen: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, left: int, top: int
) -> None:
    steps = 2 * CELL
    for x in range(steps):
        pen.line((left + x, top, left + x, top + SIZE), colour(x / steps))
    pen.text((left, top + SIZE + 4), "0 %", INK, font, anchor="la")
    pen.text((left + steps, top + SIZE + 4), "100 %", INK, font, anchor="ra")
