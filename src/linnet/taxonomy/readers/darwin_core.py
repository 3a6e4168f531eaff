"""Darwin Core taxon tables: seven rank columns, or a parent for every taxon, to any depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linnet.taxonomy.build import PathTable, build
from linnet.taxonomy.findings import Finding, TaxonomyError
from linnet.taxonomy.names import LINNAEAN
from linnet.taxonomy.readers import _parents, _ranks
from linnet.taxonomy.readers._columns import TableFile, column_names, plain, table_of, write_columns
from linnet.taxonomy.readers._text import looks_like_json
from linnet.taxonomy.tree import Taxonomy

SIGNS = {"taxonid", "parentnameusageid", "acceptednameusageid", "scientificname", "specificepithet"}
USED = {*SIGNS, "canonicalname", "scientificnameauthorship", "taxonrank", *LINNAEAN}
Terms = dict[str, pa.Array]


def sniff(path: Path) -> bool:
    """A table with a column that only Darwin Core has."""
    if not path.is_file() or looks_like_json(path):
        return False
    return not SIGNS.isdisjoint(_term(name) for name in column_names(path))


def _term(column: str) -> str:
    """A column's term without its namespace (dwc:, http://rs.tdwg.org/dwc/terms/), in lower case."""
    return column.lower().replace(":", "/").rsplit("/", 1)[-1]


def read(path: Path, ranks: Sequence[str] | None = None) -> PathTable:
    """Path table with a row for each accepted taxon that has none below it.

    Parents decide where the file names any, else the seven columns do. With `ranks`, taxa of other ranks
    are left out of the paths. Raises TaxonomyError for cyclic or unknown parents and for empty names.
    """
    terms = _accepted(_load(path))
    if not _length(terms):
        raise TaxonomyError(f"{path.name} has no rows; give at least one taxon", "empty-file")
    if _has_parents(terms):
        table = _from_parents(terms, ranks, path.name)
    else:
        table = _ranks.apply(_from_columns(terms, path.name), ranks)
    return _leaf_rows(table, chosen=ranks is not None)


def findings(path: Path, ranks: Sequence[str] | None = None) -> list[Finding]:
    """What the tree does not show: synonyms that were left out, ranks that could not become levels."""
    loaded = _load(path)
    terms = _accepted(loaded)
    found = []
    if n_synonyms := _length(loaded) - _length(terms):
        message = "synonyms (rows with another acceptedNameUsageID), which are left out"
        found.append(Finding("note", "synonyms", message, n_synonyms))
    ranked = ranks is not None or "taxonrank" not in terms or not _has_parents(terms)
    if not ranked and _from_parents(terms, None, path.name).ranks is None:
        message = (
            "taxonRank is empty, unknown or not below its parent's in places, so levels are plain depths"
        )
        found.append(Finding("note", "ranks-unused", message))
    return found


def _load(path: Path) -> Terms:
    file = TableFile(path)
    columns = {_term(column): column for column in file.columns if _term(column) in USED}
    return {
        term: plain(cells) for term, cells in zip(columns, file.load(list(columns.values())), strict=True)
    }


def _length(terms: Terms) -> int:
    return len(next(iter(terms.values()), ()))


def _has_parents(terms: Terms) -> bool:
    """Whether parents decide: some are named, or there is nothing else to go by."""
    if "parentnameusageid" not in terms:
        return False
    return terms["parentnameusageid"].null_count < _length(terms) or terms.keys().isdisjoint(LINNAEAN)


def _accepted(terms: Terms) -> Terms:
    """The terms without synonyms; a parent that is a synonym gives way to the name accepted for it."""
    if not {"taxonid", "acceptednameusageid"} <= terms.keys():
        return terms
    own, accepted = terms["taxonid"], terms["acceptednameusageid"]
    synonym = pc.fill_null(pc.not_equal(own, accepted), False)
    if "parentnameusageid" in terms:
        parents = terms["parentnameusageid"]
        hit = pc.index_in(parents, value_set=own.filter(synonym))
        parents = pc.coalesce(accepted.filter(synonym).take(hit), parents)
        terms = {**terms, "parentnameusageid": parents}
    return {term: cells.filter(pc.invert(synonym)) for term, cells in terms.items()}


def _from_columns(terms: Terms, source: str) -> PathTable:
    """The seven columns; species from genus and specificEpithet, or the name of a row of that rank."""
    species = [terms["species"]] if "species" in terms else []
    if {"genus", "specificepithet"} <= terms.keys():
        species.append(pc.binary_join_element_wise(terms["genus"], terms["specificepithet"], " "))
    if {"taxonrank", "scientificname"} <= terms.keys():
        is_species = pc.equal(pc.utf8_lower(terms["taxonrank"]), "species")
        species.append(pc.if_else(is_species, _names(terms), None))
    columns = {rank: terms[rank] for rank in LINNAEAN[:-1] if rank in terms}
    if species:
        columns["species"] = pc.coalesce(*species)
    if not columns:
        raise TaxonomyError(
            f"{source} has Darwin Core columns but neither ranks nor parents; add {', '.join(LINNAEAN[:-1])} "
            "and specificEpithet, or taxonID, parentNameUsageID and scientificName",
            "no-ranks",
        )
    return table_of([cells.dictionary_encode() for cells in columns.values()], tuple(columns), source)


def _from_parents(terms: Terms, ranks: Sequence[str] | None, source: str) -> PathTable:
    ids, names = _ids(terms, source), _names(terms)
    if names.null_count:
        row = ids[pc.index(names.is_null(), True).as_py()]
        message = f"taxon '{row}' in {source} has an empty name; fill in its scientificName"
        raise TaxonomyError(message, "empty-name", names.null_count)
    parent = _parents.parent_index(ids, terms["parentnameusageid"], names, source)
    depth = _parents.depths(parent, ids, names, source)
    given = pc.utf8_lower(terms["taxonrank"]) if "taxonrank" in terms else pa.nulls(len(ids), pa.string())
    chosen, level = _parents.rank_levels(parent, given, names, ranks, source)
    if chosen is None:
        level = depth
    encoded = names.dictionary_encode()
    codes = _parents.path_codes(parent, level, encoded.indices.to_numpy(), int(level.max()) + 1)
    return PathTable(codes, encoded.dictionary.to_numpy(zero_copy_only=False), chosen, source)


def _ids(terms: Terms, source: str) -> pa.Array:
    for term, name in (("taxonid", "taxonID"), ("scientificname", "scientificName")):
        if term not in terms:
            raise TaxonomyError(f"{source} has parentNameUsageID but no {name} column; add it", "no-ranks")
    ids = terms["taxonid"]
    if ids.null_count:
        row = pc.index(ids.is_null(), True).as_py() + 1
        raise TaxonomyError(f"row {row} of {source} has no taxonID; fill it in", "ids", ids.null_count)
    counts = ids.value_counts()
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        message = f"taxonID '{twice[0]}' stands twice in {source}; make ids unique"
        raise TaxonomyError(message, "ids", len(twice), twice[:5].to_pylist())
    return ids


def _names(terms: Terms) -> pa.Array:
    """canonicalName where there is one, else scientificName without the author at its end."""
    names = terms["scientificname"]
    if "scientificnameauthorship" in terms:
        pairs = zip(names.to_pylist(), terms["scientificnameauthorship"].to_pylist(), strict=True)
        names = pa.array([n.removesuffix(a).rstrip(" ,") if n and a else n for n, a in pairs], pa.string())
    return pc.coalesce(terms["canonicalname"], names) if "canonicalname" in terms else names


def _leaf_rows(table: PathTable, chosen: bool) -> PathTable:
    """Without the rows of inner taxa, which checklists have, and without those above all chosen ranks."""
    if chosen:
        table = table.subset(np.flatnonzero((table.codes >= 0).any(axis=1)))
    taxonomy, ends = build(table, inner_labels=True)
    return table.subset(np.flatnonzero(taxonomy.is_leaf[ends]))


def write(taxonomy: Taxonomy, path: Path) -> None:
    """CSV, or TSV where the suffix says so, with one row per taxon and its parent."""
    ranks = taxonomy.ranks or [""] * taxonomy.n_levels
    columns = {
        "taxonID": [str(taxon) for taxon in range(len(taxonomy))],
        "parentNameUsageID": [str(parent) if parent >= 0 else "" for parent in taxonomy.parent.tolist()],
        "taxonRank": [ranks[level] for level in taxonomy.level.tolist()],
        "scientificName": taxonomy.names.tolist(),
    }
    write_columns(columns, path)
