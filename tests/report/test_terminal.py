"""Laws of the text page: it fits, it lines up, it hides nothing."""

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.report.terminal import render_report
from npquant.report.terminal.quality import lost
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


def test_wrap_keeps_a_percent_sign_beside_its_number() -> None:
    """A line begins with no sign whose number the line above ends in."""
    assert wrap("an interval of 95 % of it", "", 17, hang=0) == ["an interval of", "95 % of it"]


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
    assert page.startswith("Budget MISSED: the size of deployed.npz")
    assert f"  nearest   {report['budget']['nearest']['bytes']:,} bytes" in page
    assert max(map(len, page.splitlines())) <= 96
    flat = " ".join(page.replace("  - ", "").split())
    assert all(note in flat for note in report["notes"])
    assert all(f"{model['bytes']:,}" in page for model in report["models"])


@given(st.lists(st.tuples(words, words, words, words), min_size=1, max_size=4), st.integers(32, 60))
def test_table_that_is_too_wide_goes_on_below(rows: list[tuple[str, ...]], width: int) -> None:
    """Every cell is there, no line is longer than the width, and each block begins with the first column."""
    lines = table(("name", "one", "two", "three"), rows, width=width)
    blocks = "\n".join(lines).split("\n\n")
    assert max(map(len, lines)) <= width
    for number, cells in enumerate(rows):
        found = [block.splitlines()[2 + number].split() for block in blocks]
        assert all(part[0] == cells[0] for part in found)
        assert tuple(cell for part in found for cell in part[1:]) == cells[1:]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run with nothing left to search."""
    folder = tmp_path_factory.mktemp("out")
    return run_workflow(out=str(folder), bits=4, prune=0.3, activation_bits=8, targets=("npz",))


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [60, 80, 96, 120])
def test_page_fits_any_width_and_shows_every_step(report: dict[str, Any], width: int, verbose: bool) -> None:
    """No line is longer than the page; steps 1 to 8 stand in their order, each with its seconds at the right edge."""
    lines = render_report({**report, "config": {**report["config"], "out": "out"}}, width=width, verbose=verbose)
    assert max(map(len, lines.splitlines())) <= width
    steps = [
        line for line in lines.splitlines() if len(line) == width and re.match(r"  \d  [a-z].* \d+\.\d\d s$", line)
    ]
    assert [line.split()[0] for line in steps] == list("12345678")


def test_page_gives_the_answer_first(report: dict[str, Any]) -> None:
    """Four lines: what was decided, how well, how small, and where; no verdict without its warning."""
    first, last = report["models"][0], report["models"][-1]
    lines = render_report(report, width=120).splitlines()
    assert lines[0].startswith("Budget met. Points lost: ")
    assert [line.split()[0] for line in lines[1:4]] == ["accuracy", "size", "files"]
    assert f"{first['bytes']:,} -> {last['bytes']:,} bytes" in lines[2]
    model = {**report["model"], "warning": "the float network answers 'b' to all 100 rows"}
    warned = render_report({**report, "model": model}, width=120).splitlines()
    assert warned[0].startswith("Budget met, BUT the float network answers 'b' to all 100 rows. Points lost: ")


def test_page_of_thirty_layers_keeps_its_width(report: dict[str, Any]) -> None:
    """What is by layer is summed up in the steps, and stands line by line in the details."""
    deep = copy.deepcopy(report)
    deep["config"]["out"] = "out"
    deep["model"]["activations"] = ["relu"] * 29 + ["identity"]
    for model in deep["models"]:
        model["neurons"], model["bits"] = [64] * 29 + [10], [8, 4] * 15
    made = deep["budget"]["thresholds"]
    made["bits"], made["rates"], made["activation_bits"] = [8, 4] * 15, [0.1, 0.2] * 14 + [0.3], [8] * 29
    deep["pruning"]["removed"] = deep["pruning"]["removed"][:1] * 29
    for entry in deep["comparisons"]:
        if "sqnr_db" in entry:
            entry["sqnr_db"] = [20.0] * 30
    deep["deployment"]["kernels"] = deep["deployment"]["kernels"][:1] * 30
    for name, values in deep["bounds"].items():
        deep["bounds"][name] = values[:1] * 30
    for width in (60, 80, 120):
        page = render_report(deep, width=width, verbose=True)
        assert max(map(len, page.splitlines())) <= width
        assert "weights of 8, 4 bits" in " ".join(page.split())


@pytest.fixture(scope="module")
def real_report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run on two real targets with nothing left to search."""
    folder = tmp_path_factory.mktemp("real")
    x = np.random.default_rng(0).normal(size=(120, 3))
    np.savez(folder / "rows.npz", x=x, y=np.stack([x[:, 0] + 1.0, 1000 * np.abs(x[:, 1])], 1))
    return run_workflow(
        data=str(folder / "rows.npz"), train=True, hidden=(6, 5), epochs=3, out=str(folder / "out"), bits="ternary",
        prune=0.2, activation_bits=8, targets=("npz",),
    )  # fmt: skip


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [60, 80, 96, 120])
def test_page_of_real_targets_fits_and_speaks_of_no_class(
    real_report: dict[str, Any], width: int, verbose: bool
) -> None:
    """Rows are neither lost nor won, nor are classes apart by KL: errors and the deviation stand in their place."""
    page = render_report(
        {**real_report, "config": {**real_report["config"], "out": "out"}}, width=width, verbose=verbose
    )
    assert max(map(len, page.splitlines())) <= width
    told = " ".join(page.split())
    assert "ternary weights" in told and "1 real target" not in told and "2 real targets" in told
    assert not re.search(r"\b(won|KL|accuracy|classes)\b", told)
    assert ("bytes, MACs and deviation" in told) == verbose
    assert not re.search(r"^ *%", page, re.MULTILINE)


def test_answer_names_the_output_of_each_rise_and_which_way() -> None:
    """The worst output of the test rows may be another than that of the validation rows; no rise is negative."""

    def entry(worst: int, *rises: float) -> dict[str, Any]:
        return {"worst_output": worst, "outputs": [{"rise": rise, "allowed": 0.5} for rise in rises]}

    assert lost({"rise": entry(1, -3.0, 0.25), "test": entry(0, 2.0, 0.0)}) == (
        "RMSE up by 0.25 of output 1 on validation rows (0.5 asked), up by 2 of output 0 on test rows (0.5 asked)."
    )
    assert lost({"rise": entry(0, -3.0), "test": None}) == "RMSE down by 3 on validation rows (0.5 asked)."
