"""The report: its keys, its rounding, its bytes. `report.schema.json` says the same to a program.

Everything but `environment`, `steps[].seconds` and `deployment.latency` is the same on a second run.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from importlib import resources
from math import isfinite
from typing import Any, Final

import numpy as np

import npquant
from npquant.compression.budget import SearchResult, Trial
from npquant.compression.requirements import Requirements, allowed_rows, shows_larger_drop
from npquant.workflow.evaluate import Comparison, Evaluation

SCHEMA: Final = "npquant.report/1"
DIGITS: Final = 9


def rounded(value: Any) -> Any:
    """Bring a value to what JSON holds, the same on every machine.

    Parameters
    ----------
    value : None, bool, int, float, str, NumPy scalar, list, tuple or dict
        Any nesting of these.

    Returns
    -------
    None, bool, int, float, str, list or dict
        Floats to nine significant digits, so that the last bits of a sum do not show; NaN and inf become null.

    Raises
    ------
    TypeError
        If a value is of another type.

    Examples
    --------
    >>> rounded({"a": (np.float64(1 / 3), float("inf"), np.int64(2))})
    {'a': [0.333333333, None, 2]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"a report holds numbers, text, lists and dicts, not {type(value).__name__}")


def encode_report(report: dict[str, Any]) -> bytes:
    """Write a report as JSON.

    Parameters
    ----------
    report : dict
        What `rounded` returned: JSON holds nothing else.

    Returns
    -------
    bytes
        ASCII; keys in the order given, which is that of the schema; indented by two, a newline at the end.

    Raises
    ------
    ValueError
        If a float is NaN or infinite.
    TypeError
        If a value is of a type that JSON does not have.

    Examples
    --------
    >>> encode_report({"schema": "npquant.report/1"})
    b'{\\n  "schema": "npquant.report/1"\\n}\\n'
    """
    return json.dumps(report, indent=2, allow_nan=False).encode("ascii") + b"\n"


def load_schema() -> dict[str, Any]:
    """Load the JSON schema of report.json.

    Returns
    -------
    dict
        Draft 2020-12; every object is closed, so that an unknown key is an error.

    Examples
    --------
    >>> load_schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    text = (resources.files("npquant.workflow") / "report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def environment() -> dict[str, str]:
    """Name the versions that ran.

    Returns
    -------
    dict of str
        Versions of npquant, Python and NumPy, by name.

    Examples
    --------
    >>> environment()["npquant"] == npquant.__version__
    True
    """
    return {"npquant": npquant.__version__, "python": platform.python_version(), "numpy": np.__version__}


def accuracy_entry(found: Evaluation) -> dict[str, Any]:
    """Describe how many rows a network gets right.

    Parameters
    ----------
    found : Evaluation
        Its answers, on one row at least.

    Returns
    -------
    dict
        "accuracy" as a share in [0, 1], and the two counts that it is made of.

    Examples
    --------
    >>> accuracy_entry(Evaluation(np.zeros((4, 2)), np.array([True, True, False, True])))
    {'accuracy': 0.75, 'correct': 3, 'rows': 4}
    """
    return {"accuracy": found.n_correct / found.rows, "correct": found.n_correct, "rows": found.rows}


def comparison_entry(
    step: int, names: tuple[str, str], rows_of: str, found: Comparison, sqnr: tuple[float, ...] | None = None
) -> dict[str, Any]:
    """Describe two networks on the same rows.

    Parameters
    ----------
    step : int
        The step that compares them.
    names : tuple of two str
        Reference and candidate.
    rows_of : str
        "validation" or "test".
    found : Comparison
        What `compare` returned.
    sqnr : tuple of float, optional
        dB by layer; None: not measured, and no key.

    Returns
    -------
    dict
        An item of "comparisons". "agreement" is a share, "drop_points" a difference of accuracies in points (positive
        where the candidate loses), "kl" in nats.

    Examples
    --------
    >>> from npquant.workflow.statistics import McNemar
    >>> found = Comparison(rows=200, agreement=190, kl=0.01, paired=McNemar(b=3, c=1, p=0.625))
    >>> entry = comparison_entry(5, ("float", "uniform"), "validation", found)
    >>> entry["drop_points"], entry["agreement"], entry["mcnemar"]
    (1.0, 0.95, {'b': 3, 'c': 1, 'p': 0.625})
    """
    paired = found.paired
    entry: dict[str, Any] = {
        "step": step,
        "reference": names[0],
        "candidate": names[1],
        "set": rows_of,
        "rows": found.rows,
        "agreement": found.agreement / found.rows,
        "agreeing": found.agreement,
        "drop_points": 100 * (paired.b - paired.c) / found.rows,
        "kl": found.kl,
        "mcnemar": {"b": paired.b, "c": paired.c, "p": paired.p},
    }
    return entry if sqnr is None else {**entry, "sqnr_db": sqnr}


def _trial_entry(trial: Trial) -> dict[str, Any]:
    """Describe one candidate of the search."""
    found = trial.found
    return {
        "bits": trial.thresholds.bits,
        "rates": trial.thresholds.rates,
        "bytes": found.n_bytes,
        "macs": found.macs,
        "drop_points": found.drop,
        "b": found.b,
        "c": found.c,
        "kl": found.kl,
        "failing": trial.failing,
        "phase": trial.phase,
    }


def budget_entry(
    result: SearchResult, requirements: Requirements, four_bits: tuple[float | None, bool], test: dict[str, Any]
) -> dict[str, Any]:
    """Describe step 3: what was required, what was found, everything tried; and what the test rows say of it.

    Parameters
    ----------
    result : SearchResult
        What the search found.
    requirements : Requirements
        What was asked.
    four_bits : tuple (float or None, bool)
        KL of 4 bits everywhere, in nats, None where not measured; whether 2 bits were searched.
    test : dict
        What `Judge.test_outcome` returned.

    Returns
    -------
    dict
        "budget" of the report.

    Notes
    -----
    The budget is met where the validation rows meet it and the test rows do not show a larger drop: a search may have
    been lucky on the rows that it chose by, and rows that it never saw are what can tell.

    Examples
    --------
    >>> from npquant.compression.budget import Thresholds
    >>> from npquant.compression.requirements import Measurement
    >>> found = Measurement(b=1, c=0, rows=270, kl=0.001, n_bytes=900, macs=64)
    >>> trial = Trial(Thresholds((4,), ()), found, (), "walk")
    >>> result = SearchResult(trial, True, None, (trial,))
    >>> for shown in (False, True):
    ...     entry = budget_entry(result, Requirements(1.0), (0.001, True), {"larger_drop_shown": shown})
    ...     print(entry["met"], entry["failing"])
    True []
    False ['test_drop']
    """
    found = result.chosen.found
    allowed = allowed_rows(requirements.max_drop, found.rows)
    refuted = test["larger_drop_shown"]
    return {
        **asdict(requirements),
        "met": result.met and not refuted,
        "failing": [*result.chosen.failing, *(["test_drop"] if refuted else [])],
        "allowed_rows": allowed,
        "thresholds": asdict(result.chosen.thresholds),
        "larger_drop_shown": shows_larger_drop(found.b, found.c, allowed),
        "kl_at_4_bits": four_bits[0],
        "two_bits_searched": four_bits[1],
        "nearest": None if result.nearest is None else _trial_entry(result.nearest),
        "frontier": [_trial_entry(trial) for trial in result.frontier],
        "test": test,
    }


def notes_of(report: dict[str, Any]) -> list[str]:
    """Say what a reader of the figures must know, from the figures themselves.

    Parameters
    ----------
    report : dict
        With the keys "config", "data", "budget" and "pruning".

    Returns
    -------
    list of str
        Sentences.

    Examples
    --------
    >>> data = {"rows": {"validation": 50, "test": 40}, "points_per_row": {"validation": 2.0, "test": 2.5}}
    >>> config, budget = {"data": "mine.csv", "bits": None}, {"thresholds": {"bits": [8, 4]}}
    >>> pruning = {"nothing_pruned": True, "rates": [0.0]}
    >>> notes_of({"data": data, "config": config, "budget": budget, "pruning": pruning})[1:]
    ['Nothing was pruned: every pruning rate is 0.']
    """
    rows, points, budget = report["data"]["rows"], report["data"]["points_per_row"], report["budget"]
    notes = [
        f"One of {rows['validation']:,} validation rows is {points['validation']:.2f} points, one of {rows['test']:,} "
        f"test rows {points['test']:.2f}: read the paired counts, not the difference of two accuracies."
    ]
    if report["config"]["data"] is None:
        notes.append(
            "The digits come from 13 writers without their names: a random split shares writers between its sets, so "
            "accuracy on a new writer is lower than these figures."
        )
    if report["pruning"]["nothing_pruned"]:
        small = any(report["pruning"]["rates"])
        why = "the rates are less than half a neuron of each layer" if small else "every pruning rate is 0"
        notes.append(f"Nothing was pruned: {why}.")
    if report["config"]["bits"] == 2 or 2 in budget["thresholds"]["bits"]:
        notes.append("Two bits suit only networks with width to spare; compare KL, not only accuracy, with 3 bits.")
    return notes


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    """Copy a report without what the clock and the machine put into it.

    Parameters
    ----------
    report : dict
        As `run_workflow` returns it.

    Returns
    -------
    dict
        The part that is equal on a second run.

    Examples
    --------
    >>> timeless({"environment": {}, "steps": [{"number": 1, "seconds": 0.1}], "deployment": {"latency": []}})
    {'steps': [{'number': 1}], 'deployment': {}}
    """
    kept = {key: value for key, value in report.items() if key != "environment"}
    kept["steps"] = [{key: value for key, value in step.items() if key != "seconds"} for step in report["steps"]]
    kept["deployment"] = {key: value for key, value in report["deployment"].items() if key != "latency"}
    return kept
