"""The native Parquet file gives equal arrays back."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.taxonomy import Taxonomy, build, files, path_table, store
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.tree import from_arrays


@settings(max_examples=30)
@given(taxonomies(gaps=True))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> None:
    path = tmp_path_factory.mktemp("store") / "t.parquet"
    store.write(taxonomy, path)
    again = store.read(path)
    for field in ("names", "parent", "level"):
        np.testing.assert_array_equal(getattr(again, field), getattr(taxonomy, field))
    assert (again.ranks, again.name, again.fingerprint) == (
        taxonomy.ranks,
        taxonomy.name,
        taxonomy.fingerprint,
    )
    assert again.parent.dtype == np.int32
    assert again.level.dtype == np.int16
    assert list(path.parent.iterdir()) == [path]


def test_columns_and_metadata(tmp_path: Path) -> None:
    taxonomy, _ = build(path_table([["F", "G"]], ["family", "genus"], "birds.csv"))
    store.write(taxonomy, tmp_path / "t.parquet")
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.column_names == ["taxon_id", "parent_id", "level", "name"]
    assert table["parent_id"].to_pylist() == [-1, 0]
    again = files.read(tmp_path / "t.parquet")
    assert (again.name, again.ranks) == ("birds.csv", ("family", "genus"))
    assert files.read(tmp_path / "t.parquet", ranks=["genus"]).taxa_per_level == [1]


def test_ids_that_no_rows_would_give_are_kept(tmp_path: Path) -> None:
    taxonomy = from_arrays(["b", "a", "x", "y"], [-1, -1, 1, 0])
    store.write(taxonomy, tmp_path / "t.parquet")
    assert files.read(tmp_path / "t.parquet").fingerprint == taxonomy.fingerprint


def test_files_of_others(tmp_path: Path, t6: Taxonomy) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"genus": ["Anas"]}), path)
    with pytest.raises(TaxonomyError) as error:
        store.read(path)
    assert str(error.value) == (
        "t.parquet is not Linnet's own Parquet; if it has rank columns read it as rank-table"
    )
    path.write_bytes(b"PAR1")
    with pytest.raises(TaxonomyError, match=r"^t.parquet is a damaged Parquet file"):
        store.read(path)
    with pytest.raises(LinnetError, match=r"^cannot read '.*no.parquet'"):
        store.read(tmp_path / "no.parquet")


def test_changed_file(tmp_path: Path, t6: Taxonomy) -> None:
    path = tmp_path / "t.parquet"
    store.write(t6, path)
    table = pq.read_table(path)
    names = table["name"].to_pylist()
    changed = table.set_column(3, "name", pa.array(["Z", *names[1:]]))
    pq.write_table(changed, path)
    with pytest.raises(TaxonomyError, match=r"^t.parquet was changed after Linnet wrote it"):
        store.read(path)
