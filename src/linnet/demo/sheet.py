"""A contact sheet: one line per family, relatives side by side, in one picture file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from linnet.data.critters import World

ROWS, COLUMNS = 8, 12


def write_sheet(world: World, path: Path, seed: int = 7) -> Path:
    """Draw `ROWS` families spread over the tree, each as single animals of all its species in turn."""
    families = world.taxonomy.ancestors[world.taxonomy.leaves, world.taxonomy.level_index("family")]
    chosen = np.unique(families)[np.linspace(0, len(np.unique(families)) - 1, ROWS).astype(int)]
    rows = [np.sort(np.resize(np.flatnonzero(families == family), COLUMNS)) for family in chosen]
    pictures = world.draw(np.concatenate(rows), seed)
    grid = pictures.reshape(ROWS, COLUMNS, world.size, world.size, 3)
    Image.fromarray(grid.transpose(0, 2, 1, 3, 4).reshape(ROWS * world.size, -1, 3)).save(path)
    return path
