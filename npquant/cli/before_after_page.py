"""What `compare_networks` found, laid out for a terminal: the answer first, then both networks in a table.

Legend: record what `compare_networks` returns; width of the page in columns.
"""

from __future__ import annotations

from typing import Any

from npquant.report.terminal.figures import change, nats, p_value, percent, rows
from npquant.report.terminal.quality import before_after, cells
from npquant.report.text_layout import chain, joined, labelled, table, wrap

_COLUMN = 12


def answer_lines(record: dict[str, Any], width: int) -> list[str]:
    """Say what a command did to a network: the verdict, if there is a budget, how well, how small, and where it is.

    >>> one = {"bytes": 900, "macs": 4, "nonzero_weights": 4, "validation": {"accuracy": 0.9}, "file": "net.npz"}
    >>> comparison = {"mcnemar": {"b": 1, "c": 0, "p": 1.0}, "rows": 10}
    >>> record = {"before": one, "after": {**one, "bytes": 450}, "comparison": comparison, "budget": {"evidence": None}}
    >>> print("\\n".join(answer_lines(record, 96)))
      accuracy  90.00 -> 90.00 % of 10 validation rows: 1 lost, 0 won (p = 1.0000)
      size      900 -> 450 bytes (2.0x less), 4 -> 4 MACs (as before)
      file      net.npz
    """
    before, after, found, budget = (record[name] for name in ("before", "after", "comparison", "budget"))
    on = rows(found["rows"], "validation row")
    answers = before_after(before, after, "validation")
    if "mcnemar" in found:
        lost, won, p = (found["mcnemar"][name] for name in ("b", "c", "p"))
        quality, said = "accuracy", f"{answers} of {on}: {lost:,} lost, {won:,} won ({p_value(p)})"
    else:
        quality, said = "RMSE", f"{answers} on {on}, answers {percent(found['deviation'])} % apart"
    sparser = before["macs"] == after["macs"] and after["nonzero_weights"] < before["nonzero_weights"]
    counts = (("bytes", "bytes"), ("nonzero_weights", "weights not 0") if sparser else ("macs", "MACs"))
    costs = (change(before[name], after[name], unit) for name, unit in counts)
    lines = []
    if budget["evidence"] is not None:
        lines = wrap(f"Budget {'met' if budget['met'] else 'MISSED'}: {budget['evidence']['reason']}.", "", width)
    for label, text in ((quality, said), ("size", ", ".join(costs))):
        lines += labelled(label, text, width, _COLUMN)
    return [*lines, f"  file      {after['file']}"]  # as it is spelled, whatever the width


def how_lines(record: dict[str, Any], how: str, part: str, used: str, width: int) -> list[str]:
    """Say how, and which training rows (`part`: "calibration" or "train") were `used` for what.

    >>> rows = {"calibration": 200, "validation": 270}
    >>> for line in how_lines({"data": {"name": "digits", "rows": rows}}, "by hand", "calibration", "look at", 96):
    ...     print(line)
    by hand
      digits: 200 training rows to look at, 270 validation rows to compare
    """
    name, parts = record["data"]["name"], record["data"]["rows"]
    compared = rows(parts["validation"], "validation row")
    said = f"{name}: {rows(parts[part], 'training row')} to {used}, {compared} to compare"
    return [*wrap(how, "", width), *wrap(said, width=width)]


def network_lines(record: dict[str, Any], width: int) -> list[str]:
    """Lay both networks out, a line each, and how near their answers are."""
    found = record["comparison"]
    quality = ("accuracy %",) if "mcnemar" in found else ("RMSE", "R2")
    head = ("", "bits", "neurons", "bytes", "MACs", "executed", "nonzero", *quality)
    lines = table(head, [_row(name, record[name]) for name in ("before", "after")], text_columns=3, width=width)
    if "mcnemar" not in found:
        return lines
    agree = f"{found['agreeing']:,} of {rows(found['rows'])}, {percent(found['agreement'])} %"
    return [*lines, *wrap(f"same class for {agree}; KL {nats(found['kl'])} nats", width=width)]


def _row(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        joined(entry["bits"]),
        chain(entry["neurons"]),
        f"{entry['bytes']:,}",
        f"{entry['macs']:,}",
        f"{entry['executed_macs']:,}",
        f"{entry['nonzero_weights']:,}",
        *cells(entry, "validation"),
    )


def note_lines(record: dict[str, Any], width: int) -> list[str]:
    """Lay out what a reader of the figures must know, a bullet each; none if there is nothing to say."""
    return [line for note in record["notes"] for line in wrap(note, "  - ", width, hang=0)]
