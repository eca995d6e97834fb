"""``npquant sweep``: every setting of a grid on one data set, and which of them no other one beats."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from npquant.cli.arguments import add_data
from npquant.cli.progress import ProgressLine

if TYPE_CHECKING:
    from npquant.workflow.sweep.run import SweepResult


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant sweep`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["sweep", "--grid", "grid.toml", "--executor", "processes:2", "--out", "found"]).executor
    'processes:2'
    """
    sweep = commands.add_parser(
        "sweep",
        help="quantize and prune by every setting of a grid, and find the frontier",
        description="Try every setting of a grid on one data set: accuracy against bytes, and what no setting beats.",
        epilog="Killed at any point, the same command goes on where it was. Exit code: 0 done, 1 a cell failed, 2 "
        "usage or bad input.",
    )
    sweep.add_argument(
        "--grid", metavar="FILE", required=True,
        help="TOML: values or lists of them for bits, method, granularity, calibration, prune, criterion, "
        "activation_bits, seed; one for hidden, activation, epochs",
    )  # fmt: skip
    add_data(sweep.add_argument_group("rows"), "the bundled digits")
    sweep.add_argument(
        "--executor", metavar="NAME",
        help="processes, processes:N or dask:ADDRESS, a running scheduler (default: this process)",
    )  # fmt: skip
    out = sweep.add_argument_group("what to write")
    out.add_argument("--out", metavar="DIR", required=True, help="folder for cells, results.csv, results.json, plot")
    out.add_argument("--json", action="store_true", help="print JSON instead of tables")
    sweep.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Sweep, and say what is on the frontier."""
    from npquant.cli.output import write_json, write_sections
    from npquant.workflow.sweep.run import sweep

    if not options.out.strip():
        raise ValueError("--out is empty; name the folder to write to")
    with ProgressLine("sweep: reading the data") as line:
        found = sweep(
            options.grid, options.out, options.data, options.executor,
            target=options.target, missing=options.missing, progress=line.show,
        )  # fmt: skip
    record = _record(found)
    if options.json:
        write_json(record)
    else:
        write_sections(_sections(found, record, options.width))
    return 1 if found.failed else 0


def _record(found: SweepResult) -> dict[str, Any]:
    return {
        "command": "sweep",
        "folder": str(found.folder),
        "cells": len(found.records),
        "computed": found.computed,
        "failed": [{"cell": record["cell"], "error": record["error"]} for record in found.failed],
        "frontier": [point.to_json() for point in found.frontier],
        "plot": bool(found.points),
    }


def _sections(found: SweepResult, record: dict[str, Any], width: int) -> list[list[str]]:
    """Lay out what was found for a terminal."""
    from npquant.report.text_layout import wrap
    from npquant.workflow.sweep.frontier import frontier_lines
    from npquant.workflow.sweep.run import PLOT, RESULTS

    cells = f"{record['cells']:,} cells, {record['computed']:,} computed now, {len(found.failed):,} failed"
    written = [*RESULTS, *([PLOT] if found.points else [])]
    failed = [
        line
        for entry in record["failed"][:5]
        for line in wrap(f"failed: {_asked(entry['cell'])}: {entry['error']}", "", width)
    ]
    if len(found.failed) > 5:
        failed += wrap(f"and {len(found.failed) - 5:,} more; results.csv has them all", "", width)
    notes = wrap(f"{cells}; written to {found.folder}: {', '.join(written)}", "", width)
    if not found.points:
        notes += wrap("no plot: no setting has all its cells", "", width)
    return [frontier_lines(found.points, width), failed, notes]


def _asked(cell: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in cell.items() if value is not None)
