"""Long names and wide trees are cut to the terminal."""

from linnet.taxonomy import build, path_table
from linnet.taxonomy.describe import WIDTH, excerpt, findings_text, summary, text
from linnet.taxonomy.findings import Finding


def test_excerpt_opens_the_first_of_each_and_counts_the_rest() -> None:
    taxonomy, _ = build(path_table([[top, f"{top}{k}"] for top in "abcde" for k in range(4)]))
    assert excerpt(taxonomy) == [
        "a (4 leaves)",
        "├─ a0",
        "├─ a1",
        "├─ a2",
        "└─ … 1 more",
        "b (4 leaves)",
        "c (4 leaves)",
        "… 2 more",
    ]


def test_lines_fit_the_terminal() -> None:
    taxonomy, _ = build(path_table([["x" * 300, "y" * 300], ["z", "u"]]))
    assert max(map(len, text(taxonomy).splitlines())) == WIDTH
    finding = Finding("note", "code", "word " * 60, 3, ("e" * 300,), "level1")
    lines = findings_text([finding], "t.csv").splitlines()
    assert max(map(len, lines)) == WIDTH
    assert lines[0] == "t.csv: 0 errors, 0 warnings, 1 note"


def test_summary_of_ragged_depths() -> None:
    taxonomy, _ = build(path_table([["a"], ["b", "c"]]), name="t")
    shown = summary(taxonomy)
    assert shown["ranks"] is None
    assert shown["level_names"] == ["level1", "level2"]
    assert shown["leaves_per_level"] == [1, 1]


def test_no_findings_are_one_line() -> None:
    assert findings_text([], "t.csv") == "t.csv: 0 errors, 0 warnings, 0 notes"
