"""CSV, TSV and Parquet with rank columns."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linnet.errors import LinnetError
from linnet.taxonomy import Taxonomy, build, files, path_table
from linnet.taxonomy.findings import TaxonomyError

CUB = "order,family,genus,species\nAnseriformes,Anatidae,Anas,Mallard\n,Anatidae,,Muscovy Duck\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def read(tmp_path: Path, text: str, name: str = "cub100.csv", **options: object) -> Taxonomy:
    return files.read(write(tmp_path / name, text), **options)


def rows_of(taxonomy: Taxonomy) -> list[list[str]]:
    return [taxonomy.path(leaf) for leaf in taxonomy.leaves]


def test_any_rank_may_be_empty(tmp_path: Path) -> None:
    taxonomy = read(tmp_path, CUB)
    assert taxonomy.ranks == ("order", "family", "genus", "species")
    assert rows_of(taxonomy) == [
        ["Anseriformes", "Anatidae", "Anas", "Mallard"],
        ["Anatidae", "Muscovy Duck"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffgenus,species\nAnas,Mallard\n",
        "genus,species\r\nAnas,Mallard\r\n",
        "Genus , Species\n Anas\t,\u00a0Mallard \n",
        "species,genus\nMallard,Anas",
        'note,genus,species,split\n"a, b",Anas,Mallard,test\n',
        "genus;species\nAnas;Mallard\n",
        "genus\tspecies\nAnas\tMallard\n",
        '\n\n"genus"\t"species"\n"Anas"\t"Mallard"\n\n',
    ],
)
def test_spellings_of_one_table(tmp_path: Path, text: str) -> None:
    taxonomy = read(tmp_path, text)
    assert taxonomy.ranks == ("genus", "species")
    assert rows_of(taxonomy) == [["Anas", "Mallard"]]


def test_quotes_in_tab_separated_dumps_are_kept(tmp_path: Path) -> None:
    text = 'genus\tspecies\nAnas\t"Mallard\nAnas\tPintail"\n'
    assert rows_of(read(tmp_path, text, "t.tsv")) == [["Anas", '"Mallard'], ["Anas", 'Pintail"']]


def test_quoted_cells_may_hold_separators_and_newlines(tmp_path: Path) -> None:
    text = 'genus,species,note\n"Anas, s.l.","Mal ""lard""","two\nlines"\nAnas,Pintail,\n'
    assert rows_of(read(tmp_path, text)) == [["Anas, s.l.", 'Mal "lard"'], ["Anas", "Pintail"]]


def test_level_columns_are_plain_depths(tmp_path: Path) -> None:
    taxonomy = read(tmp_path, "level10,level2,level1\nz,b,a\n")
    assert taxonomy.ranks is None
    assert rows_of(taxonomy) == [["a", "b", "z"]]


def test_ranks_choose_columns(tmp_path: Path) -> None:
    text = "Family,Tribe,genus,species\nF,T,G,s\n"
    assert read(tmp_path, text).ranks == ("family", "genus", "species")
    assert rows_of(read(tmp_path, text, ranks=["family", "tribe", "species"])) == [["F", "T", "s"]]


def test_unknown_rank(tmp_path: Path) -> None:
    with pytest.raises(LinnetError) as error:
        read(tmp_path, CUB, ranks=["order", "familly"])
    assert str(error.value) == (
        "unknown rank 'familly' in cub100.csv; ranks: order, family, genus, species. Did you mean 'family'?"
    )


def test_misspelt_rank_column_is_not_dropped(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError) as error:
        read(tmp_path, "order,familly,species\na,b,c\n")
    assert str(error.value) == (
        "unknown rank 'familly' in cub100.csv; ranks: kingdom, phylum, class, order, family, genus, species. "
        "Did you mean 'family'?"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cub100.csv is empty; give at least one taxon"),
        (" \r\n", "cub100.csv is empty; give at least one taxon"),
        ("genus,species\n", "cub100.csv has no rows; give at least one taxon"),
        (
            "genus,species\nAnas,Mallard\n , \n",
            "row 2 of cub100.csv names no taxon at any level; fill one in or remove the row",
        ),
        (
            "genus,species\nAnas,\nAnas,Mallard\n",
            "'Anas' in cub100.csv is a leaf and also the parent of 'Mallard'; give the leaf a name of its "
            "own or remove its row",
        ),
        ("genus,genus\na,b\n", "column 'genus' stands twice in cub100.csv; rename one of them"),
        (
            "image,label\na,b\n",
            "no column of cub100.csv is a rank; columns: image, label. Name them kingdom, phylum, class, "
            "order, family, genus, species or say which are ranks, coarse to fine",
        ),
        (
            "genus,species\nAnas,Mallard\nAnas\n",
            "cannot read cub100.csv: CSV parse error: Expected 2 columns, got 1: Anas; mend the row",
        ),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TaxonomyError) as error:
        read(tmp_path, text)
    assert str(error.value) == message


def test_undecodable_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("genus,species\nAnas,Eisente é\n".encode("latin-1"))
    with pytest.raises(TaxonomyError) as error:
        files.read(path)
    assert str(error.value) == "t.csv is not UTF-8: byte 0xe9 in line 2; save it as UTF-8"
    path.write_bytes("genus,species\nAnas,Mallard\n".encode("utf-16"))
    with pytest.raises(TaxonomyError) as error:
        files.read(path)
    assert str(error.value) == "t.csv is not UTF-8: byte 0xff in line 1; save it as UTF-8"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LinnetError) as error:
        files.read(tmp_path / "no.csv")
    assert str(error.value) == f"cannot read '{tmp_path / 'no.csv'}': there is no such file; check the path"


def test_parquet_of_any_column_type(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    genus = pa.array(["Anas", None, "Anas"]).dictionary_encode()
    species = pa.array(["Mallard ", "Pintail", ""], pa.large_string())
    columns = {
        "species": species,
        "genus": genus,
        "family": pa.array([7, 7, 8]),
        "image": pa.array([1, 2, 3]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=1)
    taxonomy = files.read(path)
    assert sorted(rows_of(taxonomy)) == [["7", "Anas", "Mallard"], ["7", "Pintail"], ["8", "Anas"]]


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(TaxonomyError, match=r"^t.parquet is a damaged Parquet file: .*; fetch it again$"):
        files.read(path)


def test_real_tables(shared: Path) -> None:
    photos = files.read(shared / "data/cub100/metadata.csv")
    assert (
        photos.taxa_per_level
        == files.read(shared / "data/cub100/taxonomy.csv").taxa_per_level
        == [13, 30, 78, 100]
    )


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_awkward_names_survive(tmp_path: Path, suffix: str) -> None:
    rows = [["a,b", '"q', "x"], ["a,b", "t\u2003u", None], [None, "é;", 'x"y']]
    taxonomy, _ = build(path_table(rows, ["family", "genus", "species"]))
    files.write(taxonomy, tmp_path / f"t{suffix}")
    assert files.read(tmp_path / f"t{suffix}").fingerprint == taxonomy.fingerprint
