"""A sweep: the cells of a grid, in any executor, each written once, as it is done, and never computed again.

Legend: folder the sweep's own; records what cells gave, in grid order.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from npquant.budget.progress import Told
from npquant.data.matching import facts_of
from npquant.data.sets import load_sets
from npquant.files.staging import write_together
from npquant.files.storage import write_atomically
from npquant.report.document import rounded
from npquant.workflow.sweep.cell import CellTask, NetworkTask, Outcome, Record, Rows, run_cell, train_network
from npquant.workflow.sweep.executors import LOSSES, Place, answers, opened
from npquant.workflow.sweep.frontier import Point, frontier_of, points_of, share
from npquant.workflow.sweep.grid import Cell, Grid, NetworkKey, cells_of, digest, read_grid
from npquant.workflow.sweep.picture import frontier_svg

RESULTS: Final = ("results.csv", "results.json")
PLOT: Final = "frontier.svg"


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep found.

    Attributes
    ----------
    folder : Path
        Where its files are.
    records : tuple of dict
        One a cell, in grid order: "cell", "data_sha256", "before" and "after" (bytes, neurons, MACs, correct rows of
        validation and test), "kl" in nats, "error" (None, or why there are no figures).
    points : tuple of Point
        One a setting, its figures means over the seeds.
    computed : int
        Cells that were computed now; the others were in the folder.
    """

    folder: Path
    records: tuple[Record, ...]
    points: tuple[Point, ...]
    computed: int

    @property
    def frontier(self) -> tuple[Point, ...]:
        """The settings that none beats, the smallest first."""
        return frontier_of(self.points)

    @property
    def failed(self) -> tuple[Record, ...]:
        """The records of cells that raised."""
        return tuple(record for record in self.records if record["error"] is not None)


def sweep(
    grid: Grid | Sequence[Grid] | str,
    out: str,
    data: str | None = None,
    executor: Executor | str | None = None,
    *,
    target: str | int | None = None,
    missing: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> SweepResult:
    """Quantize and prune by every setting of a grid, and find those that no other one beats.

    Parameters
    ----------
    grid : dict, sequence of dict, or str
        Values, or lists of them, by name: "bits", "method", "granularity", "calibration", "prune" (rates),
        "criterion", "activation_bits", "seed"; one value for all cells: "hidden", "activation", "epochs". What is left
        out has the default of ``npquant prune`` and ``npquant quantize``. A str is the path of a TOML file.
    out : str
        Folder for the results, made if it is missing. Cells that it holds already are not computed again.
    data : str, optional
        Path of a data set of classes, as `load_dataset` takes it; None for the bundled digits.
    executor : Executor, str or None
        Any `concurrent.futures.Executor`; "processes", "processes:N" for processes of its own, or "dask:ADDRESS" for a
        running scheduler, whose workers must be able to read `data`. None: this process.
    target, missing : optional
        As `load_dataset` takes them.
    progress : callable, optional
        Told a str, with the share of the work done, as it proceeds.

    Returns
    -------
    SweepResult
        Records in grid order, the points and the frontier; a cell that raised is a record with its error.

    Raises
    ------
    ValueError
        If the grid, the data or the name of the executor are not valid; it names the wrong one and the fix.
    OSError
        If a file cannot be read, or the folder cannot be written.
    RuntimeError
        If an executor of your own breaks; sweep again with another one, and it goes on where it was.

    Notes
    -----
    In the folder are ``cells/`` (a record each, written whole or not at all), ``networks/`` (a float network for each
    seed), ``seconds.csv`` (what cells took), ``results.csv``, ``results.json`` and, where a setting has all its cells,
    ``frontier.svg``.
    A record is a pure function of the grid's row, the data and its seed; records and results are the same bytes
    whatever the executor, the order and the number of workers, given one BLAS thread in each process: "processes"
    and ``npquant sweep`` see to that. The seed chooses the split, the float network and all that is drawn.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = sweep({"bits": [8, 2], "method": "uniform"}, folder)
    ...     again = sweep({"bits": [8, 2], "method": "uniform"}, folder)
    >>> found.computed, again.computed, [dict(point.setting)["bits"] for point in found.frontier]
    (2, 0, [2, 8])
    """
    grids, source = _grids(grid)
    cells = cells_of(grids, source)
    tell = progress if progress is not None else _silent
    rows = {seed: _rows(data, target, missing, seed) for seed in dict.fromkeys(cell.seed for cell in cells)}
    folder = Path(out)
    with opened(executor) as place:
        for name in ("cells", "networks"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        known = {cell: _known(folder, cell, rows[cell.seed].sha256) for cell in cells}
        todo = [cell for cell in cells if known[cell] is None]
        if todo:
            networks = _networks(place, folder, todo, rows, tell)
            for cell, record in _computed(place, folder, todo, rows, networks, tell):
                known[cell] = record
    records = tuple(record for record in known.values() if record is not None)
    points = points_of(records)
    _write_results(folder, records, points)
    return SweepResult(folder, records, points, len(todo))


def _grids(grid: Grid | Sequence[Grid] | str) -> tuple[Sequence[Grid], str]:
    if isinstance(grid, str):
        return read_grid(grid), grid
    return ([grid] if isinstance(grid, Mapping) else grid), "the grid"


def _rows(data: str | None, target: str | int | None, missing: str | None, seed: int) -> Rows:
    """Load the rows once, to name what they hold."""
    path = None if data is None else str(Path(data).resolve())
    dataset = load_sets(path, seed, target=target, missing=missing).dataset
    if dataset.kind != "classes":
        raise ValueError(f"{dataset.source}: its label is a real number; a sweep counts right classes: use npquant run")
    return Rows(path, target, missing, seed, str(facts_of(dataset).data_sha256))


def _place_of(folder: Path, cell: Cell, sha256: str) -> Path:
    return folder / "cells" / f"{digest(cell, sha256)}.json"


def _known(folder: Path, cell: Cell, sha256: str) -> Record | None:
    """Return the record that the folder holds of a cell, if it holds one."""
    try:
        record: Record = json.loads(_place_of(folder, cell, sha256).read_bytes())
        return record if record["cell"] == rounded(asdict(cell)) else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _networks(
    place: Place, folder: Path, todo: Iterable[Cell], rows: Mapping[int, Rows], tell: Callable[[str], None]
) -> dict[NetworkKey, bytes]:
    """Read or train the float network of each seed, once."""
    keys = list(dict.fromkeys(cell.network for cell in todo))
    paths = {key: folder / "networks" / f"{digest(key, rows[key.seed].sha256)}.npz" for key in keys}
    missing = [key for key in keys if not paths[key].exists()]
    for done, (at, outcome) in enumerate(
        answers(place, train_network, [NetworkTask(key, rows[key.seed]) for key in missing])
    ):
        tell(Told(f"sweep: float network {done + 1} of {len(missing)}", (done + 1) / len(missing)))
        if isinstance(outcome, Exception):
            raise outcome
        if outcome.error is not None:
            raise ValueError(f"the float network of seed {missing[at].seed} cannot be trained: {outcome.error}")
        write_atomically(paths[missing[at]], outcome.value)
    return {key: path.read_bytes() for key, path in paths.items()}


def _computed(
    place: Place,
    folder: Path,
    todo: Sequence[Cell],
    rows: Mapping[int, Rows],
    networks: Mapping[NetworkKey, bytes],
    tell: Callable[[str], None],
) -> Iterable[tuple[Cell, Record]]:
    """Compute cells and write each as it is done; one that was given up is not written, so that it is tried again."""
    tasks = [CellTask(cell, rows[cell.seed], networks[cell.network]) for cell in todo]
    tell(Told(f"sweep: cell 0 of {len(todo)}", 0.0))
    for done, (at, outcome) in enumerate(answers(place, run_cell, tasks), start=1):
        cell, sha256 = todo[at], rows[todo[at].seed].sha256
        if isinstance(outcome, Exception):
            record = _failure(cell, sha256, f"its worker was lost {LOSSES} times: {type(outcome).__name__}: {outcome}")
        else:
            record = outcome.value if outcome.error is None else _failure(cell, sha256, outcome.error)
            write_atomically(_place_of(folder, cell, sha256), _encoded(record))
            _note_seconds(folder, digest(cell, sha256), outcome)
        tell(Told(f"sweep: cell {done} of {len(todo)}", done / len(todo)))
        yield cell, record


def _failure(cell: Cell, sha256: str, error: str) -> Record:
    record: Record = rounded({"cell": asdict(cell), "data_sha256": sha256, "before": None, "after": None, "kl": None})
    return {**record, "error": error}


def _note_seconds(folder: Path, name: str, outcome: Outcome) -> None:
    """Add a line: seconds differ from run to run, and stand in no record."""
    with open(folder / "seconds.csv", "a", encoding="ascii") as stream:
        stream.write(f"{name},{outcome.seconds:.6f}\n")


def _write_results(folder: Path, records: Sequence[Record], points: Sequence[Point]) -> None:
    """Write the tables and the plot together; without a point there is nothing to plot."""
    found = {"records": records, "frontier": [rounded(point.to_json()) for point in frontier_of(points)]}
    contents = dict(zip(RESULTS, (_table(records).encode("utf-8"), _encoded(found)), strict=True))
    if points:
        contents[PLOT] = frontier_svg(points)
    else:
        (folder / PLOT).unlink(missing_ok=True)  # one of an earlier grid
    write_together(folder, contents)


def _table(records: Sequence[Record]) -> str:
    """Write a line a record: what was asked, and what came of it."""
    text = io.StringIO()
    lines = [_line(record) for record in records]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _line(record: Record) -> dict[str, Any]:
    asked = {
        name: "-".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in record["cell"].items()
    }
    line: dict[str, Any] = dict(asked)
    for rows in ("validation", "test"):
        for when in ("before", "after"):
            found = record[when]
            line[f"{rows}_{when}_percent"] = "" if found is None else f"{share(found[rows]):.9g}"
        line[f"{rows}_kl"] = "" if record["kl"] is None else record["kl"][rows]
    for name in ("bytes", "macs", "executed_macs"):
        for when in ("before", "after"):
            line[f"{name}_{when}"] = "" if record[when] is None else record[when][name]
    return {**line, "error": record["error"] or ""}


def _encoded(record: Any) -> bytes:
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode("utf-8")


def _silent(text: str) -> None:
    """Say nothing."""
