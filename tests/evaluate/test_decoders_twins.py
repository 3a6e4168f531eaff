"""Every decoder against a slow twin on random trees, and the relations between decoders."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.evaluate import decoders
from linnet.taxonomy import MISSING, ROOT
from linnet.taxonomy.distance import height_distance

SEEDS = st.integers(0, 2**32 - 1)


def random_scores(taxonomy, seed, holes=0.0, n=6):
    rng = np.random.default_rng(seed)
    scores = np.log(rng.dirichlet(np.ones(len(taxonomy)), n))
    scores[rng.random(scores.shape) < holes] = -np.inf
    return scores


def path_of(taxonomy, taxon):
    return taxonomy.ancestors[taxon][taxonomy.ancestors[taxon] >= 0].tolist()


def mean_of(taxonomy, row, taxon):
    above = [t for t in path_of(taxonomy, taxon) if taxonomy.level[t] >= taxonomy.first_scored_level]
    return np.mean([row[t] for t in above]) if above else 0.0


def ends_of(taxonomy, row):
    scored = [t for t in range(len(taxonomy)) if row[t] > -np.inf]
    last = max((taxonomy.level[t] for t in scored), default=-1)
    return [t for t in scored if taxonomy.is_leaf[t] or taxonomy.level[t] == last]


def lineage(taxonomy, taxon):
    return [MISSING] * taxonomy.n_levels if taxon == MISSING else taxonomy.ancestors[taxon].tolist()


def joint_slow(taxonomy, row):
    """Every complete path in turn; failing that, every deepest start of one."""
    means = {t: mean_of(taxonomy, row, t) for t in range(len(taxonomy)) if row[t] > -np.inf}
    reached = {t: mean for t, mean in means.items() if mean > -np.inf}
    whole = [t for t in ends_of(taxonomy, row) if t in reached]
    deepest = max((taxonomy.depth[t] for t in reached), default=0)
    pool = whole or [t for t in reached if taxonomy.depth[t] == deepest]
    return max(pool, key=lambda t: (reached[t], -t), default=MISSING)


def viterbi_slow(taxonomy, row):
    """Best path sum of a uniform tree by dynamic programming up from the leaves."""

    def below(taxon):
        children = taxonomy.children(taxon).tolist()
        own = row[taxon] if taxon != ROOT else 0.0
        if not children:
            return own, (taxon,)
        score, path = max((below(c) for c in children), key=lambda found: found[0])
        return own + score, (taxon, *path)

    return [t for t in below(ROOT)[1] if t != ROOT]


def top_down_slow(taxonomy, row):
    at, answer = ROOT, MISSING
    while len(children := taxonomy.children(at)):
        constant = taxonomy.level[children[0]] < taxonomy.first_scored_level
        open_children = [c for c in children.tolist() if row[c] > -np.inf or constant]
        if not open_children:
            break
        # The mean of a longer path is a mean of levels: siblings at other levels weigh differently.
        at = max(open_children, key=lambda c: (_mean(taxonomy, row, c), -c))
        answer = at if row[at] > -np.inf else answer
        if row[at] > -np.inf and at in ends_of(taxonomy, row):
            break
    return answer


def _mean(taxonomy, row, taxon):
    return mean_of(taxonomy, np.where(taxonomy.level < taxonomy.first_scored_level, 0.0, row), taxon)


def crm_risks_slow(taxonomy, row):
    pool = ends_of(taxonomy, row)
    p = np.exp([row[t] for t in pool])
    p /= p.sum()
    return {
        k: sum(float(height_distance(taxonomy, k, j)) * q for j, q in zip(pool, p, strict=True)) for k in pool
    }


@settings(max_examples=60, deadline=None)
@given(taxonomies(gaps=True), SEEDS, st.sampled_from([0.0, 0.4]))
def test_independent_and_leaf(taxonomy, seed, holes):
    scores = random_scores(taxonomy, seed, holes)
    independent = decoders.decode("independent", taxonomy, scores)
    leaf = decoders.decode("leaf", taxonomy, scores)
    for row, one, path in zip(scores, independent, leaf, strict=True):
        for level in range(taxonomy.n_levels):
            ids = [t for t in taxonomy.at_level(level).tolist() if row[t] > -np.inf]
            assert one[level] == max(ids, key=lambda t: (row[t], -t), default=MISSING)
        taxon = max(ends_of(taxonomy, row), key=lambda t: (row[t], -t), default=MISSING)
        assert path.tolist() == lineage(taxonomy, taxon)


@settings(max_examples=80, deadline=None)
@given(taxonomies(gaps=True), SEEDS, st.sampled_from([0.0, 0.3, 0.7]))
def test_joint_and_the_widest_beam(taxonomy, seed, holes):
    scores = random_scores(taxonomy, seed, holes)
    joint = decoders.decode("joint", taxonomy, scores)
    assert joint.tolist() == [lineage(taxonomy, joint_slow(taxonomy, row)) for row in scores]
    wide = decoders.decode(f"top-down:beam={len(taxonomy)}", taxonomy, scores)
    assert wide.tolist() == joint.tolist()


@settings(max_examples=60, deadline=None)
@given(taxonomies(uniform=True), SEEDS)
def test_joint_is_viterbi(taxonomy, seed):
    scores = random_scores(taxonomy, seed)
    joint = decoders.decode(f"joint:weights={[1] * taxonomy.n_levels}", taxonomy, scores)
    assert joint.tolist() == [viterbi_slow(taxonomy, row) for row in scores]


@settings(max_examples=80, deadline=None)
@given(taxonomies(gaps=True), SEEDS, st.sampled_from([0.0, 0.4]))
def test_top_down_walks(taxonomy, seed, holes):
    scores = random_scores(taxonomy, seed, holes)
    pred = decoders.decode("top-down", taxonomy, scores)
    assert pred.tolist() == [lineage(taxonomy, top_down_slow(taxonomy, row)) for row in scores]


@settings(max_examples=60, deadline=None)
@given(taxonomies(gaps=True), SEEDS, st.sampled_from([0.0, 0.4]))
def test_crm_has_the_least_expected_distance(taxonomy, seed, holes):
    scores = random_scores(taxonomy, seed, holes)
    for row, pred in zip(scores, decoders.decode("crm", taxonomy, scores), strict=True):
        risk = crm_risks_slow(taxonomy, row)
        answer = pred.max()
        assert (answer == MISSING) == (not risk)
        if risk:
            assert risk[answer] <= min(risk.values()) + 1e-9


@settings(max_examples=60, deadline=None)
@given(taxonomies(gaps=True), SEEDS, st.sampled_from([0.0, 0.4]))
def test_consistency_stop_walks(taxonomy, seed, holes):
    scores = random_scores(taxonomy, seed, holes)
    independent = decoders.decode("independent", taxonomy, scores)
    for answers, pred in zip(independent, decoders.decode("consistency-stop", taxonomy, scores), strict=True):
        at, expected = ROOT, []
        for taxon in answers:
            if taxon != MISSING and at != ROOT and taxonomy.parent[taxon] != at:
                break
            expected.append(taxon)
            at = taxon if taxon != MISSING else at
        assert pred.tolist() == expected + [MISSING] * (taxonomy.n_levels - len(expected))


@settings(max_examples=60, deadline=None)
@given(taxonomies(gaps=True), SEEDS, st.sampled_from([0.0, 0.5]))
def test_path_decoders_answer_paths(taxonomy, seed, holes):
    scores = random_scores(taxonomy, seed, holes)
    for spec in ("top-down", "top-down:beam=3", "leaf", "joint", "crm"):
        for pred in decoders.decode(spec, taxonomy, scores):
            assert pred.tolist() == lineage(taxonomy, int(pred.max()))


@settings(max_examples=60, deadline=None)
@given(taxonomies(uniform=True), SEEDS)
def test_joint_keeps_independent_answers_that_are_a_path(taxonomy, seed):
    scores = random_scores(taxonomy, seed, n=30)
    independent = decoders.decode("independent", taxonomy, scores)
    path = (independent == taxonomy.ancestors[independent[:, -1]]).all(axis=1)
    joint = decoders.decode("joint", taxonomy, scores)
    assert (joint[path] == independent[path]).all()
