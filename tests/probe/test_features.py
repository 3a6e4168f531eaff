"""Features are taken once, go on after a crash, and are refused where they are of something else."""

import numpy as np
import probe_cases
import pytest
from PIL import Image

from linnet.errors import LinnetError
from linnet.evaluate.row_file import RowFile
from linnet.probe import features


def collect(planted, bank, folder, about=None, **more):
    names = ["pixels", *(place.name for place in planted.places())]
    return features.collect(planted, bank, folder, about or {}, names, progress=False, **more)


@pytest.fixture
def fresh(planted_bank):
    return probe_cases.Planted(planted_bank.taxonomy, planted_bank.lineage, lost=1)


def test_vectors_are_those_of_the_network(seen, planted):
    x = planted.states.numpy()
    np.testing.assert_allclose(seen.of("vision.2", 0), x, rtol=2e-3, atol=2e-3)  # float16
    gone = planted.blocks[2].directions.numpy()
    assert np.abs(seen.of("vision.3", 0) @ gone.T).max() < 0.02
    assert seen.of("pixels", 0).shape == (len(x), 16 * 16 * 3)


@pytest.mark.parametrize("torn", [0, 7, 2 * 500])
def test_a_file_cut_off_by_a_crash_goes_on_after_its_last_whole_row(
    fresh, seen, planted_bank, tmp_path, torn
):
    collect(fresh, planted_bank, tmp_path / "f", batch_size=16)
    file = tmp_path / "f" / features.ROWS
    width = file.stat().st_size // len(planted_bank)
    file.write_bytes(file.read_bytes()[: 100 * width + torn])
    fresh.ran = 0
    found = collect(fresh, planted_bank, tmp_path / "f", batch_size=16)
    np.testing.assert_array_equal(found.rows, seen.rows)
    assert fresh.ran == len(planted_bank) - 100


def test_nothing_is_run_again(fresh, planted_bank, tmp_path):
    collect(fresh, planted_bank, tmp_path / "f")
    fresh.ran = 0
    collect(fresh, planted_bank, tmp_path / "f")
    assert fresh.ran == 0


def test_features_of_another_model_are_refused_with_what_differs(fresh, planted_bank, tmp_path):
    collect(fresh, planted_bank, tmp_path / "f", {"model": {"model": "one"}, "bank": {"rows": "a"}})
    with pytest.raises(LinnetError, match=r"features of something else: model.model: one -> two"):
        collect(fresh, planted_bank, tmp_path / "f", {"model": {"model": "two"}, "bank": {"rows": "a"}})
    with pytest.raises(LinnetError, match=r"bank.rows: a -> b\. Give another folder"):
        collect(fresh, planted_bank, tmp_path / "f", {"model": {"model": "one"}, "bank": {"rows": "b"}})


def test_photos_that_cannot_be_read_have_no_vector(fresh, tmp_path):
    bank = probe_cases.bank(fresh.tree, tmp_path / "photos", per_leaf=2, train=1)
    bad = [0, 1, 2, 3, 17]
    for row in bad:
        bank.image_path(row).write_bytes(b"no picture")
    found = collect(fresh, bank, tmp_path / "f", batch_size=4)  # the whole first batch is bad
    lacking = np.isnan(found.of("vision.1", 0)).any(axis=1)
    assert np.flatnonzero(lacking).tolist() == bad
    np.testing.assert_allclose(found.of("vision.0", 0)[18], fresh.states[18], rtol=2e-3, atol=2e-3)


def test_a_bank_without_a_readable_photo_is_refused(fresh, tmp_path):
    bank = probe_cases.bank(fresh.tree, tmp_path / "photos", per_leaf=1, train=0)
    for row in range(len(bank)):
        bank.image_path(row).write_bytes(b"no picture")
    with pytest.raises(LinnetError, match="none of the 24 photos of bank 'drawn-random' can be read"):
        collect(fresh, bank, tmp_path / "f")


def test_numbers_too_large_for_float16_are_cut_and_counted(tmp_path):
    file = RowFile(tmp_path / "rows", 3)
    assert file.append(np.array([[1e6, -1e6, np.nan], [1, 2, 3]], np.float32)) == 2
    assert np.isfinite(file.read()[0, :2]).all()
    assert np.isnan(file.read()[0, 2])
    assert len(RowFile(tmp_path / "none", 3).read()) == 0


def test_pictures_are_read_by_the_rules_of_the_image_root(fresh, tmp_path):
    bank = probe_cases.bank(fresh.tree, tmp_path / "photos", per_leaf=1, train=0)
    Image.new("RGB", (4, 4)).save(tmp_path / "outside.png")
    bank.image[3] = "../outside.png"
    with pytest.raises(LinnetError, match="leaves the image root"):
        collect(fresh, bank, tmp_path / "f")
