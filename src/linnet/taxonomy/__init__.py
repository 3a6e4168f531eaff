"""Trees of taxa on integer arrays, how to read them and how far apart taxa are."""

from linnet.taxonomy.build import PathTable, build, path_table
from linnet.taxonomy.tree import MISSING, ROOT, Taxonomy

__all__ = ["MISSING", "ROOT", "PathTable", "Taxonomy", "build", "path_table"]
