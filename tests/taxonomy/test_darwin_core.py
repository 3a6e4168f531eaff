"""Darwin Core tables by rank columns and by parents."""

from pathlib import Path

import pytest

from linnet.errors import LinnetError
from linnet.taxonomy import Taxonomy, files
from linnet.taxonomy.findings import TaxonomyError

PARENTS = """taxonID,parentNameUsageID,acceptedNameUsageID,taxonRank,scientificName
1,,,kingdom,Animalia
2,1,,FAMILY,Passeridae
3,2,,genus,Passer
4,3,,species,Passer domesticus
5,3,,species,Passer montanus
6,,4,species,Fringilla domestica
7,2,,genus,Montifringilla
"""


def read(tmp_path: Path, text: str, **options: object) -> Taxonomy:
    (tmp_path / "taxa.csv").write_text(text, encoding="utf-8")
    return files.read(tmp_path / "taxa.csv", **options)


def rows_of(taxonomy: Taxonomy) -> list[list[str]]:
    return sorted(taxonomy.path(leaf) for leaf in taxonomy.leaves)


def test_parents_with_ranks(tmp_path: Path) -> None:
    taxonomy = read(tmp_path, PARENTS)
    assert taxonomy.ranks == ("kingdom", "family", "genus", "species")
    assert rows_of(taxonomy) == [
        ["Animalia", "Passeridae", "Montifringilla"],
        ["Animalia", "Passeridae", "Passer", "Passer domesticus"],
        ["Animalia", "Passeridae", "Passer", "Passer montanus"],
    ]


def test_asked_ranks_leave_the_others_out(tmp_path: Path) -> None:
    taxonomy = read(tmp_path, PARENTS, ranks=["kingdom", "genus"])
    assert rows_of(taxonomy) == [["Animalia", "Montifringilla"], ["Animalia", "Passer"]]
    with pytest.raises(LinnetError) as error:
        read(tmp_path, PARENTS, ranks=["order"])
    assert str(error.value) == "unknown rank 'order' in taxa.csv; ranks: kingdom, family, genus, species."


@pytest.mark.parametrize("rank", ["", "clade", "genus"])
def test_ranks_that_make_no_levels_leave_plain_depths(tmp_path: Path, rank: str) -> None:
    text = PARENTS.replace("FAMILY", rank)
    taxonomy = read(tmp_path, text)
    assert taxonomy.ranks is None
    assert taxonomy.taxa_per_level == [1, 1, 2, 2]


def test_rank_below_itself(tmp_path: Path) -> None:
    with pytest.raises(LinnetError) as error:
        read(tmp_path, PARENTS.replace("FAMILY", "genus"), ranks=["genus"])
    assert str(error.value) == (
        "'Passer' (genus) in taxa.csv stands below 'Passeridae' (genus); leave one of the ranks out"
    )


def test_any_depth_in_any_order(tmp_path: Path) -> None:
    lines = [f"{k},{k - 1 if k else ''},name {k}" for k in range(40)][::-1]
    taxonomy = read(tmp_path, "taxonID,parentNameUsageID,scientificName\n" + "\n".join(lines))
    assert taxonomy.taxa_per_level == [1] * 40
    assert taxonomy.path(39)[:2] == ["name 0", "name 1"]


def test_parent_that_is_a_synonym_gives_way(tmp_path: Path) -> None:
    text = PARENTS.replace(
        "6,,4,species,Fringilla domestica", "6,,3,genus,Pyrgita\n8,6,,species,Passer hispaniolensis"
    )
    assert ["Animalia", "Passeridae", "Passer", "Passer hispaniolensis"] in rows_of(read(tmp_path, text))


def test_author_is_no_part_of_the_name(tmp_path: Path) -> None:
    text = (
        "taxonID,parentNameUsageID,scientificName,scientificNameAuthorship\n"
        '1,,"Passer Brisson, 1760","Brisson, 1760"\n'
        '2,1,"Passer montanus (Linnaeus, 1758)","(Linnaeus, 1758)"\n'
    )
    assert rows_of(read(tmp_path, text)) == [["Passer", "Passer montanus"]]


def test_canonical_name_is_preferred(tmp_path: Path) -> None:
    header = "taxonID\tparentNameUsageID\tscientificName\tcanonicalName\n"
    text = header + "1\t\tPasser Brisson\tPasser\n2\t1\tP. x\t\n"
    assert rows_of(read(tmp_path, text)) == [["Passer", "P. x"]]


SEVEN = "taxonID,kingdom,phylum,class,order,family,genus,specificEpithet,taxonRank,scientificName\n"


def test_seven_columns(tmp_path: Path) -> None:
    rows = "1,Animalia,Chordata,Aves,Passeriformes,Passeridae,Passer,montanus,species,Passer montanus (L.)\n"
    rows += (
        "2,Animalia,Chordata,Aves,Passeriformes,Passeridae,,,family,Passeridae\n"  # inner: no row of its own
    )
    rows += "3,Animalia,Chordata,,,,,,phylum,Chordata\n4,Animalia,Mollusca,,,,,,phylum,Mollusca\n"
    taxonomy = read(tmp_path, SEVEN + rows)
    assert taxonomy.ranks == ("kingdom", "phylum", "class", "order", "family", "genus", "species")
    assert rows_of(taxonomy) == [
        ["Animalia", "Chordata", "Aves", "Passeriformes", "Passeridae", "Passer", "Passer montanus"],
        ["Animalia", "Mollusca"],
    ]
    assert read(tmp_path, SEVEN + rows, ranks=["class", "order"]).taxa_per_level == [1, 1]


def test_species_from_the_name_of_a_species_row(tmp_path: Path) -> None:
    header = "dwc:genus,http://rs.tdwg.org/dwc/terms/taxonRank,dwc:scientificName\n"
    text = header + "Passer,Species,Passer montanus\n"
    assert rows_of(read(tmp_path, text)) == [["Passer", "Passer montanus"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "taxonID,parentNameUsageID,scientificName\n1,3,Aves\n2,1,Passer\n3,2,Anas\n4,,Mammalia\n",
            "cyclic parents in taxa.csv: Aves (1) > Passer (2) > Anas (3) > Aves (1); "
            "give one of them a parent outside the cycle",
        ),
        (
            "taxonID,parentNameUsageID,scientificName\n1,1,Aves\n2,1,Passer\n",
            "cyclic parents in taxa.csv: Aves (1) > Aves (1); give one of them a parent outside the cycle",
        ),
        (
            "taxonID,parentNameUsageID,scientificName\n1,,Aves\n2,99,Passer\n",
            "taxon Passer (2) in taxa.csv has the unknown parent '99'; add a row for it or clear the cell",
        ),
        (
            "taxonID,parentNameUsageID,scientificName\n1,,Aves\n2,1, \n",
            "taxon '2' in taxa.csv has an empty name; fill in its scientificName",
        ),
        (
            "taxonID,parentNameUsageID,scientificName\n1,,Aves\n1,1,Passer\n",
            "taxonID '1' stands twice in taxa.csv; make ids unique",
        ),
        (
            "taxonID,parentNameUsageID,scientificName\n1,,Aves\n,1,Passer\n",
            "row 2 of taxa.csv has no taxonID; fill it in",
        ),
        (
            "parentNameUsageID,scientificName\n1,Aves\n",
            "taxa.csv has parentNameUsageID but no taxonID column; add it",
        ),
        (
            "taxonID,scientificName\n1,Aves\n",
            "taxa.csv has Darwin Core columns but neither ranks nor parents; add kingdom, phylum, class, "
            "order, family, genus and specificEpithet, or taxonID, parentNameUsageID and scientificName",
        ),
        ("taxonID,parentNameUsageID,scientificName\n", "taxa.csv has no rows; give at least one taxon"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TaxonomyError) as error:
        read(tmp_path, text)
    assert str(error.value) == message
