"""The native file: Parquet with taxon_id, parent_id, level and name; ranks and name in its metadata."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linnet.errors import LinnetError
from linnet.taxonomy.findings import TaxonomyError
from linnet.taxonomy.tree import Taxonomy

KEY = b"linnet_taxonomy"
COLUMNS = ("taxon_id", "parent_id", "level", "name")


def write(taxonomy: Taxonomy, path: Path | str) -> None:
    """Write the taxonomy; `read` gives equal arrays back."""
    path = Path(path)
    about = {
        "version": 1,
        "name": taxonomy.name,
        "ranks": taxonomy.ranks,
        "fingerprint": taxonomy.fingerprint,
    }
    arrays = [
        pa.array(np.arange(len(taxonomy), dtype=np.int32)),
        pa.array(taxonomy.parent, pa.int32()),
        pa.array(taxonomy.level, pa.int16()),
        pa.array(taxonomy.names, pa.string()),
    ]
    table = pa.table(dict(zip(COLUMNS, arrays, strict=True)))
    unfinished = path.with_name(path.name + ".part")
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(about).encode()}), unfinished)
    unfinished.replace(path)


def read(path: Path | str) -> Taxonomy:
    """The taxonomy of a native file; raises TaxonomyError if the file is another or damaged."""
    path = Path(path)
    try:
        table = pq.read_table(path)
    except OSError as error:
        raise LinnetError(f"cannot read '{path}': {error}; check the path") from error
    except pa.ArrowInvalid as error:
        raise TaxonomyError(f"{path.name} is a damaged Parquet file: {error}; write it again") from error
    metadata = table.schema.metadata or {}
    if KEY not in metadata or not set(COLUMNS) <= set(table.column_names):
        raise TaxonomyError(
            f"{path.name} is not Linnet's own Parquet; if it has rank columns read it as rank-table"
        )
    about = json.loads(metadata[KEY])
    taxonomy = Taxonomy(
        table["name"].combine_chunks().to_numpy(zero_copy_only=False),
        table["parent_id"].to_numpy(),
        table["level"].to_numpy(),
        tuple(about["ranks"]) if about["ranks"] else None,
        about["name"],
    )
    return _checked(taxonomy, about["fingerprint"], path)


def _checked(taxonomy: Taxonomy, fingerprint: str, path: Path) -> Taxonomy:
    if taxonomy.fingerprint != fingerprint:
        raise TaxonomyError(
            f"{path.name} was changed after Linnet wrote it: its taxa have fingerprint "
            f"{taxonomy.fingerprint}, its metadata {fingerprint}; convert the source file again",
            "changed",
        )
    return taxonomy
