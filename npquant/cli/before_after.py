"""A network before and after a command, on the validation rows: what it costs, what it answers, and how that differs.

Tables are laid out from the record that --json prints, so that both say the same.
"""

from __future__ import annotations

import os
from typing import Any

from npquant.budget.requirements import allowed_rows
from npquant.cli.workpiece import Workpiece
from npquant.measure.cost import Network, executed_macs, nonzero_weights, weight_widths
from npquant.measure.evaluate import Evaluation, compare, evaluate, in_float64
from npquant.nn.model import FloatMLP
from npquant.report.entries import accuracy_entry, comparison_entry
from npquant.report.terminal import joined, table, wrap

_COLUMNS = ("", "bits", "neurons", "bytes", "smaller", "MACs", "executed", "nonzero", "accuracy %")


def check_max_drop(max_drop: float | None) -> None:
    """Refuse a budget that is no number of points.

    Parameters
    ----------
    max_drop : float or None
        Points of accuracy; None: nothing is required.

    Raises
    ------
    ValueError
        If it is outside [0, 100].

    Examples
    --------
    >>> check_max_drop(-1.0)
    Traceback (most recent call last):
    ValueError: --max-drop is -1; give points of accuracy in [0, 100]
    """
    if max_drop is not None and not 0 <= max_drop <= 100:
        raise ValueError(f"--max-drop is {max_drop:g}; give points of accuracy in [0, 100]")


def compare_networks(piece: Workpiece, result: Network, out: str, max_drop: float | None) -> dict[str, Any]:
    """Compare a command's network with its result on the validation rows.

    Parameters
    ----------
    piece : Workpiece
        With the network before, and the rows.
    result : FloatMLP or IntegerMLP
        The network after.
    out : str
        The file that holds it.
    max_drop : float or None
        Points of accuracy that may be lost; None: any.

    Returns
    -------
    dict
        "data", "before", "after", "comparison", "budget", "notes", as --json prints them.

    Notes
    -----
    Float networks answer in float64. The budget is met where the rows lost, less those won, are within G1.

    Examples
    --------
    >>> from importlib import resources
    >>> from npquant.cli.workpiece import take_up
    >>> path = str(resources.files("npquant.data") / "bundled" / "digits_float.npz")
    >>> piece = take_up(path, data=None, rows=None, seed=0)
    >>> compare_networks(piece, piece.model, path, 0.0)["budget"]
    {'max_drop': 0.0, 'allowed_rows': 0, 'lost_rows': 0, 'met': True}
    """
    x, y = piece.sets.validation
    one = evaluate(piece.floating, x, y)
    two = evaluate(in_float64(result) if isinstance(result, FloatMLP) else result, x, y)
    found = compare(one, two)
    comparison = comparison_entry(0, ("before", "after"), "validation", found)
    del comparison["step"]
    lost = found.paired.b - found.paired.c
    allowed = None if max_drop is None else allowed_rows(max_drop, found.rows)
    met = allowed is None or lost <= allowed
    return {
        "data": piece.data,
        "before": _entry(piece.path, piece.model, one),
        "after": _entry(out, result, two),
        "comparison": comparison,
        "budget": {"max_drop": max_drop, "allowed_rows": allowed, "lost_rows": lost, "met": met},
        "notes": list(piece.notes),
    }


def _entry(path: str, model: Network, answers: Evaluation) -> dict[str, Any]:
    """Describe one network."""
    return {
        "file": path,
        "bytes": os.path.getsize(path),
        "bits": weight_widths(model),
        "neurons": model.neurons,
        "macs": model.macs,
        "executed_macs": executed_macs(model),
        "nonzero_weights": sum(nonzero_weights(model)),
        "validation": accuracy_entry(answers),
    }


def rows_line(record: dict[str, Any], part: str, used: str) -> str:
    """Say which rows were used.

    Parameters
    ----------
    record : dict
        With "data", as `compare_networks` returns it.
    part : {"calibration", "train"}
        Which training rows.
    used : str
        What they were for.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> rows = {"calibration": 200, "validation": 270}
    >>> rows_line({"data": {"name": "digits", "rows": rows}}, "calibration", "look at")
    '  rows  digits: 200 training rows to look at, 270 validation rows to compare'
    """
    name, rows = record["data"]["name"], record["data"]["rows"]
    training = f"{rows[part]:,} training row{'s' * (rows[part] != 1)} to {used}"
    return f"  rows  {name}: {training}, {rows['validation']:,} validation rows to compare"


def written_line(record: dict[str, Any]) -> str:
    """Say which file was written.

    Parameters
    ----------
    record : dict
        With "after", as `compare_networks` returns it.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> written_line({"after": {"file": "net.npz", "bytes": 5493}})
    '  file  net.npz: 5,493 bytes written'
    """
    return f"  file  {record['after']['file']}: {record['after']['bytes']:,} bytes written"


def before_after_lines(record: dict[str, Any]) -> list[str]:
    """Lay both networks and their difference out for a terminal.

    Parameters
    ----------
    record : dict
        What `compare_networks` returned.

    Returns
    -------
    list of str
        A table and sentences.

    Examples
    --------
    >>> one = {"bits": [32], "neurons": [2], "bytes": 900, "macs": 4, "executed_macs": 4}
    >>> one["nonzero_weights"], one["validation"] = 4, {"accuracy": 0.9}
    >>> comparison = {"rows": 10, "agreeing": 10, "agreement": 1.0, "kl": 0.0, "mcnemar": {"b": 0, "c": 0, "p": 1.0}}
    >>> record = {"before": one, "after": one, "comparison": comparison, "budget": {"max_drop": None}}
    >>> before_after_lines(record)[-1]
    '  agree  10 of 10 rows, 100.00 %   lost 0, won 0 (p = 1.0000)   KL 0.00000 nats'
    """
    found, paired = record["comparison"], record["comparison"]["mcnemar"]
    rows = [_row(name, record[name], record["before"]["bytes"]) for name in ("before", "after")]
    change = (
        f"  agree  {found['agreeing']:,} of {found['rows']:,} rows, {100 * found['agreement']:.2f} %   "
        f"lost {paired['b']:,}, won {paired['c']:,} ({_p_value(paired['p'])})   KL {_nats(found['kl'])}"
    )
    return [*table(_COLUMNS, rows), "", change, *_verdict(record["budget"])]


def _nats(kl: float) -> str:
    return f"{kl:.5f} nats" if kl < 1000 else f"{kl:.3g} nats"


def _p_value(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def _row(name: str, entry: dict[str, Any], n_bytes: int) -> tuple[str, ...]:
    return (
        name,
        joined(entry["bits"]),
        "-".join(map(str, entry["neurons"])),
        f"{entry['bytes']:,}",
        f"{n_bytes / entry['bytes']:.1f}x",
        f"{entry['macs']:,}",
        f"{entry['executed_macs']:,}",
        f"{entry['nonzero_weights']:,}",
        f"{100 * entry['validation']['accuracy']:.2f}",
    )


def _verdict(budget: dict[str, Any]) -> list[str]:
    if budget["max_drop"] is None:
        return []
    return wrap(
        f"Budget {'met' if budget['met'] else 'MISSED'}: {budget['lost_rows']} rows lost in the balance, "
        f"{budget['allowed_rows']} allowed by {budget['max_drop']:g} points."
    )


def note_lines(record: dict[str, Any]) -> list[str]:
    """Lay out what a reader of the figures must know.

    Parameters
    ----------
    record : dict
        With "notes".

    Returns
    -------
    list of str
        Wrapped sentences; none if there is nothing to say.

    Examples
    --------
    >>> note_lines({"notes": ["Mind this."]})
    ['  Mind this.']
    """
    return [line for note in record["notes"] for line in wrap(note)]
