"""The papers' JSONL is written back byte for byte, and its defects are counted."""

import json
from pathlib import Path

import numpy as np
import pytest
from bank_cases import birds, photos, skewed

from linnet.bank import NONE, defects, store
from linnet.bank.formats import papers
from linnet.bank.formats._paths import split_prefix
from linnet.bank.make import make
from linnet.errors import LinnetError
from linnet.taxonomy import build, files, path_table


@pytest.fixture
def bank_file(shared) -> Path:
    return shared / "data" / "banks" / "CUB200_with_similar_choice.jsonl"


@pytest.fixture
def cub_tree(shared):
    return files.read(shared / "data" / "taxonomies" / "hierarchy_CUB200.json")


def a_row(image: str = "/x/images/a.jpg", **changes) -> dict:
    """One row of a small bank."""
    row = {
        "image": image,
        "label": "Mallard",
        "split": "test",
        "level1": "anseriformes",
        "choices_level1": ["anseriformes", "passeriformes"],
        "level2": "mallard",
        "choices_level2": ["bobolink", "mallard", "gadwall"],
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


TREE = build(
    path_table([["Anseriformes", "Mallard"], ["Anseriformes", "Gadwall"], ["Passeriformes", "Bobolink"]])
)[0]


# ---- without loss ----


@pytest.mark.parametrize("with_tree", [True, False])
def test_the_published_bank_is_written_back_byte_for_byte(bank_file, cub_tree, tmp_path, with_tree):
    bank = papers.read(bank_file, cub_tree if with_tree else None)
    assert bank.verbatim is None  # the fields alone say everything
    assert len(bank) == 5794
    out = papers.write(bank, tmp_path / "again.jsonl")
    assert out.read_bytes() == bank_file.read_bytes()


def test_the_published_bank_survives_the_native_folder(bank_file, cub_tree, tmp_path):
    store.save(papers.read(bank_file, cub_tree), tmp_path / "bank")
    out = papers.write(store.load(tmp_path / "bank"), tmp_path / "again.jsonl")
    assert out.read_bytes() == bank_file.read_bytes()


def test_labels_paths_and_case_are_kept(bank_file, cub_tree):
    bank = papers.read(bank_file, cub_tree)
    assert bank.manifest["image_prefix"] == "/projectnb/ivc-ml/yuwentan/dataset/CUB_200_2011/images/"
    assert (
        bank.image[0]
        == bank.sample_id[0]
        == ("001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg")
    )
    drifted = bank.label == "Arctic tern"
    assert drifted.sum() == 29
    leaf = bank.lineage[drifted, 3]
    assert {str(name) for name in cub_tree.names[leaf]} == {"Arctic Tern"}
    assert "arctic tern" in bank.option_names(int(np.flatnonzero(drifted)[0]), 3)


def test_a_tree_grown_from_the_rows_has_the_same_lineages(bank_file, cub_tree):
    grown, known = papers.read(bank_file), papers.read(bank_file, cub_tree)
    assert grown.taxonomy.taxa_per_level == known.taxonomy.taxa_per_level == [13, 37, 124, 200]
    assert (grown.answer == known.answer).all()
    some = range(0, 5794, 501)
    names = [[name.lower() for name in known.taxonomy.path(known.lineage[row, 3])] for row in some]
    assert [grown.taxonomy.path(grown.lineage[row, 3]) for row in some] == names


def test_lines_the_fields_cannot_give_back_are_kept(tmp_path):
    rows = [a_row(), a_row("/x/images/b.jpg", note="blurred"), a_row("/x/images/c.jpg", level2="Mal-lard")]
    rows[2]["choices_level2"] = ["bobolink", "Mal-lard"]
    tree = build(
        path_table([["Anseriformes", "Mal lard"], ["Anseriformes", "Mallard"], ["Passeriformes", "Bobolink"]])
    )[0]
    rows[0]["choices_level2"] = rows[1]["choices_level2"] = ["bobolink", "mallard"]
    path = written(tmp_path / "bank.jsonl", rows)
    bank = papers.read(path, tree)
    assert [bool(line) for line in bank.verbatim] == [
        True,
        True,
        True,
    ]  # capitals anywhere: names as they are
    assert papers.write(bank, tmp_path / "again.jsonl").read_bytes() == path.read_bytes()
    part = papers.write(bank.subset(np.array([1])), tmp_path / "part.jsonl")
    assert json.loads(part.read_text()) == rows[1]


def test_one_option_levels_are_kept_and_not_scored(tmp_path):
    rows = [
        {"image": f"/x/images/{name}.jpg", "label": name, "split": "test", "level1": "plantae"}
        | {"choices_level1": ["plantae"], "level2": name, "choices_level2": ["moss", "fern"]}
        for name in ("moss", "fern")
    ]
    path = written(tmp_path / "plants.jsonl", rows)
    bank = papers.read(path)
    assert bank.asked.all()
    assert bank.n_options.tolist() == [[1, 2], [1, 2]]
    assert bank.scored().tolist() == [[False, True]] * 2
    assert papers.write(bank, tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


def test_ragged_rows_and_options_that_are_never_true(tmp_path):
    rows = [a_row(), a_row("/x/images/b.jpg", label="Anseriformes", level2=..., choices_level2=...)]
    bank = papers.read(written(tmp_path / "bank.jsonl", rows))
    assert bank.taxonomy.taxa_per_level == [2, 3]
    gadwall = bank.taxonomy.find("gadwall", 1)[0]
    assert bank.taxonomy.parent[gadwall] == NONE
    assert bank.lineage[1].tolist() == [bank.lineage[0, 0], NONE]


def test_our_banks_are_written_with_their_constant_root(tmp_path):
    tree = build(path_table([["Life", "a"], ["Life", "b"]]))[0]
    bank = make(photos(tree, tree.leaves))
    rows = [json.loads(line) for line in papers.write(bank, tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows[0]["level1"] == "Life"
    assert rows[0]["choices_level1"] == ["Life"]
    assert sorted(rows[0]["choices_level2"]) == ["a", "b"]


def test_our_banks_come_back_with_the_same_questions(shared, tmp_path):
    bank = make(birds(shared), "sibling")
    again = papers.read(papers.write(bank, tmp_path), bank.taxonomy)
    assert again.name == bank.name
    for name in ("sample_id", "options", "answer", "lineage", "label", "split"):
        if name != "sample_id":
            assert (getattr(again, name) == getattr(bank, name)).all()
    assert [f"{again.manifest['image_prefix']}{path}" for path in again.image] == bank.image.tolist()


# ---- image paths ----


@pytest.mark.parametrize(
    ("paths", "prefix"),
    [
        (["/a/CUB/images/1/x.jpg", "/a/CUB/images/2/y.jpg"], "/a/CUB/images/"),
        (["/p/dataset/inat/val/1.jpg", "/p/dataset/inat/val/2.jpg"], "/p/dataset/inat/"),
        (["/a/images/1.jpg", "/b/images/1.jpg"], ""),
        (["plain.jpg"], ""),
        ([], ""),
    ],
)
def test_paths_are_split_after_images_or_the_data_set(paths, prefix):
    found, relative = split_prefix(paths)
    assert found == prefix
    assert [found + path for path in relative] == paths


def test_an_image_root_is_matched_to_the_ends_of_the_paths(tmp_path):
    (tmp_path / "CUB" / "images").mkdir(parents=True)
    (tmp_path / "CUB" / "images" / "a.jpg").write_bytes(b"")
    path = written(tmp_path / "bank.jsonl", [a_row("/far/CUB/images/a.jpg"), a_row("/far/CUB/images/b.jpg")])
    for root, image in ((tmp_path, "CUB/images/a.jpg"), (tmp_path / "CUB", "images/a.jpg")):
        bank = papers.read(path, image_root=root)
        assert bank.image[0] == image
        assert bank.image_path(0) == (tmp_path / "CUB" / "images" / "a.jpg").resolve()
        assert papers.write(bank, tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


def test_images_without_a_common_root_are_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    path = written(tmp_path / "bank.jsonl", [a_row("/x/images/a.jpg"), a_row("/y/images/b.jpg")])
    with pytest.raises(LinnetError) as raised:
        papers.read(path, image_root=tmp_path)
    assert str(raised.value) == (
        "the images of 'bank' do not all lie below '/x/images/' as the first does; give them one root folder"
    )


# ---- defects ----

BAD = {
    "duplicate_options": (
        {"choices_level2": ["mallard", "bobolink", "Bobolink"]},
        "bank.jsonl, line 2, level2: 'bobolink': an option is offered twice (1 in all); mend the file; "
        "`linnet bank audit` counts all defects",
    ),
    "truth_missing": (
        {"choices_level2": ["bobolink", "gadwall"]},
        "bank.jsonl, line 2, level2: 'mallard': the truth is not among the options (1 in all); mend the file"
        "; `linnet bank audit` counts all defects",
    ),
    "unknown_option": (
        {"choices_level2": ["mallard", "dodo"]},
        "bank 'bank.jsonl' and taxonomy 'paths' do not belong together: line 2, level2: 'dodo' is not in the "
        "taxonomy (1 such places); give the taxonomy the bank was made from",
    ),
    "unknown_lineage": (
        {"level1": "passeriformes"},
        "bank 'bank.jsonl' and taxonomy 'paths' do not belong together: line 2: 'passeriformes > mallard' is "
        "not in the taxonomy (1 such places); give the taxonomy the bank was made from",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_defect_is_an_error_at_load_and_a_count_in_the_audit(tmp_path, kind):
    change, message = BAD[kind]
    path = written(tmp_path / "bank.jsonl", [a_row(), a_row("/x/images/b.jpg", **change)])
    with pytest.raises(LinnetError) as raised:
        papers.read(path, TREE)
    assert str(raised.value) == message
    bank = papers.read(path, TREE, strict=False)
    assert {k: n for k, n in defects.count(bank).items() if n} == {kind: 1}
    assert bank.asked[0].all()
    assert not bank.asked[1, 1]
    again = papers.write(bank, tmp_path / "again.jsonl")
    assert again.read_bytes() == path.read_bytes()  # nothing of a defective row is lost


def test_a_gap_between_levels_is_a_defect_unless_the_taxonomy_has_it(tmp_path):
    deep = {
        "level3": "mallard",
        "choices_level3": ["mallard", "gadwall"],
        "level2": ...,
        "choices_level2": ...,
    }
    path = written(tmp_path / "bank.jsonl", [a_row(**deep), a_row("/x/images/b.jpg", **deep)])
    with pytest.raises(LinnetError) as raised:
        papers.read(path)
    assert str(raised.value) == (
        "bank.jsonl, line 1, level2: a level between two asked ones is missing (2 in all); mend the file; "
        "`linnet bank audit` counts all defects"
    )
    assert defects.count(papers.read(path, strict=False))["level_gap"] == 2
    rows = [
        ["Anseriformes", None, "Mallard"],
        ["Anseriformes", None, "Gadwall"],
        ["Passeriformes", "I", "Bobolink"],
    ]
    assert papers.read(path, build(path_table(rows))[0]).asked.tolist() == [[True, False, True]] * 2


def test_a_cut_off_last_line_is_named(tmp_path):
    path = written(tmp_path / "bank.jsonl", [a_row(), a_row("/x/images/b.jpg")])
    path.write_text(path.read_text()[:-40])
    with pytest.raises(LinnetError) as raised:
        papers.read(path)
    assert str(raised.value) == "line 2 of bank.jsonl is cut off; copy the file again, or delete that line"
    bank = papers.read(path, strict=False)
    assert len(bank) == 1
    assert defects.count(bank)["truncated_line"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"image": \n{}\n', "line 1 of bank.jsonl is not JSON (Expecting value); mend or delete that line"),
        ("\n", "bank.jsonl holds no complete line; copy it again"),
        (
            '{"image": "a"}\n',
            "line 1 of bank.jsonl has no key 'level1', 'level2', …; it is no question row",
        ),
    ],
)
def test_files_that_hold_no_bank_are_refused(tmp_path, text, message):
    path = tmp_path / "bank.jsonl"
    path.write_text(text)
    with pytest.raises(LinnetError) as raised:
        papers.read(path)
    assert str(raised.value) == message


def test_an_image_asked_about_twice_is_counted_and_gets_its_line_number(tmp_path):
    bank = papers.read(written(tmp_path / "bank.jsonl", [a_row(), a_row()]), TREE)
    assert bank.sample_id.tolist() == ["a.jpg", "a.jpg#2"]
    assert defects.count(bank)["duplicate_sample"] == 1


def test_defects_in_the_arrays_of_a_native_bank_are_counted():
    bank = make(skewed(6), "random")
    bank.options[0, 2, (bank.answer[0, 2] + 1) % 4] = bank.lineage[0, 2]
    bank.options[1, 2, (bank.answer[1, 2] + 1) % 4] = bank.lineage[1, 0]
    bank.options[2, 0, bank.answer[2, 0]] = NONE
    found = {kind: n for kind, n in defects.count(bank).items() if n}
    assert found == {"duplicate_options": 1, "unknown_option": 1, "ancestor_offered": 1, "truth_missing": 1}
