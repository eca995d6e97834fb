"""Laws of the text page: it fits, it lines up, it hides nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.report.terminal import render_report
from npquant.report.text_layout import joined, table, wrap
from npquant.workflow.steps import run_workflow

words = st.text(alphabet="abcdef0123456789", min_size=1, max_size=12)


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=6))
def test_table_lines_up(rows: list[tuple[str, str, str]]) -> None:
    """Every number ends where its column ends, every cell is there, and no line ends in a space."""
    lines = table(("name", "one", "two"), rows)
    assert len(lines) == len(rows) + 2
    assert len({len(line) for line in lines}) == 1
    for line, cells in zip(lines[2:], rows, strict=True):
        assert tuple(line.split()) == cells


@given(st.lists(words, max_size=60))
def test_wrap_keeps_every_word_within_the_width(parts: list[str]) -> None:
    """Nothing is lost, and no line is longer than 96 columns."""
    lines = wrap(" ".join(parts))
    assert " ".join(lines).split() == parts
    assert max(map(len, lines)) <= 96


@pytest.mark.parametrize(("values", "text"), [([8, 8], "8"), ([8, 4], "8/4"), ([], "-"), ([0.1, 0.2], "0.1/0.2")])
def test_joined_writes_equal_values_once(values: list[float], text: str) -> None:
    """One value for all layers is written once."""
    assert joined(values) == text


def test_render_report_says_what_was_missed(tmp_path: Path) -> None:
    """A missed budget names the requirement and the nearest point; every model and note is on the page."""
    report = run_workflow(out=str(tmp_path), max_bytes=1500, prune=0.0, targets=("none",))
    page = render_report(report)
    assert "Budget MISSED: the size of deployed.npz" in page
    assert f"nearest point: {report['budget']['nearest']['bytes']:,} bytes" in page
    assert max(map(len, page.splitlines())) <= 96
    flat = " ".join(page.split())
    assert all(note in flat for note in report["notes"])
    assert all(f"{model['bytes']:,}" in page for model in report["models"])
