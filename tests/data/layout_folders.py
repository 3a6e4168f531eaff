"""Tiny folders in the layouts that data sets publish."""

from pathlib import Path

from linnet.taxonomy import Taxonomy, build, path_table


def lay(root: Path, files: dict[str, str]) -> Path:
    """Write text files below root, with the folders they need."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def tree(*rows: str, name: str = "tree") -> Taxonomy:
    """Taxonomy of rows such as 'Aves > Laridae > Ivory Gull'."""
    return build(path_table([row.split(" > ") for row in rows]), name)[0]


def told(images) -> list[tuple[str, str, str]]:
    """Path, split and lineage of every photo."""
    return [
        (str(path), str(split), " > ".join(images.taxonomy.path(taxon)))
        for path, split, taxon in zip(images.image, images.split, images.taxon, strict=True)
    ]
