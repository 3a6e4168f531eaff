"""Every metric once more in plain Python, one sample at a time: what the fast ones are held to."""

import math
from collections import defaultdict

from slow_samples import ROOT, Sample, Tree, class_mean, f1, mean, quotient

from linnet.evaluate.lineages import Lineages


def slow_metrics(lineages: Lineages) -> dict:
    """All metrics that need no node scores, None for NaN."""
    tree = Tree(lineages.taxonomy)
    truth, pred = lineages.truth.tolist(), lineages.pred.tolist()
    weight = [[1.0] * tree.n_levels for _ in truth] if lineages.weight is None else lineages.weight.tolist()
    asked = [level for row in truth for level, taxon in enumerate(row) if taxon >= 0]
    top = min([tree.constant, *asked])
    every = [Sample(tree, *row, top) for row in zip(truth, pred, weight, strict=True)]
    kept = [s for s in every if s.n]
    return (
        _counts(every, kept)
        | _accuracy(tree, kept)
        | _overlap(kept)
        | _consistency(tree, kept)
        | _distance(tree, kept)
        | _sets(kept)
        | _levels(tree, kept)
        | _selective(tree, kept, top)
    )


def _counts(every, kept):
    silent = [[s.pred[level] < 0 for level in s.levels] for s in kept]
    return {
        "n": len(kept),
        "n_invalid": sum(any(row) for row in silent),
        "n_questions": sum(len(row) for row in silent),
        "n_invalid_questions": sum(sum(row) for row in silent),
        "n_unscored": len(every) - len(kept),
        "answered_rate": quotient(
            (w * (s.pred[level] >= 0), w) for s in kept for level, w in zip(s.levels, s.weights, strict=True)
        ),
    }


def _level(kept, level, value):
    return quotient(
        (s.all_weights[level] * value(s), s.all_weights[level]) for s in kept if level in s.levels
    )


def _accuracy(tree, kept):
    by_level = [
        _level(kept, level, lambda s, level=level: s.truth[level] == s.pred[level])
        for level in range(tree.n_levels)
    ]
    counted = [1.0 if a is None else a for a in by_level]
    depths = sorted({s.n for s in kept})
    of_depth = {depth: [s for s in kept if s.n == depth] for depth in depths}
    present = {s.leaf for s in kept if s.weight}
    macro_leaf = class_mean(kept, lambda s: s.leaf_ok, lambda s: s.leaf)
    n_classes = len(present | set(tree.leaves))
    sizes = [(size * a, size) for size, a in zip(tree.sizes, by_level, strict=True) if a is not None]
    return {
        "hca": mean(kept, lambda s: s.path_ok),
        "leaf_accuracy": mean(kept, lambda s: s.leaf_ok),
        "level_accuracy": by_level,
        "hca_given_leaf": quotient((s.weight * s.path_ok, s.weight * s.leaf_ok) for s in kept),
        "independent_hca": mean(kept, lambda s: math.prod(counted[level] for level in s.levels)),
        "hca_by_depth": {str(d): mean(of_depth[d], lambda s: s.path_ok) for d in depths},
        "leaf_accuracy_by_depth": {str(d): mean(of_depth[d], lambda s: s.leaf_ok) for d in depths},
        "macro_hca": class_mean(kept, lambda s: s.path_ok, lambda s: s.leaf),
        "macro_leaf_accuracy": macro_leaf,
        "macro_leaf_accuracy_all_classes": macro_leaf and macro_leaf * len(present) / n_classes,
        "level_macro_accuracy": [
            class_mean(
                [s for s in kept if level in s.levels],
                lambda s, level=level: s.truth[level] == s.pred[level],
                lambda s, level=level: s.truth[level],
                lambda s, level=level: s.all_weights[level],
            )
            for level in range(tree.n_levels)
        ],
        "weighted_level_accuracy": quotient(sizes),
    }


def _por_terms(s):
    hits = sum(w * ok for w, ok in zip(s.weights, s.right, strict=True))
    return hits / s.n, s.weight


def _overlap(kept):
    several = [s for s in kept if s.n > 1]
    per_leaf = defaultdict(list)
    for s in kept:
        per_leaf[s.leaf].append(_por_terms(s))
    means = [m for m in map(quotient, per_leaf.values()) if m is not None]
    return {
        "por": quotient(map(_por_terms, kept)),
        "macro_por": sum(means) / len(means) if means else None,
        "s_por_prefix": mean(kept, lambda s: s.prefix() / s.n),
        "s_por_run": mean(kept, lambda s: s.run() / s.n),
        "tor": mean(kept, lambda s: s.pairs() / (s.n - 1) if s.n > 1 else 0.0),
        "tor_skip": mean(several, lambda s: s.pairs() / (s.n - 1)),
        "por_f1": mean(kept, lambda s: f1(sum(s.right), s.n + len(s.stray), s.n)),
        "por_f1_answered": mean(kept, lambda s: f1(sum(s.right), s.n_answered(), s.n)),
    }


def _consistency(tree, kept):
    def silent(s):
        return any(s.pred[level] < 0 for level in s.levels)

    def at(s, taxa, level):
        return s.weight * sum(tree.level[taxon] == level for taxon in taxa)

    return {
        "inconsistency_rate": mean(kept, lambda s: bool(s.torn)),
        "inconsistency_rate_strict": mean(kept, lambda s: bool(s.torn) or silent(s)),
        "edge_inconsistency_rate": quotient((s.weight * len(s.torn), s.weight * len(s.edges)) for s in kept),
        "level_inconsistency_rate": [
            quotient((at(s, s.torn, k), at(s, [lower for _, lower in s.edges], k)) for s in kept)
            for k in range(tree.n_levels)
        ],
        "macro_inconsistency_rate": class_mean(kept, lambda s: bool(s.torn), lambda s: s.leaf),
    }


def _distance(tree, kept):
    def height(s):
        return 0 if s.taxon == s.leaf else tree.height(s.common)

    def edges(s):
        return len(tree.chain(s.taxon)) + len(tree.chain(s.leaf)) - 2 * len(tree.chain(s.common))

    return {
        "ahd": mean(kept, height),
        "macro_ahd": class_mean(kept, height, lambda s: s.leaf),
        "mistake_severity": mean([s for s in kept if not s.leaf_ok], height),
        "edge_distance": mean(kept, edges),
        "prefix_distance": mean(kept, lambda s: s.n - s.prefix()),
        "path_distance": mean(kept, lambda s: s.n_answered() + s.n - 2 * s.prefix()),
    }


def _sets(kept):
    raw = [(s.weight, sum(s.right), s.n_answered(), s.n) for s in kept]
    leaf = [(s.weight, len(s.closure & s.true_set), len(s.closure), len(s.true_set)) for s in kept]
    union = [(s.weight, len(s.union & s.true_set), len(s.union), len(s.true_set)) for s in kept]
    found = {}
    for suffix, rows in (("", union), ("_leaf", leaf), ("_raw", raw)):
        found[f"hierarchical_precision{suffix}"] = quotient((w * i, w * p) for w, i, p, _ in rows)
        found[f"hierarchical_recall{suffix}"] = quotient((w * i, w * y) for w, i, _, y in rows)
        found[f"hierarchical_f{suffix}"] = quotient((2 * w * i, w * (p + y)) for w, i, p, y in rows)
    return found | {
        "hierarchical_precision_macro": quotient((w * i / p if p else 0, w) for w, i, p, _ in union),
        "hierarchical_recall_macro": quotient((w * i / y, w) for w, i, _, y in union),
        "hierarchical_f_macro": quotient((w * f1(i, p, y), w) for w, i, p, y in union),
        "jaccard": quotient((w * i / (p + y - i), w) for w, i, p, y in union),
        "jaccard_leaf": quotient((w * i / (p + y - i), w) for w, i, p, y in leaf),
    }


def macro_f1(rows, policy, labels):
    """Mean F1 over labels of (truth, pred, weight) rows, -1 for no answer."""
    rows = [row for row in rows if row[2]]
    counted = {t for t, _, _ in rows}
    rows = [row for row in rows if not (policy == "skip" and row[1] < 0)]
    if labels == "union":
        counted |= {p for _, p, _ in rows}
    counted = {label for label in counted if any(label in row[:2] for row in rows)}
    if policy == "as_class":
        counted |= {p for _, p, _ in rows if p < 0}
    else:
        counted.discard(-1)
    scores = []
    for label in counted:
        right = sum(w for t, p, w in rows if t == p == label)
        scores.append(
            f1(right, sum(w for t, _, w in rows if t == label), sum(w for _, p, w in rows if p == label))
        )
    return sum(scores) / len(scores) if scores else None


def macro_precision(tree, rows, level, absent_as_zero):
    rows = [row for row in rows if row[2]] if not absent_as_zero else rows
    taxa = [t for t in range(len(tree.parent)) if tree.level[t] == level]
    counted = [t for t in taxa if absent_as_zero or any(t in row[:2] for row in rows)]
    means = [quotient((w * (t == p), w) for t, p, w in rows if p == taxon) or 0 for taxon in counted]
    return sum(means) / len(means) if means and rows else None


def _levels(tree, kept):
    levels = range(tree.n_levels)
    rows = [[(s.truth[k], s.pred[k], s.all_weights[k]) for s in kept if k in s.levels] for k in levels]
    present = [macro_precision(tree, rows[k], k, False) for k in levels]
    strict = [macro_precision(tree, rows[k], k, True) for k in levels]

    def by_size(values):
        return quotient((size * v, size) for size, v in zip(tree.sizes, values, strict=True) if v is not None)

    return {
        "level_macro_f1": [macro_f1(r, "wrong", "truth") for r in rows],
        "level_macro_f1_as_class": [macro_f1(r, "as_class", "union") for r in rows],
        "level_macro_f1_skip": [macro_f1(r, "skip", "truth") for r in rows],
        "level_abstention_rate": [_level(kept, k, lambda s, k=k: s.pred[k] < 0) for k in levels],
        "level_selective_accuracy": [quotient((w * (t == p), w) for t, p, w in r if p >= 0) for r in rows],
        "level_macro_precision": present,
        "weighted_level_macro_precision": by_size(present),
        "weighted_level_macro_precision_all_classes": by_size(strict),
    }


def coverage(tree, taxon):
    total = len(tree.leaves)
    return 1 - math.log(len(tree.under(taxon))) / math.log(total) if total > 1 else 1.0


def _selective(tree, kept, top):
    total = len(tree.leaves)

    def bits(taxon):
        return math.log2(total / len(tree.under(taxon)))

    def correct(s):
        return s.taxon == ROOT or s.taxon in tree.chain(s.leaf)

    def cpb(s):
        under = len(tree.under(s.taxon))
        return correct(s) * (1.0 if under == 1 else (total - under) / total)

    def risk(s):
        own = coverage(tree, s.taxon)
        return 1 - coverage(tree, s.common) / own if own else 0.0

    names = ("exact", "unanswered", "under_specific", "over_specific", "top_level", "sibling", "cross_branch")
    return {
        "error_profile": {name: mean(kept, lambda s, name=name: s.kind(top) == name) for name in names},
        "coverage": mean(kept, lambda s: coverage(tree, s.taxon)),
        "selective_risk": mean(kept, lambda s: not correct(s)),
        "hierarchical_risk": mean(kept, risk),
        "cpb": mean(kept, cpb),
        "lenient_accuracy": mean(
            kept, lambda s: correct(s) or (s.taxon != ROOT and s.leaf in tree.chain(s.taxon))
        ),
        "information_precision": mean(
            kept, lambda s: bits(s.common) / bits(s.taxon) if bits(s.taxon) else 1.0
        ),
        "information_recall": mean(kept, lambda s: bits(s.common) / bits(s.leaf) if bits(s.leaf) else 1.0),
        "information_excess": mean(kept, lambda s: bits(s.taxon) - bits(s.common)),
        "information_deficiency": mean(kept, lambda s: bits(s.leaf) - bits(s.common)),
    }
