"""The grid: its cells, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from npquant.workflow.sweep.grid import AXES, SETTINGS, cells_of, digest, read_grid


def test_cells_of_defaults_are_those_of_the_commands() -> None:
    """A grid that says nothing is one cell: 4 bits, rectified, nothing pruned, seed 0."""
    (cell,) = cells_of([{}])
    assert (cell.bits, cell.method, cell.prune, cell.activation_bits, cell.seed) == (4, "rectified", 0.0, 8, 0)
    assert (cell.hidden, cell.activation, cell.epochs) == (None, None, None)


def test_cells_of_counts_no_cell_twice() -> None:
    """Values given twice, criteria of unpruned cells and cells of several grids are one cell each."""
    grid = {"bits": [4, 4], "prune": [0, 0.5], "criterion": ["obs", "in_l2"]}
    cells = cells_of([grid, grid])
    assert len(cells) == 3 == len(set(cells))


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"bit": 4}, "'bit' is unknown; known are bits,"),
        ({"bits": 9}, "bits is 9; give whole numbers in"),
        ({"bits": True}, "bits is True; give"),
        ({"bits": 4.0}, "bits is 4.0; give whole"),
        ({"bits": []}, "bits has no values"),
        ({"method": "round"}, "method is 'round'; give one of rectified,"),
        ({"prune": 0.95}, "prune is 0.95; give shares"),
        ({"prune": float("nan")}, "prune is nan; give shares"),
        ({"criterion": ["obs", "none"]}, "criterion is 'none'; give one of obs,"),
        ({"calibration": "percentile:0"}, "calibration is 'percentile:0'; give min_max"),
        ({"calibration": "percentile:all"}, "calibration is 'percentile:all'; give min_max"),
        ({"calibration": 3}, "calibration is 3; give min_max"),
        ({"granularity": "per_row"}, "granularity is 'per_row'; give one of per_channel, per_tensor"),
        ({"granularity": "per_tensor"}, "goes with method 'uniform', not with 'rectified'; give it a table"),
        ({"activation_bits": 12}, "activation_bits is 12; give"),
        ({"seed": -1}, "seed is -1; give whole numbers of at least 0"),
        ({"hidden": [8, 0]}, r"hidden is \[8, 0\]; give widths"),
        ({"activation": "gelu"}, "activation is 'gelu'; give one of clipped_relu"),
        ({"epochs": 0}, "epochs is 0; give a whole number of at least 1"),
    ],
)
def test_cells_of_refuses_by_name_and_fix(grid: dict[str, Any], said: str) -> None:
    """A wrong key or value is an error that names the file, the key and what to give."""
    with pytest.raises(ValueError, match=f"^mine.toml: .*{said}"):
        cells_of([grid], "mine.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bits = [8,", "is no TOML"),
        ("bits = 8\n[[grid]]\nbits = 4", "alone"),
        ("grid = 3", "alone"),
        ("\xff", "is no TOML"),
    ],
)
def test_read_grid_refuses(text: str, said: str, tmp_path: Path) -> None:
    """A file that is no grid is an error that names it."""
    path = tmp_path / "grid.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=f"grid.toml: .*{said}"):
        read_grid(str(path))


def test_read_grid_tables_follow_one_another(tmp_path: Path) -> None:
    """Tables [[grid]] are grids in their order."""
    path = tmp_path / "grid.toml"
    path.write_text('[[grid]]\nbits = [8, 2]\n[[grid]]\nmethod = "uniform"\ngranularity = "per_tensor"\n')
    cells = cells_of(read_grid(str(path)), str(path))
    assert [(cell.bits, cell.granularity) for cell in cells] == [
        (8, "per_channel"),
        (2, "per_channel"),
        (4, "per_tensor"),
    ]


def test_digest_depends_on_every_field() -> None:
    """Cells that differ in one name, or in the data, have other digests."""
    other: dict[str, Any] = {
        "bits": "ternary", "method": "gptq", "calibration": "mse", "prune": 0.5, "activation_bits": 4, "seed": 1,
        "hidden": [8], "activation": "relu", "epochs": 2,
    }  # fmt: skip
    grids = [{}, *({name: value} for name, value in other.items())]
    grids += [{"prune": 0.5, "criterion": "in_l2"}, {"method": "uniform"}]
    grids += [{"method": "uniform", "granularity": "per_tensor"}]
    cells = [cell for grid in grids for cell in cells_of([grid])]
    assert {name for grid in grids for name in grid} == {*AXES, *SETTINGS}
    assert len({digest(cell, sha) for cell in cells for sha in ("a", "b")}) == 2 * len(grids)
