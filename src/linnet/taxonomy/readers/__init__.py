"""One module per file format, found by name; the format `rank-table` is the module `rank_table`.

read(path, ranks=None) -> PathTable: every module has it; `ranks` choose the levels, or name them.
sniff(path) -> bool: whether a file is of this format; without it the format must be named.
write(taxonomy, path): writes a file that `read` reads back.
findings(path, ranks=None) -> list[Finding]: what only the file shows, not the tree.
"""
