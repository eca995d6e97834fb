"""The parts of the report: what is said of a network, of a pair of them, of the search, and to the reader.

Letters: b rows that the reference alone gets right, c rows that the candidate alone gets right; p of the paired test.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from npquant.compression.budget import SearchResult, Trial
from npquant.compression.requirements import Requirements, allowed_rows, shows_larger_drop
from npquant.workflow.evaluate import Comparison, Evaluation


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
    >>> import numpy as np
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
