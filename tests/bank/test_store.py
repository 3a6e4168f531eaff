"""A stored bank comes back equal, and nothing that does not belong together loads."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bank_cases import birds, image_sets, photos, skewed
from hypothesis import given

from linnet.bank import Bank, store
from linnet.bank.make import make
from linnet.errors import LinnetError
from linnet.taxonomy import build, path_table
from linnet.taxonomy import store as taxonomy_store

ARRAYS = ("sample_id", "image", "label", "split", "lineage", "options", "answer", "weight")


def assert_equal(a: Bank, b: Bank) -> None:
    for name in ARRAYS:
        first, second = getattr(a, name), getattr(b, name)
        assert first.dtype == second.dtype, name
        assert first.tolist() == second.tolist(), name
    assert a.taxonomy.fingerprint == b.taxonomy.fingerprint
    assert (a.name, a.option_case, a.image_root) == (b.name, b.option_case, b.image_root)


@given(images=image_sets())
def test_a_bank_comes_back_equal(tmp_path_factory, images):
    try:
        bank = make(images, "balanced", n_options=3)
    except LinnetError:
        return
    folder = tmp_path_factory.mktemp("bank")
    store.save(bank, folder)
    again = store.load(folder)
    assert_equal(bank, again)
    assert store.describe(again) == again.manifest == json.loads((folder / "manifest.json").read_text())


def test_the_manifest_says_how_the_bank_was_made_and_what_it_holds(shared, tmp_path):
    manifest = store.save(make(birds(shared), "balanced", seed=3), tmp_path / "birds")
    assert manifest["policy"] == "balanced"
    assert manifest["seed"] == 3
    assert manifest["n_options"] == 4
    assert manifest["source"] == "cub100"
    assert manifest["n_samples"] == 2903
    assert manifest["n_questions_per_level"] == dict.fromkeys(("order", "family", "genus", "species"), 2903)
    assert manifest["image_root"] == str(shared / "data" / "cub100")


def test_an_image_root_given_at_load_wins(tmp_path):
    store.save(make(skewed(10)), tmp_path / "bank")
    assert store.load(tmp_path / "bank").image_root == Path("root")
    assert store.load(tmp_path / "bank", image_root=Path("/photos")).image_root == Path("/photos")


def test_lines_kept_verbatim_come_back(tmp_path):
    bank = replace(make(skewed(3)), verbatim=np.array(["", "x\n", ""], object))
    store.save(bank, tmp_path / "bank")
    assert store.load(tmp_path / "bank").verbatim.tolist() == ["", "x\n", ""]


def test_a_bank_is_replaced_but_nothing_else_is(tmp_path):
    store.save(make(skewed(10)), tmp_path / "bank")
    store.save(make(skewed(12)), tmp_path / "bank")
    assert len(store.load(tmp_path / "bank")) == 12
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(LinnetError, match="exists and is no bank; choose another folder to write to"):
        store.save(make(skewed(10)), tmp_path)


def test_rows_that_changed_are_refused(tmp_path):
    bank = make(skewed(10))
    store.save(bank, tmp_path / "bank")
    manifest = (tmp_path / "bank" / "manifest.json").read_text()
    store.save(make(skewed(10), seed=1), tmp_path / "bank")
    (tmp_path / "bank" / "manifest.json").write_text(manifest)
    with pytest.raises(LinnetError) as raised:
        store.load(tmp_path / "bank")
    other, own = store.row_hash(make(skewed(10), seed=1)), store.row_hash(bank)
    assert str(raised.value) == (
        f"the rows of bank '{tmp_path / 'bank'}' changed after it was written: their hash is {other}, the "
        f"manifest says {own}; build the bank again, or copy the folder again"
    )


def test_another_taxonomy_in_the_folder_is_refused(tmp_path):
    bank = make(skewed(10))
    store.save(bank, tmp_path / "bank")
    other = build(path_table([["a", "b"], ["a", "c"]]), name="other")[0]
    taxonomy_store.write(other, tmp_path / "bank" / "taxonomy.parquet")
    with pytest.raises(LinnetError) as raised:
        store.load(tmp_path / "bank")
    assert str(raised.value) == (
        "bank 'skewed-random' and its taxonomy.parquet do not belong together: the bank was made with "
        f"'skewed' ({bank.taxonomy.fingerprint}), this is 'other' ({other.fingerprint}); restore the file "
        "that was written with the bank"
    )


def test_another_taxonomy_given_is_refused(tmp_path):
    bank = make(skewed(10))
    store.save(bank, tmp_path / "bank")
    other = build(path_table([["a", "b"], ["a", "c"]]), name="other")[0]
    with pytest.raises(LinnetError) as raised:
        store.load(tmp_path / "bank", taxonomy=other)
    assert str(raised.value) == (
        "bank 'skewed-random' and the given taxonomy do not belong together: the bank was made with "
        f"'skewed' ({bank.taxonomy.fingerprint}), this is 'other' ({other.fingerprint}); leave it out, "
        "the bank has its own"
    )
    assert len(store.load(tmp_path / "bank", taxonomy=bank.taxonomy)) == 10


def test_what_is_no_bank_is_refused(tmp_path):
    with pytest.raises(LinnetError) as raised:
        store.load(tmp_path)
    assert str(raised.value) == (
        f"'{tmp_path}' is no bank: manifest.json, bank.parquet, taxonomy.parquet not found; give a folder "
        "that `linnet bank build` wrote, or a .jsonl file of the papers"
    )
    with pytest.raises(LinnetError, match="there is no such file; check the path"):
        store.load(tmp_path / "none.jsonl")


def test_a_bank_of_a_later_version_is_refused(tmp_path):
    store.save(make(skewed(10)), tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text()) | {"format_version": 2}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LinnetError, match="has format version 2; this Linnet reads version 1; update Linnet"):
        store.load(tmp_path)


def test_hashes_depend_on_every_part_of_the_rows():
    bank = make(skewed(10))
    changed = [
        replace(bank, label=bank.label[::-1].copy()),
        replace(bank, weight=bank.weight * 2),
        replace(bank, answer=bank.answer[::-1].copy()),
        bank.subset(np.arange(9)),
        make(photos(bank.taxonomy, bank.lineage[:, 2]), seed=1),
    ]
    assert len({store.row_hash(other) for other in [bank, *changed]}) == 6
