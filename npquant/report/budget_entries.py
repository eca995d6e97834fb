"""What the report says of step 3: what was required, what was found, everything that was tried.

Letters: b rows that the float network alone gets right, c rows that the candidate alone gets right.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from npquant.budget.requirements import Measurement, allowed_rows, shows_larger_drop
from npquant.budget.search import SearchResult
from npquant.budget.space import AXES, Trial
from npquant.budget.threshold_search import pareto
from npquant.measure.statistics import paired_interval


def drop_entry(found: Measurement) -> dict[str, Any]:
    """Describe the accuracy that a candidate loses, and how sure that is.

    Parameters
    ----------
    found : Measurement
        On the validation rows.

    Returns
    -------
    dict
        Points, the rows lost and won, and the ends of the 95 % interval T4, in points.

    Examples
    --------
    >>> entry = drop_entry(Measurement(b=3, c=1, rows=200, kl=0.0, n_bytes=1, macs=1, sqnr=9.0))
    >>> entry["points"], entry["b"], entry["c"], round(entry["low"], 2), round(entry["high"], 2)
    (1.0, 3, 1, -1.18, 3.16)
    """
    low, high = paired_interval(found.b, found.c, found.rows)
    return {"points": found.drop, "b": found.b, "c": found.c, "low": 100 * low, "high": 100 * high}


def trial_entry(trial: Trial, *, on_front: bool) -> dict[str, Any]:
    """Describe one candidate of the search.

    Parameters
    ----------
    trial : Trial
        The candidate.
    on_front : bool
        Whether nothing tried is better in bytes, MACs and KL (G8).

    Returns
    -------
    dict
        An item of "frontier".

    Examples
    --------
    >>> from npquant.budget.space import Thresholds
    >>> found = Measurement(b=1, c=0, rows=200, kl=0.001, n_bytes=900, macs=64, sqnr=25.0)
    >>> entry = trial_entry(Trial(Thresholds((4,), (), ()), found, (), True, "walk"), on_front=True)
    >>> entry["bits"], entry["bytes"], entry["drop_points"], entry["pareto"]
    ((4,), 900, 0.5, True)
    """
    found = trial.found
    return {
        **asdict(trial.thresholds),
        "bytes": found.n_bytes,
        "macs": found.macs,
        "drop_points": found.drop,
        "b": found.b,
        "c": found.c,
        "kl": found.kl,
        "sqnr_db": found.sqnr,
        "failing": trial.failing,
        "sound": trial.sound,
        "pareto": on_front,
        "phase": trial.phase,
    }


def sensitivity_entries(result: SearchResult) -> list[dict[str, Any]]:
    """Describe what one axis alone does: a layer's width, a hidden layer's rate or its activation bits.

    Parameters
    ----------
    result : SearchResult
        Of a search.

    Returns
    -------
    list of dict
        One a level tried: what was set where, and what it saves and costs against the loosest candidate.

    Examples
    --------
    See docs/budget.md; `result.sensitivity` has the same.
    >>> sensitivity_entries.__name__
    'sensitivity_entries'
    """
    start = result.outcome.base.found
    entries = []
    for one in result.sensitivity:
        made, found = one.trial.thresholds, one.trial.found
        values = dict(zip(AXES, (made.bits, made.rates, made.activation_bits), strict=True))
        entries.append(
            {
                "what": one.kind,
                "layer": one.layer,
                "value": values[one.kind][one.layer],
                "bytes_saved": start.n_bytes - found.n_bytes,
                "macs_saved": start.macs - found.macs,
                "drop_points": found.drop,
                "kl": found.kl,
                "sqnr_db": found.sqnr,
                "sound": one.trial.sound,
            }
        )
    return entries


def budget_entry(result: SearchResult, test: dict[str, Any]) -> dict[str, Any]:
    """Describe step 3: what was required, what was found, everything tried; and what the test rows say of it.

    Parameters
    ----------
    result : SearchResult
        What the search found.
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
    >>> import numpy as np
    >>> from npquant.budget.requirements import Budget
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> from npquant.budget.search import search_budget
    >>> model = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))
    >>> found = search_budget(model, (np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)), Budget(), bits=4)
    >>> for shown in (False, True):
    ...     entry = budget_entry(found, {"larger_drop_shown": shown})
    ...     print(entry["met"], entry["failing"])
    True []
    False ['test_drop']
    """
    found, budget = result.found, result.budget
    allowed = allowed_rows(budget.max_drop, found.rows)
    refuted = test["larger_drop_shown"]
    front = pareto(result.frontier)
    return {
        **asdict(budget),
        "met": result.met and not refuted,
        "failing": [*result.failing, *(["test_drop"] if refuted else [])],
        "verdict": result.verdict.split("\n"),
        "allowed_rows": allowed,
        "drop": drop_entry(found),
        "thresholds": asdict(result.thresholds),
        "larger_drop_shown": shows_larger_drop(found.b, found.c, allowed),
        "kl_at_4_bits": result.outcome.kl_at_4_bits,
        "two_bits_searched": result.outcome.low_widths,
        "nearest": _named(result, result.nearest, front),
        "bolder": _named(result, result.bolder, front),
        "sensitivity": sensitivity_entries(result),
        "frontier": [trial_entry(trial, on_front=on) for trial, on in zip(result.frontier, front, strict=True)],
        "test": test,
    }


def _named(result: SearchResult, wanted: Trial | None, front: tuple[bool, ...]) -> dict[str, Any] | None:
    """Describe one candidate of the frontier, if there is such."""
    pairs = zip(result.frontier, front, strict=True)
    return next((trial_entry(trial, on_front=on) for trial, on in pairs if trial is wanted), None)
