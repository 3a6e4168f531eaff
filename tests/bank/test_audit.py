"""The audit's figures: the published ones on the published bank, slow twins elsewhere."""

import numpy as np
import pytest
from bank_cases import birds, image_sets, photos, skewed
from hypothesis import given
from hypothesis import strategies as st

from linnet.bank import NONE
from linnet.bank.audit import audit, chi2_tail, parent_offered_share, sibling_share
from linnet.bank.audit_text import render
from linnet.bank.make import make
from linnet.bank.store import load
from linnet.errors import LinnetError
from linnet.taxonomy import build, files, path_table


@pytest.fixture(scope="module")
def published(shared) -> dict:
    taxonomy = files.read(shared / "data" / "taxonomies" / "hierarchy_CUB200.json")
    return audit(load(shared / "data" / "banks" / "CUB200_with_similar_choice.jsonl", taxonomy))


def column(figures: dict, key: str) -> list:
    return [level[key] for level in figures["levels"]]


def test_the_published_bank_has_its_published_figures(published):
    percent = [100 * value for value in column(published, "majority")]
    assert percent == pytest.approx([84.6, 51.9, 43.8, 24.7], abs=0.06)
    odd = [100 * value for value in column(published, "frequency_odd_rows")]
    assert odd == pytest.approx([86.7, 65.5, 65.2, 41.9], abs=0.06)
    assert column(published, "letter_chi2") == pytest.approx([2.71, 4.98, 2.24, 1.69], abs=0.006)
    assert published["levels"][0]["letters"] == pytest.approx([0.2413, 0.2539, 0.2551, 0.2497], abs=6e-5)
    assert column(published, "sibling_share")[0] is None
    assert column(published, "sibling_share")[1:] == pytest.approx([0.474, 0.232, 0.266], abs=6e-4)
    assert column(published, "parent_offered_share")[1:] == pytest.approx([0.667, 0.452, 0.424], abs=6e-4)
    path = published["path"]
    assert 100 * path["majority_hca"] == pytest.approx(6.52, abs=0.005)
    assert 100 * path["chance_hca"] == pytest.approx(0.39, abs=0.005)
    assert 100 * path["path_hca"] == pytest.approx(58.2, abs=0.05)
    assert set(published["defects"].values()) == {0}
    assert not published["weighted"]


@pytest.mark.parametrize(
    ("name", "percent"),
    [("Inat_animal", 0.0244), ("imagenet_animal", 0.262), ("imagenet_artifact", 0.636), ("Food", 2.567)],
)
def test_uniform_guesses_reach_the_published_path_figures(shared, name, percent):
    taxonomy = files.read(shared / "data" / "taxonomies" / f"hierarchy_{name}.json")
    figures = audit(make(photos(taxonomy, taxonomy.leaves)))
    assert 100 * figures["path"]["chance_hca"] == pytest.approx(percent, rel=0.003)


def test_a_balanced_bank_shows_both_sides(shared):
    figures = audit(make(birds(shared), "balanced"))
    assert figures["weighted"]
    for level in figures["levels"]:
        assert abs(level["majority"] - 0.25) < 2 * level["chance_standard_error"]
        assert abs(level["frequency"] - 0.25) < 2 * level["chance_standard_error"]
    order = figures["levels"][0]
    assert order["unweighted"]["majority"] == pytest.approx(0.636, abs=0.001)
    assert order["n_effective"] == pytest.approx(1765, abs=1)
    assert order["weight_max"] == pytest.approx(2.06, abs=0.01)
    assert figures["path"]["unweighted"]["chance_hca"] == pytest.approx(0.25**4)


@given(images=image_sets())
def test_shares_agree_with_counting_one_by_one(images):
    try:
        bank = make(images, "random", n_options=3)
    except LinnetError:
        return
    tree = bank.taxonomy
    for level in range(bank.n_levels):
        siblings, offered = [], []
        for row in np.flatnonzero(bank.asked[:, level]).tolist():
            truth = bank.lineage[row, level]
            for taxon in bank.options[row, level].tolist():
                if taxon in (NONE, truth):
                    continue
                if tree.parent[truth] != NONE:
                    siblings.append(tree.parent[taxon] == tree.parent[truth])
                if level and bank.asked[row, level - 1]:
                    above = tree.parent[taxon]
                    offered.append(above != NONE and above in bank.options[row, level - 1])
        assert sibling_share(bank, level) == (pytest.approx(np.mean(siblings)) if siblings else None)
        assert parent_offered_share(bank, level) == (pytest.approx(np.mean(offered)) if offered else None)


@given(st.floats(0.01, 60), st.integers(1, 9))
def test_the_tail_of_chi_square_equals_scipys(square, freedom):
    stats = pytest.importorskip("scipy.stats")
    assert chi2_tail(square, freedom) == pytest.approx(stats.chi2.sf(square, freedom), rel=1e-9, abs=1e-15)


def test_letters_of_questions_with_unequal_numbers_of_options():
    tree = build(path_table([["a", "x"], ["b", "y"], ["c", "z"], ["d"], ["e"]]))[0]
    bank = make(photos(tree, np.repeat(tree.leaves, 200)))
    first, second = audit(bank)["levels"]
    assert second["n_options"] == [3]
    assert len(second["letters"]) == 4
    assert second["letters"][3] == 0
    assert sum(second["letters"]) == pytest.approx(1)
    assert second["letter_p"] > 1e-4
    assert first["letter_p"] > 1e-4


def test_the_table_names_every_figure():
    text = render(audit(make(skewed(200), "balanced")))
    assert "without the question weights:" in text
    assert "defects: none" in text
    bank = make(skewed(200))
    bank.options[0, 2, (bank.answer[0, 2] + 1) % 4] = bank.lineage[0, 2]
    assert "defects: duplicate_options 1" in render(audit(bank))
    lines = text.splitlines()
    assert lines[2].split()[:3] == ["level", "n", "n"]
    assert len({len(line) for line in lines[2:6]}) == 1
