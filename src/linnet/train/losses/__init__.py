"""Losses on node scores: one module each, with one function `loss(scores, lineage, tree, **options)`."""
