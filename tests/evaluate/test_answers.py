"""The answers file can be cut anywhere, continued, and read by any Arrow tool."""

import numpy as np
import pyarrow as pa
import pytest
from evaluate_fakes import HashScorer, toy_bank

from linnet.errors import LinnetError
from linnet.evaluate import answers as store
from linnet.models.base import Scored, State


def scored(bank, rows, nodes=True):
    scorer = HashScorer(nodes=nodes)
    scorer.prepare(bank)
    return scorer.score([bytes([row] * 32) for row in rows], np.array(rows))


def write(path, bank, *parts):
    for rows in parts:
        store.append(path, bank, np.array(rows), store.of_scored(bank, np.array(rows), scored(bank, rows)))


def same(one, other):
    for a, b in zip(vars(one).values(), vars(other).values(), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def test_what_is_written_is_read_back(tmp_path):
    bank = toy_bank(6)
    write(tmp_path / "a.arrow", bank, [2, 0], [1, 5])
    answers = store.read(tmp_path / "a.arrow", bank)
    expected = scored(bank, [0, 1, 2, 5])
    rows = [0, 1, 2, 5]
    assert np.array_equal(answers.option_logprob[rows], expected.option_logprob, equal_nan=True)
    assert np.array_equal(answers.node_logprob[rows], expected.node_logprob)
    assert (answers.state[rows] == State.SCORED).all()
    assert (answers.state[[3, 4]] == State.MISSING).all()
    assert (answers.choice[[3, 4]] == -1).all()
    assert (answers.choice[rows] == np.nanargmax(expected.option_logprob, axis=2)).all()
    assert answers.count() == {
        "scored": 12,
        "invalid": 0,
        "unparsed": 0,
        "unreadable": 0,
        "missing": 6,
        "abstained": 0,
    }


def test_generated_text_is_kept(tmp_path):
    bank, rows = toy_bank(2), np.array([0, 1])
    given = scored(bank, rows, nodes=False)
    given.text = [["A", "", "ünklar"], ["B.", "C", "\n"]]
    given.state = np.full((2, 3), State.UNPARSED, np.uint8)
    store.append(tmp_path / "a.arrow", bank, rows, store.of_scored(bank, rows, given))
    answers = store.read(tmp_path / "a.arrow", bank)
    assert answers.text.tolist() == given.text
    assert answers.node_logprob is None
    assert (answers.choice == -1).all()


def test_every_wording_is_kept(tmp_path):
    bank, rows = toy_bank(3), np.array([0, 2])
    given = scored(bank, rows, nodes=False)
    given.variant_logprob = np.arange(2 * 3 * 5 * 4, dtype=np.float32).reshape(2, 3, 5, 4)
    store.append(tmp_path / "a.arrow", bank, rows, store.of_scored(bank, rows, given))
    answers = store.read(tmp_path / "a.arrow", bank)
    assert np.array_equal(answers.variant_logprob[rows], given.variant_logprob)
    assert np.isnan(answers.variant_logprob[1]).all()
    assert np.array_equal(answers.subset(rows).variant_logprob, given.variant_logprob)


def test_a_file_cut_anywhere_keeps_its_whole_batches(tmp_path):
    bank = toy_bank(6)
    path, cut = tmp_path / "whole.arrow", tmp_path / "cut.arrow"
    sizes = []
    for rows in ([0, 1], [2], [3, 4, 5]):
        write(path, bank, rows)
        sizes.append(path.stat().st_size)
    whole, data = store.read(path, bank), path.read_bytes()
    for size in [*range(0, len(data), 97), *[s + d for s in sizes for d in (-1, 0, 1)]]:
        cut.write_bytes(data[:size])
        kept = sum(s <= size for s in sizes)
        removed = store.mend(cut)
        assert removed == min(size, len(data)) - (sizes[kept - 1] if kept else _head(data, size))
        n_rows = [0, 2, 3, 6][kept]
        left = store.read(cut, bank)
        assert (left.state[n_rows:] == State.MISSING).all()
        assert np.array_equal(left.option_logprob[:n_rows], whole.option_logprob[:n_rows], equal_nan=True)
        write(cut, bank, *[[row] for row in range(n_rows, 6)])
        same(store.read(cut, bank), whole)


def _head(data, size):
    """Bytes of the schema message if all of it is there."""
    source = pa.BufferReader(data)
    pa.ipc.read_message(source)
    return source.tell() if source.tell() <= size else 0


def test_zeros_at_the_end_are_cut_off_too(tmp_path):
    bank = toy_bank(3)
    write(tmp_path / "a.arrow", bank, [0], [1])
    size = (tmp_path / "a.arrow").stat().st_size
    with open(tmp_path / "a.arrow", "ab") as file:
        file.write(bytes(512))
    assert store.mend(tmp_path / "a.arrow") == 512
    assert (tmp_path / "a.arrow").stat().st_size == size


def test_arrow_reads_the_file_as_an_ordinary_stream(tmp_path):
    bank = toy_bank(4)
    write(tmp_path / "a.arrow", bank, [0, 1], [2, 3])
    table = pa.ipc.open_stream(tmp_path / "a.arrow").read_all()
    assert table.column_names == ["row", "sample_id", "state", "option_logprob", "choice", "node_logprob"]
    assert table["sample_id"].to_pylist() == [f"photo{k}.png" for k in range(4)]
    assert table.schema.metadata == {b"format": store.FORMAT}


def test_the_later_answer_counts(tmp_path):
    bank, rows = toy_bank(2), np.array([0, 1])
    like = store.of_scored(bank, rows, scored(bank, rows))
    store.append(tmp_path / "a.arrow", bank, rows, store.unreadable(bank, rows, like))
    assert store.read(tmp_path / "a.arrow", bank).count()["unreadable"] == 6
    write(tmp_path / "a.arrow", bank, [1])
    assert store.read(tmp_path / "a.arrow", bank).count() | {"scored": 3, "unreadable": 3} == (
        store.read(tmp_path / "a.arrow", bank).count()
    )


def test_scores_that_are_no_numbers_are_invalid():
    bank, rows = toy_bank(4), np.arange(4)
    given = scored(bank, rows)
    level, n = 2, bank.n_options[:, 2]
    given.option_logprob[0, level, 1] = np.nan
    given.option_logprob[1, level, : n[1]] = -np.inf
    given.option_logprob[2, level, 0] = -np.inf
    answers = store.of_scored(bank, rows, given)
    assert answers.state[:, level].tolist() == [State.INVALID, State.INVALID, State.SCORED, State.SCORED]
    assert answers.choice[:2, level].tolist() == [-1, -1]
    assert (answers.choice[2:, level] >= 0).all()


def test_levels_without_a_question_stay_not_asked():
    bank = toy_bank(2)
    bank.answer[0, 2] = -1
    answers = store.of_scored(bank, np.arange(2), scored(bank, np.arange(2)))
    assert answers.state[0, 2] == State.NOT_ASKED
    assert store.empty(bank).state[:, 2].tolist() == [State.NOT_ASKED, State.MISSING]


def test_ties_go_to_the_first_option():
    bank, rows = toy_bank(1), np.arange(1)
    level = np.zeros(bank.options.shape, np.float32)
    assert store.of_scored(bank, rows, Scored(level)).choice.tolist() == [[0, 0, 0]]


def test_another_banks_answers_are_refused(tmp_path):
    bank = toy_bank(4)
    write(tmp_path / "a.arrow", bank, [0, 3])
    with pytest.raises(LinnetError) as error:
        store.read(tmp_path / "a.arrow", bank.subset([1, 2]))
    assert str(error.value) == (
        f"{tmp_path / 'a.arrow'} answers sample 'photo0.png' as row 0, which bank 'toy' does not have there; "
        "the run and the bank do not belong together: give the bank of this run"
    )
