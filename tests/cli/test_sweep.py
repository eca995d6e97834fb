"""``npquant sweep``: what it prints, its exit codes, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from npquant.cli import main
from npquant.workflow.sweep import cell as cell_module


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """Two cells that take milliseconds."""
    path = tmp_path / "grid.toml"
    path.write_text('bits = [8, 2]\nmethod = "uniform"\nhidden = [8]\nepochs = 1\n')
    return path


def test_sweep_prints_the_frontier_and_resumes(grid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table, then what was done; the second time nothing is computed, and --json says the same."""
    asked = ["sweep", "--grid", str(grid), "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    page = capsys.readouterr().out
    assert page.startswith("Frontier: ") and "2 cells, 2 computed now, 0 failed" in page.replace("\n  ", " ")
    assert main([*asked, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["cells"], record["computed"], record["failed"]) == (2, 0, [])
    assert [point["bytes"] for point in record["frontier"]] == sorted(point["bytes"] for point in record["frontier"])


def test_sweep_exit_code_says_that_a_cell_failed(
    grid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that raises is named with its error, and the code is 1, now and on the next time."""
    real = cell_module.compress

    def fails(cell: Any, model: Any, sets: Any) -> Any:
        if cell.bits == 2:
            raise OverflowError("does not fit")
        return real(cell, model, sets)

    monkeypatch.setattr(cell_module, "compress", fails)
    asked = ["sweep", "--grid", str(grid), "--out", str(tmp_path / "out")]
    assert (main(asked), main(asked)) == (1, 1)
    assert "failed: bits 2, method uniform" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("bit = 4", [], "grid.toml: 'bit' is unknown; known are bits,"),
        ("bits = 4", ["--executor", "threads"], "the executor is 'threads'; give processes, processes:N or dask:"),
        ("bits = 4", ["--out", " "], "--out is empty"),
        ("bits = 4", ["--label", "y"], "--label and --missing speak of a table"),
        ("bits = 4", ["--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_sweep_refuses_in_one_line(
    text: str, more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input is exit code 2, and one line that names it."""
    path = tmp_path / "grid.toml"
    path.write_text(text)
    assert main(["sweep", "--grid", str(path), "--out", str(tmp_path / "out"), *more]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
