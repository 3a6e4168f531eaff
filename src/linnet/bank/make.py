"""Making a bank draws wrong options for every level of every photo, and shuffles the letters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from linnet import discover
from linnet.bank.bank import NONE, Bank
from linnet.bank.pool import LETTERS, Drawn, Pool, Similarity, pools
from linnet.bank.seeded import keys, permutations, uniforms
from linnet.data.imageset import ImageSet
from linnet.errors import LinnetError

MAX_OPTIONS = 26  # one letter each
THINNING = 1 << 20  # a random stream beyond those of all levels


def make(
    images: ImageSet,
    policy: str = "random",
    n_options: int = 4,
    seed: int = 0,
    similarity: Similarity | np.ndarray | None = None,
    name: str | None = None,
) -> Bank:
    """Questions about every photo at every scored level of its lineage.

    policy: a module of `linnet.bank.policies`. similarity: (n, n_taxa) image-text cosines, or a function
    from row indices to (b, n_taxa), for the policy 'similar'. A sample's id is its image path; its
    questions depend on the seed and that id only (and, under 'balanced', on the class frequencies of
    the set). Where a level has fewer than `n_options` names all of them are shown.
    Raises LinnetError for photos that appear twice and for sets on which nothing can be asked.
    """
    paths = np.array([str(path) for path in images.image], object)
    if len(set(paths)) < len(paths):
        twice = next(
            path for path, count in zip(*np.unique(paths, return_counts=True), strict=True) if count > 1
        )
        raise LinnetError(f"image '{twice}' appears twice in '{images.name}'; list every photo once")
    lineage = images.lineage
    samples = Bank(
        taxonomy=images.taxonomy,
        sample_id=paths,
        image=paths,
        label=images.taxonomy.names[images.taxon],
        split=images.split,
        lineage=lineage,
        options=np.empty((*lineage.shape, 0), np.int32),
        answer=np.full(lineage.shape, NONE, np.int8),
        weight=np.ones(lineage.shape, np.float32),
        name=name or f"{images.name}-{policy}",
        image_root=images.root,
        manifest={"source": images.name},
    )
    return ask(samples, policy, n_options, seed, similarity)


def ask(
    bank: Bank,
    policy: str,
    n_options: int = 4,
    seed: int = 0,
    similarity: Similarity | np.ndarray | None = None,
) -> Bank:
    """The samples of a bank with new questions; arguments as for `make`."""
    if not 2 <= n_options <= MAX_OPTIONS:
        raise LinnetError(f"n_options is {n_options}; a question has 2 to {MAX_OPTIONS} options")
    chosen = discover.load("linnet.bank.policies", policy, "policy")
    made = pools(bank.taxonomy, bank.lineage, keys(bank.sample_id, seed), n_options)
    if not made:
        raise LinnetError(f"nothing to ask in '{bank.name}': no level of its taxonomy has two names")
    drawn = chosen.draw(made, similarity.__getitem__ if isinstance(similarity, np.ndarray) else similarity)
    manifest = {**bank.manifest, "policy": policy, "seed": seed, "n_options": n_options}
    return replace(_filled(bank, made, drawn, n_options), manifest=manifest)


def _filled(bank: Bank, made: list[Pool], drawn: list[Drawn], n_options: int) -> Bank:
    options = np.full((*bank.lineage.shape, n_options), NONE, np.int32)
    answer = np.full(bank.lineage.shape, NONE, np.int8)
    weight = np.ones(bank.lineage.shape, np.float32)
    for pool, (wrong, weights) in zip(made, drawn, strict=True):
        shown, position = _lettered(pool, wrong)
        asked = (wrong != NONE).any(axis=1)
        rows = pool.rows[asked]
        options[rows, pool.level, : shown.shape[1]] = shown[asked]
        answer[rows, pool.level] = position[asked]
        weight[rows, pool.level] = weights[asked]
    return replace(bank, options=options, answer=answer, weight=weight)


def _lettered(pool: Pool, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(r, 1 + m) options in a uniform order, NONE last, and (r,) position of the truth."""
    distractors = np.where(wrong != NONE, pool.taxa[wrong], NONE)
    options = np.concatenate([pool.truth_taxon[:, None], distractors], axis=1)
    order = permutations(pool.uniforms(options.shape[1], purpose=LETTERS), options != NONE)
    return np.take_along_axis(options, order, axis=1), np.argmax(order == 0, axis=1)


def subsample(bank: Bank, level: int | None = None, seed: int = 0) -> Bank:
    """An unweighted balanced bank on a part of the samples of a balanced bank.

    Of each class of one level (the first asked one by default) the share weight / largest weight of the
    samples is kept, so that its classes have their target counts without weights; samples without a
    question there stay. Options are drawn anew for what is left.
    """
    level = int(np.flatnonzero(bank.asked.any(axis=0))[0]) if level is None else level
    part = ask(bank.subset(_thinned(bank, level, seed)), "balanced", bank.options.shape[2], seed)
    manifest = {**part.manifest, "subsample": bank.taxonomy.level_names[level]}
    return replace(part, weight=np.ones_like(part.weight), manifest=manifest)


def _thinned(bank: Bank, level: int, seed: int) -> np.ndarray:
    """(n,) bool: samples kept so that the classes of a level have counts in proportion to their weight."""
    rows = np.flatnonzero(bank.asked[:, level])
    taxon, weight = bank.lineage[rows, level], bank.weight[rows, level].astype(np.float64)
    draw = uniforms(keys(bank.sample_id[rows], seed), THINNING, 1)[:, 0]
    order = np.lexsort((draw, taxon))
    _, first, counts = np.unique(taxon[order], return_index=True, return_counts=True)
    place = np.arange(len(rows)) - np.repeat(first, counts)
    quota = np.repeat(counts, counts) * weight[order] / weight.max()
    keep = ~bank.asked[:, level]
    keep[rows[order[place < np.floor(quota + 1e-3)]]] = True
    return keep
