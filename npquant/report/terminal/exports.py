"""What other people's runtimes take, and what they answered.

Legend: report the whole; targets its entries of that name; width of the page in columns; indent in columns.
"""

from __future__ import annotations

from typing import Any

from npquant.report.terminal.figures import percent, rows, short_time
from npquant.report.text_layout import table, wrap


def export_lines(report: dict[str, Any], width: int, indent: int) -> list[str]:
    """Lay out a line an export and runtime, then what could not be written or run, and why."""
    targets = report["deployment"]["targets"]
    if not targets:
        return []
    ran = [entry for entry in targets if entry["reason"] is None]
    cells = [
        (
            f"{entry['target']} in {entry['engine']}",
            f"{entry['measured']['code_bytes'] or entry['bytes']:,}",
            f"{entry['outputs'] - entry['differing']:,} of {entry['outputs']:,}",
            short_time(entry["measured"]["seconds"]),
        )
        for entry in ran
    ]
    space = " " * indent
    lines = wrap("exports, run in their runtimes, compared byte for byte with npquant:", space, width)
    lines += table(("export", "bytes", "equal answers", "one row"), cells, width=width, indent=indent) if ran else []
    for why, named in _absent(targets).items():
        lines += wrap(f"{', '.join(named)}: {why}", space, width)
    return lines


def _absent(targets: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Gather those that were not run, by the reason."""
    found: dict[str, list[str]] = {}
    for entry in targets:
        if entry["reason"] is not None:
            why = entry["reason"]
            why = why if why.startswith("not written") else f"not run: {why}"
            found.setdefault(why, []).append(f"{entry['target']} in {entry['engine']}")
        elif entry["measured"]["reason"] is not None:
            why = f"not timed: {entry['measured']['reason']}"
            found.setdefault(why, []).append(f"{entry['target']} in {entry['engine']}")
    return found


def export_detail_lines(report: dict[str, Any], width: int) -> list[str]:
    """Lay out under whose arithmetic each export was judged, and what a compiled program takes."""
    targets = [entry for entry in report["deployment"]["targets"] if entry["reason"] is None]
    if not targets:
        return []
    cells = [
        (f"{entry['target']} in {entry['engine']}", entry["profile"], f"{entry['rows']:,}", _agreement(entry))
        for entry in targets
    ]
    lines = wrap("Exports: the arithmetic that they were judged under, agreement with deployed.npz", "", width)
    lines += table(("export", "arithmetic", "rows", "agree %"), cells, text_columns=2, width=width)
    for entry in targets:
        made, name = entry["measured"], entry["target"]
        if made["code_bytes"] is not None:
            size = f"{made['code_bytes']:,} bytes of code and constants, {made['ram_bytes']:,} of RAM"
            lines += wrap(f"{name} compiled with -Os by {made['version']}: {size}", "  ", width)
        if made["instructions"] is not None:
            steps = rows(made["instructions"], "instruction")
            lines += wrap(f"{name} at -O2: {steps} a row, counted by valgrind", "  ", width)
        if made["uncounted"] is not None:
            lines += wrap(f"{name} in {entry['engine']}, not counted: {made['uncounted']}", "  ", width)
    return lines


def _agreement(entry: dict[str, Any]) -> str:
    return "-" if entry.get("agreement") is None else percent(entry["agreement"])
