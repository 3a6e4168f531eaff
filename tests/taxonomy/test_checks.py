"""Every quirk of the published files is found with its count, and nothing crashes."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.errors import LinnetError
from linnet.taxonomy import PathTable, Taxonomy, path_table
from linnet.taxonomy.checks import check
from linnet.taxonomy.findings import Finding
from linnet.taxonomy.rows import to_table

# (code, level) and count of every finding in the published files.
PUBLISHED = {
    "CUB200": {
        ("only-child", "level1"): 9,
        ("only-child", "level2"): 17,
        ("only-child", "level3"): 87,
        ("name-repeated-on-path", None): 2,
        ("key-mismatch", None): 1,
        ("imbalance", "level1"): 133,
    },
    "Inat_animal": {
        ("constant-top", "level1"): 1,
        ("only-child", "level3"): 6,
        ("only-child", "level4"): 73,
        ("only-child", "level5"): 370,
        ("only-child", "level6"): 2026,
        ("parent-in-name", None): 5388,
        ("imbalance", "level2"): 2752,
        ("imbalance", "level3"): 2526,
        ("imbalance", "level4"): 1430,
    },
    "Inat_plantae": {
        ("constant-top", "level1"): 1,
        ("only-child", "level2"): 2,
        ("only-child", "level3"): 5,
        ("only-child", "level4"): 42,
        ("only-child", "level5"): 137,
        ("only-child", "level6"): 1002,
        ("parent-in-name", None): 4271,
        ("imbalance", "level2"): 4218,
        ("imbalance", "level3"): 3295,
    },
    "imagenet_animal": {
        ("constant-top", "level1"): 1,
        ("only-child", "level5"): 1,
        ("ragged", None): 395,
        ("mixed-case", None): 133,
        ("parent-in-name", None): 1,
        ("punctuation", None): 1,
        ("imbalance", "level2"): 336,
        ("imbalance", "level3"): 217,
        ("imbalance", "level4"): 212,
        ("imbalance", "level5"): 158,
        ("imbalance", "level6"): 130,
        ("imbalance", "level7"): 118,
    },
    "imagenet_artifact": {
        ("constant-top", "level1"): 1,
        ("two-parents", "level4"): 1,
        ("only-child", "level3"): 1,
        ("only-child", "level4"): 5,
        ("only-child", "level5"): 1,
        ("ragged", None): 450,
        ("mixed-case", None): 14,
        ("punctuation", None): 1,
        ("imbalance", "level2"): 332,
    },
    "Food": {
        ("constant-top", "level1"): 1,
        ("ragged", None): 60,
        ("punctuation", None): 1,
        ("imbalance", "level2"): 44,
        ("imbalance", "level3"): 33,
    },
}


def counts(findings: list[Finding]) -> dict[tuple[str, str | None], int]:
    assert len({(f.code, f.level) for f in findings}) == len(findings)
    return {(f.code, f.level): f.count for f in findings}


def only(rows: list[list[str | None]], code: str) -> Finding:
    """The one finding of that code in a table of these rows."""
    (found,) = [f for f in check(path_table(rows)) if f.code == code]
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files(shared: Path, name: str) -> None:
    findings = check(shared / "data/taxonomies" / f"hierarchy_{name}.json")
    assert counts(findings) == PUBLISHED[name]
    assert not any(f.severity == "error" for f in findings)


def test_published_examples(shared: Path) -> None:
    folder = shared / "data/taxonomies"
    cub = {f.code: f for f in check(folder / "hierarchy_CUB200.json") if f.level is None}
    assert cub["key-mismatch"].examples == ("Nelson's Sharp-tailed Sparrow / Nelson's sharp-tailed Sparrow",)
    assert "Cuculiformes > Cuculidae > Geococcyx > Geococcyx" in cub["name-repeated-on-path"].examples
    artifact = {f.code: f for f in check(folder / "hierarchy_imagenet_artifact.json")}
    assert artifact["two-parents"].examples == ("sports equipment (under implement, equipment)",)
    plants = next(f for f in check(folder / "hierarchy_Inat_plantae.json") if f.code == "imbalance")
    assert plants.message == "leaves of 4271 (98.8%) are in 'Tracheophyta', though the level has 5 taxa"


def test_photo_table(shared: Path) -> None:
    found = counts(check(shared / "data/cub100/metadata.csv"))
    assert found[("repeated-row", None)] == 5902 - 100
    assert found[("name-repeated-on-path", None)] == 1


def test_two_parents_of_one_name_in_any_spelling() -> None:
    rows = [["a", "tool", "x"], ["b", "Tool", "y"], ["c", "tool", "z"]]
    assert only(rows, "two-parents").examples == ("tool (under a, b, c)",)
    assert only(rows, "case-collision").examples == ("Tool / tool",)


def test_name_on_several_levels() -> None:
    rows = [["a", "x", "x"], ["b", "a", "y"], ["c", "d", "z"]]
    assert only(rows, "name-repeated-on-path").examples == ("a > x > x",)
    across = only(rows, "name-repeated-across-branches")
    assert (across.count, across.examples) == (1, ("a / b > a",))


def test_missing_ranks_by_level() -> None:
    rows = [["a", None, "x"], [None, None, "y"], ["a", "g", "z"], ["b", "h", None]]
    found = counts(check(path_table(rows, ["family", "genus", "species"])))
    assert found[("missing-rank", "family")] == 1
    assert found[("missing-rank", "genus")] == 2
    assert found[("ragged", None)] == 1
    assert ("missing-rank", "species") not in found


def test_leaf_also_internal_and_empty_rows_are_errors() -> None:
    rows = [["a", "b"], ["a"], [None], ["a", "b"]]
    findings = check(path_table(rows))
    assert [(f.severity, f.code, f.count) for f in findings[:2]] == [
        ("error", "empty-row", 1),
        ("error", "leaf-also-internal", 1),
    ]
    assert findings[0].examples == ("row 3",)
    assert findings[1].examples == ("a",)


def test_names_that_stand_for_nothing() -> None:
    rows = [["a", "Unknown"], ["b", "NA"], ["c", "x(y)"]]
    assert only(rows, "placeholder").count == 2
    assert only(rows, "punctuation").examples == ("x(y)",)
    blank = PathTable(np.array([[0, 1]], np.int32), np.array(["a", " "], object), None, "table")
    assert counts(check(blank))[("empty-name", None)] == 1


def test_heavy_and_even_levels() -> None:
    even = [["a", "x"], ["a", "y"], ["b", "z"], ["b", "w"]]
    assert "imbalance" not in {f.code for f in check(path_table(even))}
    assert (
        only([*even, ["a", "u"], ["a", "v"]][2:] + [["a", str(k)] for k in range(9)], "imbalance").level
        == "level1"
    )


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("t.csv", b"", "empty-file"),
        ("t.csv", b"genus,species\n", "empty-file"),
        ("t.csv", b"genus,species\nAnas,\xe9\n", "undecodable"),
        ("t.csv", b"image,label\na,b\n", "no-ranks"),
        ("t.csv", b"genus,specis\na,b\n", "unknown-rank"),
        ("t.csv", b"genus,species\na\n", "unreadable"),
        ("t.csv", b"taxonID,parentNameUsageID,scientificName\n1,2,a\n2,1,b\n", "cyclic-parents"),
        ("t.csv", b"taxonID,parentNameUsageID,scientificName\n1,,a\n2,7,b\n", "unknown-parent"),
        ("t.csv", b"taxonID,parentNameUsageID,scientificName\n1,,a\n2,1,\n", "empty-name"),
        ("t.json", b'{"x": ["a", ""]}', "empty-name"),
        ("t.json", b'{"x": ["a", "x"], "y": ["a", "x", "y"]}', "leaf-also-internal"),
        ("t.json", b'{"x": ["a", "x"', "unreadable"),
        ("t.parquet", b"PAR1", "unreadable"),
    ],
)
def test_files_that_make_no_taxonomy(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    findings = check(tmp_path / name)
    assert [f.code for f in findings if f.severity == "error"] == [code]
    assert findings[0].message


def test_missing_file_and_unknown_rank_are_no_findings(tmp_path: Path) -> None:
    with pytest.raises(LinnetError, match="there is no such file"):
        check(tmp_path / "no.csv")
    (tmp_path / "t.csv").write_text("genus,species\na,b\n")
    with pytest.raises(LinnetError, match="unknown rank 'genis'"):
        check(tmp_path / "t.csv", ranks=["genis"])


def test_what_only_the_file_shows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("family,subfamily,species,note\nF,S,x,1\n")
    assert counts(check(tmp_path / "t.csv"))[("unread-ranks", None)] == 1
    assert ("unread-ranks", None) not in counts(
        check(tmp_path / "t.csv", ranks=["family", "subfamily", "species"])
    )
    (tmp_path / "t.json").write_text('{"x": ["a", "x"], "x": ["b", "x"], "y": ["b", "z"]}')
    found = counts(check(tmp_path / "t.json"))
    assert found[("duplicate-key", None)] == 1
    assert found[("key-mismatch", None)] == 1
    columns = "taxonID,parentNameUsageID,acceptedNameUsageID,taxonRank,scientificName\n"
    (tmp_path / "d.csv").write_text(columns + "1,,,clade,A\n2,1,,species,B\n3,,2,species,C\n")
    found = counts(check(tmp_path / "d.csv"))
    assert found[("synonyms", None)] == 1
    assert found[("ranks-unused", None)] == 1


@settings(max_examples=80)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "A", "", "x y"]), min_size=1, max_size=4), max_size=10))
def test_no_table_crashes(rows: list[list[str]]) -> None:
    for finding in check(path_table(rows)):
        assert finding.count >= 1
        assert len(finding.examples) <= 12


@settings(max_examples=40)
@given(taxonomies(gaps=True))
def test_taxonomies_have_no_errors(taxonomy: Taxonomy) -> None:
    findings = check(to_table(taxonomy))
    assert all(finding.severity != "error" for finding in findings)
    found = counts(findings)
    single = [int((taxonomy.n_children[taxonomy.at_level(k)] == 1).sum()) for k in range(taxonomy.n_levels)]
    assert [found.get(("only-child", name), 0) for name in taxonomy.level_names] == single


NAMES = st.sampled_from(["a", "b", "name", "children", "rank", "genus", " ", "é"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
CELLS = st.sampled_from(["a", "b", "", " ", '"', "\t", "\r", "genus", "species", "1", "2"])
HEADERS = st.sampled_from(
    [
        "genus,species",
        "taxonID,parentNameUsageID,scientificName",
        "level1\tlevel2",
        "taxonID,genus,acceptedNameUsageID",
    ]
)


@settings(max_examples=200)
@given(JSON)
def test_no_json_crashes(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    path = tmp_path_factory.getbasetemp() / "t.json"
    path.write_text(json.dumps(content))
    check(path)


@settings(max_examples=200)
@given(HEADERS, st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=5))
def test_no_text_crashes(
    tmp_path_factory: pytest.TempPathFactory, header: str, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "t.csv"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]), encoding="utf-8", newline="")
    check(path)


@settings(max_examples=100)
@given(st.binary(max_size=40))
def test_no_bytes_crash(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "t.any"
    path.write_bytes(content)
    check(path)
