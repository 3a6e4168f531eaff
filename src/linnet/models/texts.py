"""Every taxon is put into words, in one template or in several."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.errors import LinnetError, unknown
from linnet.taxonomy.tree import Taxonomy

# {name} and {rank} of the taxon, {parent}, the name of the taxon above it, {path}, names from the top down.
STYLES = {
    "plain": "a photo of a {name}.",
    "rank": "a photo of the {rank} {name}.",
    "taxonomic": "a photo of {path}.",
    "paper": "a photo of a {name}.",
}
# Plain depths have no rank to name; the taxon above tells equal names apart there.
RANKLESS = "a photo of a {name}, a kind of {parent}."


def taxon_texts(taxonomy: Taxonomy, template: str | Sequence[str] = "rank") -> list[list[str]]:
    """One list of n_taxa texts per template.

    template: 'plain', 'rank' (names the rank, because names repeat across levels; the taxon above where
    levels are plain depths), 'taxonomic' (the whole path), 'paper' (plain and in lower case), or
    templates with {name}, {rank}, {parent}, {path}; '{}' is {name}. Raises LinnetError for others.
    """
    templates = [template] if isinstance(template, str) else list(template)
    for text in templates:
        if text not in STYLES and "{" not in text:
            raise LinnetError(unknown("template", text, "the model's options (or one with {name})", STYLES))
    return [_texts(taxonomy, text) for text in templates]


def _texts(taxonomy: Taxonomy, template: str) -> list[str]:
    lower = template == "paper"
    texts = [_fill(template, taxonomy, taxon) for taxon in range(len(taxonomy))]
    return [text.lower() for text in texts] if lower else texts


def _fill(template: str, taxonomy: Taxonomy, taxon: int) -> str:
    parent = int(taxonomy.parent[taxon])
    fields = {
        "name": str(taxonomy.names[taxon]),
        "rank": taxonomy.level_names[taxonomy.level[taxon]],
        "parent": str(taxonomy.names[parent]) if parent >= 0 else "",
        "path": " ".join(taxonomy.path(taxon)),
    }
    if template == "rank" and taxonomy.ranks is None:
        template = RANKLESS if parent >= 0 else "plain"
    pattern = STYLES.get(template, template).replace("{}", "{name}")
    try:
        return pattern.format(**fields)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise LinnetError(
            f"template '{template}' cannot be filled ({error}); it may hold {{{'}, {'.join(fields)}}}"
        ) from error
