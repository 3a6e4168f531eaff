"""What counts as one name, and the order of ranks."""

import pytest

from linnet.taxonomy.names import LINNAEAN, RANKS, normalise


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Arctic Tern", "Arctic tern"),
        ("Black-footed Albatross", "black_footed  albatross"),
        ("Nelson's Sharp-tailed Sparrow", "Nelson’s Sharp–tailed Sparrow"),
        (" Mallard ", "MALLARD"),
        ("Straße", "STRASSE"),
    ],
)
def test_same_name(name: str, other: str) -> None:
    assert normalise(name) == normalise(other)


def test_other_names_stay_apart() -> None:
    assert normalise("crane bird") != normalise("crane")
    assert normalise("sp. 1") != normalise("sp. 2")


def test_ranks_run_from_coarse_to_fine() -> None:
    assert [rank for rank in RANKS if rank in LINNAEAN] == list(LINNAEAN)
    assert RANKS.index("family") < RANKS.index("subfamily") < RANKS.index("tribe") < RANKS.index("genus")
    assert len(set(RANKS)) == len(RANKS)
