"""Random taxonomies for property tests: ragged depth, gaps, only children, repeated names."""

import numpy as np
from hypothesis import strategies as st

from linnet.taxonomy import Taxonomy, build, path_table


@st.composite
def taxonomies(draw, uniform: bool = False, max_levels: int = 5, gaps: bool = False) -> Taxonomy:
    """A random tree of 1 to `max_levels` levels; `uniform` ends all leaves at the deepest one."""
    levels = draw(st.integers(1, max_levels))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows: list[list[str | None]] = []

    def grow(path: list[str | None]) -> None:
        stop = len(path) == levels or (not uniform and path and rng.random() < 0.2)
        if stop:
            rows.append([*path, *[None] * (levels - len(path))])
            return
        for child in range(rng.integers(1, 4)):
            # A quarter of the names repeat their parent's, as CUB's Geococcyx does.
            repeat = bool(path) and path[-1] and child == 0 and rng.random() < 0.25
            name = path[-1] if repeat else f"n{len(path)}.{child}"
            skip = gaps and 0 < len(path) < levels - 1 and rng.random() < 0.15
            grow([*path, None, f"{name}g"] if skip else [*path, name])

    grow([])
    return build(path_table([row[:levels] for row in rows]))[0]
