"""A teacher's grid of patches is resized to the image tokens of a chat model, place by place."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.errors import LinnetError, unknown
from linnet.models.chat.grids import ImageGrid, Part

MATCHES = ("bilinear", "area", "linspace")
MOST = 256  # tokens that the released code pairs


def pair(states: Tensor, grid: ImageGrid, teacher: Tensor, match: str = "bilinear") -> tuple[Tensor, Tensor]:
    """(n, d) states of image tokens and (n, e) what the teacher sees at their places.

    states: (count, d); teacher: (g, g', e). match: 'bilinear' reads the teacher's grid at the centre of each
    token, as torch's interpolate without antialiasing; 'area' averages the cells that a token covers;
    'linspace' is TARA's released code, which pairs both lists of tokens by their rank, not their place.
    Raises LinnetError for another match, and for states of another image.
    """
    if match not in MATCHES:
        raise LinnetError(unknown("match", match, "the settings of the alignment", MATCHES))
    if len(states) != grid.count:
        raise LinnetError(f"{len(states)} image states and a grid of {grid.count} tokens are of two images")
    if match == "linspace":
        return _by_rank(states, teacher.flatten(0, 1))
    tokens = torch.cat([part.tokens for part in grid.parts])
    return states[tokens.to(states.device)], resized(teacher, grid, match)


def _by_rank(states: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    kept = min(len(states), MOST, len(teacher))
    one, other = (torch.linspace(0, len(part) - 1, kept).long() for part in (states, teacher))
    return states[one.to(states.device)], teacher[other.to(teacher.device)]


def resized(teacher: Tensor, grid: ImageGrid, match: str = "bilinear") -> Tensor:
    """(n, e) the teacher's grid at the tokens that have a place, in their order, also in mixed precision."""
    with torch.autocast(teacher.device.type, enabled=False):
        return torch.cat([_part(teacher, part, match) for part in grid.parts])


def _part(teacher: Tensor, part: Part, match: str) -> Tensor:
    top, left, bottom, right = part.box
    down = weights(part.h, teacher.shape[0], top, bottom, match).to(teacher)
    across = weights(part.w, teacher.shape[1], left, right, match).to(teacher)
    return torch.einsum("ig,jk,gke->ije", down, across, teacher).flatten(0, 1)


def weights(n: int, cells: int, start: float = 0.0, stop: float = 1.0, match: str = "bilinear") -> Tensor:
    """(n, cells) how much each of `cells` counts for each of n equal pieces of a stretch; rows sum to 1.

    start, stop: the stretch as shares of the cells' length.
    """
    edges = torch.linspace(start, stop, n + 1, dtype=torch.float64) * cells
    low, high, cell = edges[:-1, None], edges[1:, None], torch.arange(cells, dtype=torch.float64)
    if match == "area":
        shared = torch.minimum(high, cell + 1) - torch.maximum(low, cell)
        return (shared.clamp(min=0) / (high - low)).float()
    centre = ((low + high) / 2 - 0.5).clamp(0, cells - 1)
    return (1 - (centre - cell).abs()).clamp(min=0).float()
