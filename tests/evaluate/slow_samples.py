"""A tree and a sample as plain lists, climbed one step at a time, for the slow twins of the metrics."""

from collections import defaultdict

from linnet.taxonomy import Taxonomy

ROOT = -1


class Tree:
    """Parents, levels and leaves as lists, climbed one step at a time."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.parent, self.level = taxonomy.parent.tolist(), taxonomy.level.tolist()
        self.n_levels = taxonomy.n_levels
        inner = set(self.parent)
        self.leaves = [taxon for taxon in range(len(self.parent)) if taxon not in inner]
        self.sizes = [self.level.count(level) for level in range(self.n_levels)]
        self.constant = 0
        while self.constant < self.n_levels and self.sizes[self.constant] <= 1:
            self.constant += 1
        if self.constant == self.n_levels:
            self.constant = 0

    def chain(self, taxon):
        """The taxon and its ancestors up to, and without, the root."""
        found = []
        while taxon != ROOT:
            found.append(taxon)
            taxon = self.parent[taxon]
        return found

    def under(self, taxon):
        return [leaf for leaf in self.leaves if taxon == ROOT or taxon in self.chain(leaf)]

    def height(self, taxon):
        """Longest way down in edges."""
        return max(
            (1 + self.height(child) for child, above in enumerate(self.parent) if above == taxon), default=0
        )

    def common(self, a, b):
        above = self.chain(b)
        return next((taxon for taxon in self.chain(a) if taxon in above), ROOT)


class Sample:
    """One sample with its scored levels, by the definitions."""

    def __init__(self, tree, truth, pred, weight, top):
        self.tree, self.pred, self.truth, self.all_weights = tree, pred, truth, weight
        self.levels = [level for level, taxon in enumerate(truth) if taxon >= 0]
        self.right = [truth[level] == pred[level] for level in self.levels]
        self.weights = [weight[level] for level in self.levels]
        self.n = len(self.levels)
        self.weight = sum(self.weights) / self.n if self.n else 0.0
        self.answers = [taxon for taxon in pred if taxon >= 0]
        self.leaf = truth[self.levels[-1]] if self.n else None
        if not self.n:
            return
        lineage = tree.chain(self.leaf)
        unasked = [t for t, true in zip(pred[top:], truth[top:], strict=True) if t >= 0 > true]
        self.stray = [t for t in unasked if t not in lineage]
        self.path_ok = all(self.right) and not self.stray
        self.leaf_ok = bool(self.answers) and self.answers[-1] == self.leaf
        roots = [taxon for taxon in lineage if tree.level[taxon] < top]
        says = self.answers and tree.level[self.answers[-1]] >= top
        self.taxon = self.answers[-1] if says else (roots[0] if roots else ROOT)
        self.common = tree.common(self.taxon, self.leaf)
        self.edges = [
            (upper, lower)
            for upper, lower in zip(self.answers, self.answers[1:], strict=False)
            if tree.level[upper] >= top
        ]
        self.torn = [lower for upper, lower in self.edges if upper not in tree.chain(lower)]
        self.true_set = {t for t in lineage if tree.level[t] >= top}
        self.union = {t for a in self.answers for t in tree.chain(a) if tree.level[t] >= top}
        last = self.answers[-1] if self.answers else ROOT
        self.closure = {t for t in tree.chain(last) if tree.level[t] >= top}

    def prefix(self):
        return self.right.index(False) if False in self.right else self.n

    def run(self):
        return max(len(part) for part in "".join("x" if ok else " " for ok in self.right).split(" "))

    def pairs(self):
        return sum(a and b for a, b in zip(self.right, self.right[1:], strict=False))

    def n_answered(self):
        return sum(self.pred[level] >= 0 for level in self.levels) + len(self.stray)

    def kind(self, top):
        tree, last = self.tree, self.answers[-1] if self.answers else ROOT
        if self.leaf_ok:
            return "exact"
        if last == ROOT or tree.level[last] < top:
            return "unanswered"
        if last in tree.chain(self.leaf):
            return "under_specific"
        if self.leaf in tree.chain(last):
            return "over_specific"
        if self.common == ROOT or tree.level[self.common] < top:
            return "top_level"
        return "sibling" if tree.parent[last] == tree.parent[self.leaf] else "cross_branch"


def quotient(pairs):
    """Sum of numerators over sum of denominators of (numerator, denominator) pairs, None for 0."""
    pairs = list(pairs)
    below = sum(d for _, d in pairs)
    return sum(n for n, _ in pairs) / below if below else None


def mean(samples, value):
    return quotient((s.weight * value(s), s.weight) for s in samples)


def class_mean(samples, value, label, weight=lambda s: s.weight):
    """Mean over classes of the weighted mean within each class."""
    classes = defaultdict(list)
    for s in samples:
        classes[label(s)].append((weight(s) * value(s), weight(s)))
    means = [quotient(pairs) for pairs in classes.values()]
    means = [m for m in means if m is not None]
    return sum(means) / len(means) if means else None


def f1(shared, a, b):
    return 2 * shared / (a + b) if a + b else 0.0
