"""What the report says of step 3: what was required, what was found, everything that was tried, and what was decided.

Legend: result of a search; trial one of its candidates; decision of its network, on validation and test rows, a drop
each.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from npquant.budget.decision import Decision, PairedDrop
from npquant.budget.greedy_search import pareto
from npquant.budget.search import SearchResult
from npquant.budget.space import AXES, Trial


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
                "drop_points": found.drop,
                "kl": found.kl,
                "sqnr_db": found.sqnr,
                "sound": one.trial.sound,
            }
        )
    return entries


def budget_entry(result: SearchResult, decision: Decision) -> dict[str, Any]:
    """Describe step 3, "budget" of the report: what was required, found and tried, and what was decided."""
    front, drop = pareto(result.frontier), decision.validation
    return {
        **asdict(result.budget),
        "met": decision.met,
        "failing": decision.failing,
        "verdict": result.verdict.split("\n"),
        "allowed_rows": drop.allowed_rows,
        "drop": {"points": drop.points, **evidence_entry(drop)},
        "thresholds": asdict(result.thresholds),
        "larger_drop_shown": drop.larger_drop_shown,
        "kl_at_4_bits": result.outcome.kl_at_4_bits,
        "two_bits_searched": result.outcome.low_widths,
        "stopped": None if result.stopped is None else {**asdict(result.stopped), "reason": result.stopped.words},
        "nearest": _named(result, result.nearest, front),
        "bolder": _named(result, result.bolder, front),
        "sensitivity": sensitivity_entries(result),
        "frontier": [trial_entry(trial, on_front=on) for trial, on in zip(result.frontier, front, strict=True)],
        "test": None if decision.test is None else _test_entry(decision.test),
    }


def _test_entry(drop: PairedDrop) -> dict[str, Any]:
    """Describe what the test rows say."""
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
