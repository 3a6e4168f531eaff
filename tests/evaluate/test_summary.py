"""Summaries hold every figure beside its conditions, its interval and its blind references."""

import json
from dataclasses import replace

import numpy as np
import pytest
from evaluate_fakes import HashScorer, draw_photos, toy_bank

from linnet.bank.blind import frequency_choice, majority_choice
from linnet.errors import LinnetError, UsageError
from linnet.evaluate import answers as store
from linnet.evaluate import baselines, decoders, run_folder, scores, table
from linnet.evaluate.runner import run
from linnet.evaluate.summary import MAIN_KEYS, summarise
from linnet.models.base import Scored, State

ISSUE_KEYS = {
    *("hca", "leaf_accuracy", "por", "s_por_prefix", "s_por_run", "tor", "level_accuracy", "ahd"),
    *("inconsistency_rate", "hierarchical_f", "n", "n_invalid", "blind_hca", "chance_hca"),
}


def answered(bank, nodes=True, seed=0):
    """Random answers; the scorer's own scores, not a model's."""
    scorer = HashScorer(nodes=nodes)
    scorer.prepare(bank)
    rows = np.arange(len(bank))
    return store.of_scored(bank, rows, scorer.score([bytes([seed, *[row] * 31]) for row in rows], rows))


def oracle(bank, wrong=()):
    """Answers that are right everywhere but at the (row, level) pairs of `wrong`."""
    logprob = np.where(bank.options >= 0, -9.0, np.nan)
    for row, level in np.argwhere(bank.asked):
        place = bank.answer[row, level]
        if (row, level) in wrong:
            place = (place + 1) % bank.n_options[row, level]
        logprob[row, level, place] = -0.1
    return store.of_scored(bank, np.arange(len(bank)), Scored(logprob.astype(np.float32)))


def test_the_main_condition_stands_at_the_top():
    bank = toy_bank(30)
    told = summarise(bank, answered(bank), decoders.names(), ["four", "full"])
    assert set(told) >= ISSUE_KEYS
    assert (told["decoder"], told["candidates"], told["samples"]) == ("independent", "four", "all")
    assert all(told[key] == told["results"][0][key] for key in MAIN_KEYS)
    found = [(row["candidates"], row["decoder"]) for row in told["results"]]
    assert sorted(found) == sorted((c, d) for c in ("four", "full") for d in decoders.names())
    json.dumps(told, allow_nan=False)


def test_figures_of_known_answers():
    bank = toy_bank(12)
    told = summarise(bank, oracle(bank, wrong={(0, 0), (1, 2), (2, 0), (2, 1)}), ["independent"], ["four"])
    assert told["hca"] == pytest.approx(9 / 12)
    assert told["leaf_accuracy"] == pytest.approx(11 / 12)
    assert told["level_accuracy"] == pytest.approx([10 / 12, 11 / 12, 11 / 12])
    assert told["independent_hca"] == pytest.approx(10 / 12 * 11 / 12 * 11 / 12)
    assert told["results"][0]["wilson"]["hca"] == pytest.approx([0.467695, 0.911058], abs=1e-6)
    low, high = told["results"][0]["intervals"]["hca"]
    assert low < 0.75 < high


def test_consistent_decoding_has_no_contradictions():
    bank = toy_bank(40)
    told = summarise(bank, answered(bank), decoders.names(), ["four", "full"])
    for row in told["results"]:
        assert row["decoder"] == "independent" or row["inconsistency_rate"] == 0
        if row["decoder"] in ("joint", "leaf", "crm"):
            assert row["hca"] == row["leaf_accuracy"]


def test_weights_are_honoured_and_reported_both_ways():
    weight = np.ones((12, 3), np.float32)
    weight[:6] = 3
    bank = toy_bank(12, weight=weight)
    told = summarise(bank, oracle(bank, wrong={(0, 0), (11, 0)}), ["independent"], ["four"])
    with_weights, without = told["results"]
    assert (with_weights["weights"], without["weights"]) == ("bank", "none")
    assert with_weights["hca"] == pytest.approx(1 - (3 + 1) / 24)
    assert without["hca"] == pytest.approx(1 - 2 / 12)
    assert told["hca"] == with_weights["hca"]
    assert "hca" in without["wilson"]
    assert with_weights["wilson"] == {}


def test_covered_samples_have_a_row_of_their_own():
    bank = toy_bank(12)
    answers = answered(bank)
    gone = bank.taxonomy.find("s2", 2)[0]
    answers.node_logprob[:, gone] = -np.inf
    answers.node_logprob[3] = np.nan  # an unreadable photo of a covered species
    told = summarise(bank, answers, ["independent", "leaf"], ["full"])
    samples = {(row["decoder"], row["samples"]): row["n"] for row in told["results"]}
    assert samples[("leaf", "all")] == 12
    assert samples[("leaf", "covered")] == 10
    assert told["n"] == 12


def test_unanswered_questions_stay_in_the_denominator():
    bank = toy_bank(12)
    answers = oracle(bank)
    for row in (0, 5):
        answers.state[row] = State.UNREADABLE
    told = summarise(bank, answers, ["independent", "joint"], ["four"])
    assert told["hca"] == pytest.approx(10 / 12)
    assert (told["n"], told["n_invalid"]) == (12, 2)
    assert told["states"]["unreadable"] == 6
    assert "6 of 36 questions unreadable, counted as wrong" in table.render(told)


def test_answers_count_where_they_should():
    bank = toy_bank(6)
    bank.answer[0, 2] = -1
    pred = np.tile(bank.taxonomy.lineages[0], (6, 1))
    assert scores.answered(bank, pred, "independent")[0].tolist() == [*pred[0, :2], -1]
    assert scores.answered(bank, pred, "joint")[0].tolist() == pred[0].tolist()


def test_scores_of_levels_with_a_nan_are_no_candidates():
    bank = toy_bank(2)
    answers = answered(bank)
    answers.node_logprob[0, bank.taxonomy.at_level(1)[0]] = np.nan
    pred = scores.decode(bank, answers, "independent", "full")
    assert (pred[0] >= 0).tolist() == [True, False, True]
    assert (pred[1] >= 0).all()


def test_chunks_do_not_matter(monkeypatch):
    bank = toy_bank(20)
    answers = answered(bank)
    whole = scores.decode(bank, answers, "joint", "full")
    monkeypatch.setattr(scores, "CHUNK", 1)
    assert np.array_equal(scores.decode(bank, answers, "joint", "full"), whole)


@pytest.mark.parametrize("candidates", ["four", "full"])
def test_node_scores_against_a_slow_twin(candidates):
    bank = toy_bank(15)
    answers = answered(bank)
    answers.state[3, 1] = State.INVALID
    answers.node_logprob[4, bank.taxonomy.at_level(0)[1]] = np.nan
    expected = np.full((15, len(bank.taxonomy)), -np.inf)
    for row in range(15):
        for level in range(3):
            if candidates == "full":
                scored = answers.node_logprob[row, bank.taxonomy.at_level(level)]
                expected[row, bank.taxonomy.at_level(level)] = -np.inf if np.isnan(scored).any() else scored
            elif answers.state[row, level] == State.SCORED:
                for option in range(bank.n_options[row, level]):
                    taxon = bank.options[row, level, option]
                    expected[row, taxon] = answers.option_logprob[row, level, option]
    chunks = list(scores.node_scores(answers, bank, candidates))
    assert np.concatenate([rows for rows, _ in chunks]).tolist() == list(range(15))
    assert np.array_equal(np.concatenate([chunk for _, chunk in chunks]), expected)


def test_full_candidates_need_scores_of_all_taxa():
    bank = toy_bank(4)
    with pytest.raises(UsageError, match="these answers hold no scores of all taxa"):
        scores.decode(bank, answered(bank, nodes=False), "joint", "full")
    with pytest.raises(UsageError) as error:
        scores.candidate_sets("four,ful")
    assert str(error.value) == (
        "unknown candidate set 'ful' in --candidates; candidate sets: four, full. Did you mean 'full'?"
    )


# ---- references ----


def test_chance_of_independent_answers_is_the_product():
    bank = toy_bank(12)
    expected = np.mean(np.prod(1 / bank.n_options, axis=1))
    assert baselines.chance_hca(bank, "independent", "four") == pytest.approx(expected)
    assert baselines.chance_hca(bank, "independent", "full") == pytest.approx(1 / (2 * 3 * 6))


def test_chance_of_other_decoders_is_what_random_scores_get():
    bank = toy_bank(600)
    leaf = baselines.chance_hca(bank, "leaf", "full")
    assert leaf == pytest.approx(1 / 6, abs=0.03)
    assert baselines.chance_hca(bank, "leaf", "four") == pytest.approx(1 / 4, abs=0.03)
    assert baselines.chance_hca(bank, "joint", "four") == baselines.chance_hca(bank, "joint", "four")


def test_a_bank_can_give_the_path_away():
    """Where only the truth has its whole path among the options, joint decoding needs no photo."""
    bank = toy_bank(60)
    options, answer = bank.options.copy(), bank.answer.copy()
    h, others = bank.taxonomy.find("H", 1)[0], bank.taxonomy.at_level(1)
    rows = np.flatnonzero(bank.lineage[:, 1] == others[0])  # true S: offer C beside it, and M's leaves never
    for row in rows:
        options[row, 1] = [others[0], h, -1, -1]
        leaves = [bank.lineage[row, 2], *bank.taxonomy.children(bank.taxonomy.find("C", 1)[0]), -1]
        options[row, 2] = leaves
        answer[row, 1:] = 0
    given = replace(bank, options=options, answer=answer).subset(rows)
    assert baselines.chance_hca(given, "joint", "four") == 1.0
    assert baselines.chance_hca(given, "independent", "four") == pytest.approx(1 / 2 / 2 / 3)
    told = summarise(given, answered(given), ["independent", "joint"], ["four"])
    assert told["results"][1]["hca"] == told["results"][1]["chance_hca"] == 1.0
    assert "a decoder of paths may win without looking" in table.render(told)


def test_blind_guessers_are_those_of_the_bank():
    bank = toy_bank(50)
    shares = [
        (np.where(bank.asked, choice == bank.answer, True)).all(axis=1).mean()
        for choice in (majority_choice(bank), frequency_choice(bank))
    ]
    blind = baselines.blind_hca(bank, "independent", "four")
    assert blind.hca == pytest.approx(max(shares))
    assert blind.guesser == ("majority", "frequency")[int(np.argmax(shares))]
    assert baselines.blind_hca(bank.subset([0, 1, 6]), "joint", "full").hca == pytest.approx(2 / 3)


# ---- run folders ----


@pytest.fixture
def two_runs(tmp_path):
    bank = toy_bank(24, tmp_path / "photos")
    draw_photos(bank, tmp_path / "photos")
    for name, nodes in (("a", True), ("b", False)):
        run(bank, HashScorer(name, nodes), tmp_path / name, progress=False)
    return run_folder.load(tmp_path / "a"), run_folder.load(tmp_path / "b")


def test_a_run_folder_needs_neither_model_nor_photos(two_runs, tmp_path):
    told = run_folder.summary_of(two_runs[0], ["independent"])
    assert told["model"]["model"] == "a"
    assert {row["candidates"] for row in told["results"]} == {"four", "full"}
    assert {row["candidates"] for row in run_folder.summary_of(two_runs[1], ["joint"])["results"]} == {"four"}


def test_paired_tests_of_equal_answers_find_nothing(two_runs):
    told = run_folder.compare(*two_runs, ["independent", "joint"])
    assert [(test["candidates"], test["decoder"]) for test in told["tests"]] == [
        ("four", "independent"),
        ("four", "joint"),
    ]
    for test in told["tests"]:
        assert test["hca"]["difference"] == 0
        assert test["hca"]["p_permutation"] == test["mcnemar_p"] == 1
    assert "p permutation" in table.render_tests(told)


def test_runs_on_different_banks_are_not_compared(two_runs, tmp_path):
    other = toy_bank(24, tmp_path / "photos", seed=1)
    run(other, HashScorer("c"), tmp_path / "c", progress=False)
    with pytest.raises(
        LinnetError, match=r"answered different banks \(rows: \w+ -> \w+\); paired tests need"
    ):
        run_folder.compare(two_runs[0], run_folder.load(tmp_path / "c"), ["joint"])


def test_parts_of_different_runs_are_not_mixed(two_runs, tmp_path):
    from linnet.bank import store as bank_store

    bank_store.save(toy_bank(24, tmp_path / "photos", seed=1), tmp_path / "a" / "bank")
    with pytest.raises(LinnetError) as error:
        run_folder.load(tmp_path / "a")
    assert "is not the bank that" in str(error.value)
    assert "copy the whole run folder again" in str(error.value)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(LinnetError) as error:
        run_folder.load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} holds no run.json, so it is no run folder; make one with linnet evaluate"
    )
