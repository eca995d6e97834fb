"""What the report says of step 3: what was required, what was found, everything that was tried, and what was decided.

Legend: result of a search; trial one of its candidates; decision of its network, on validation and test rows, a drop
each.
"""

from __future__ import annotations

from dataclasses import asdict
from math import sqrt
from typing import Any

from npquant.budget.decision import Decision, PairedDrop
from npquant.budget.greedy_search import pareto
from npquant.budget.paired_rise import PairedRise
from npquant.budget.requirements import Measured, Measurement
from npquant.budget.search import SearchResult
from npquant.budget.space import AXES, Trial
from npquant.report.real_entries import measured_entry, rise_entry


def evidence_entry(drop: PairedDrop) -> dict[str, Any]:
    """Describe what one set of rows says of a limit: counts, p, the 95 % interval T2 in points, and all of it in words.

    >>> from npquant.budget.decision import paired_drop
    >>> entry = evidence_entry(paired_drop(3, 1, 200, 1.0))
    >>> entry["b"], entry["c"], entry["p"], round(entry["low"], 2), round(entry["high"], 2), entry["limit_lies"]
    (3, 1, 0.625, -1.18, 3.16, 'inside')
    """
    return {
        "rows": drop.rows,
        "b": drop.b,
        "c": drop.c,
        "p": drop.p,
        "low": drop.low,
        "high": drop.high,
        "limit_lies": drop.limit_lies,
        "reason": drop.reason,
    }


def trial_entry(trial: Trial, *, on_front: bool) -> dict[str, Any]:
    """Describe one candidate, an item of "frontier"; `on_front`: nothing tried is better in bytes, MACs and KL (G8).

    >>> from npquant.budget.requirements import Measurement
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
        **_lost(found),
        "sqnr_db": found.sqnr,
        "failing": trial.failing,
        "sound": trial.sound,
        "pareto": on_front,
        "phase": trial.phase,
    }


def _lost(found: Measured) -> dict[str, Any]:
    if isinstance(found, Measurement):
        return {"drop_points": found.drop, "b": found.b, "c": found.c, "kl": found.kl}
    return measured_entry(found)


def _lost_alone(found: Measured) -> dict[str, Any]:
    if isinstance(found, Measurement):
        return {"drop_points": found.drop, "kl": found.kl}
    return measured_entry(found)


def sensitivity_entries(result: SearchResult) -> list[dict[str, Any]]:
    """Describe what one axis alone saves and costs against the loosest candidate: one entry a level tried."""
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
                **_lost_alone(found),
                "sqnr_db": found.sqnr,
                "sound": one.trial.sound,
            }
        )
    return entries


def budget_entry(result: SearchResult, decision: Decision) -> dict[str, Any]:
    """Describe step 3, "budget" of the report: what was required, found and tried, and what was decided."""
    front = pareto(result.frontier)
    said, at_4_bits = _judged_entries(result, decision)
    return {
        **asdict(result.budget),
        "met": decision.met,
        "failing": decision.failing,
        "verdict": result.verdict.split("\n"),
        **said,
        "thresholds": asdict(result.thresholds),
        **at_4_bits,
        "method": {"taken": result.method, "choice": None if result.choice is None else result.choice.to_json()},
        "two_bits_searched": result.outcome.low_widths,
        "stopped": None if result.stopped is None else {**asdict(result.stopped), "reason": result.stopped.words},
        "nearest": _named(result, result.nearest, front),
        "bolder": _named(result, result.bolder, front),
        "sensitivity": sensitivity_entries(result),
        "frontier": [trial_entry(trial, on_front=on) for trial, on in zip(result.frontier, front, strict=True)],
        "test": None if decision.test is None else _test_entry(decision.test),
    }


def _judged_entries(result: SearchResult, decision: Decision) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe what the validation rows say, and what 4 bits everywhere lose."""
    drop, at_4_bits = decision.validation, result.outcome.kl_at_4_bits
    if isinstance(drop, PairedRise):
        deviation = None if at_4_bits is None else sqrt(at_4_bits)
        return {"rise": rise_entry(drop)}, {"deviation_at_4_bits": deviation}
    lost = {"points": drop.points, **evidence_entry(drop)}
    return (
        {"allowed_rows": drop.allowed_rows, "drop": lost},
        {"larger_drop_shown": drop.larger_drop_shown, "kl_at_4_bits": at_4_bits},
    )


def _test_entry(drop: PairedDrop | PairedRise) -> dict[str, Any]:
    """Describe what the test rows say."""
    if isinstance(drop, PairedRise):
        return rise_entry(drop)
    return {
        "drop_points": drop.points,
        "allowed_rows": drop.allowed_rows,
        "within": drop.within,
        "larger_drop_shown": drop.larger_drop_shown,
        **evidence_entry(drop),
    }


def _named(result: SearchResult, wanted: Trial | None, front: tuple[bool, ...]) -> dict[str, Any] | None:
    """Describe one candidate of the frontier, if there is such."""
    pairs = zip(result.frontier, front, strict=True)
    return next((trial_entry(trial, on_front=on) for trial, on in pairs if trial is wanted), None)
