"""The parts of the report that real targets have in place of accuracy, agreement, KL and McNemar's test.

Legend: found what one network or two answered; drop the evidence of one set of rows; values by output, in the unit of
its target.
"""

from __future__ import annotations

from typing import Any

from npquant.budget.paired_rise import PairedRise
from npquant.budget.rise import RealMeasurement
from npquant.measure.real_targets import RealComparison, RealEvaluation


def errors_entry(found: RealEvaluation) -> dict[str, Any]:
    """Describe the errors of a network: "rmse" and "r2" by output, the number of "rows".

    >>> import numpy as np
    >>> from npquant.measure.real_targets import evaluate_real
    >>> errors_entry(evaluate_real(np.array([[0.5], [1.5]]), np.array([0.0, 2.0])))
    {'rmse': (0.5,), 'r2': (0.75,), 'rows': 2}
    """
    return {"rmse": found.rmse, "r2": found.r2, "rows": found.rows}


def real_comparison(found: RealComparison) -> dict[str, Any]:
    """Describe two networks on the same rows: how far they answer apart, and the paired test of their errors."""
    pairs = found.outputs
    low, high = zip(*(pair.interval() for pair in pairs), strict=True)
    return {
        "deviation": found.deviation,
        "largest_difference": [pair.largest for pair in pairs],
        "rmse_rise": [pair.rise for pair in pairs],
        "paired": {"p": [pair.p for pair in pairs], "low": low, "high": high},
    }


def measured_entry(found: RealMeasurement) -> dict[str, Any]:
    """Describe what a candidate loses."""
    return {"rmse_rise": [pair.rise for pair in found.errors.outputs], "deviation": found.errors.deviation}


def rise_entry(drop: PairedRise) -> dict[str, Any]:
    """Describe what one set of rows says of a limit: errors, test, interval and limit by output; all in words.

    >>> from npquant.budget.paired_rise import paired_rise
    >>> from npquant.budget.rise import RiseLimit
    >>> from npquant.measure.real_targets import OutputPair
    >>> pair = OutputPair(100, before=1.0, after=1.2, spread=2.0, difference=0.7, largest=1.0, standard_error=0.1)
    >>> entry = rise_entry(paired_rise(RealComparison(100, (pair,)), RiseLimit(absolute=0.25)))
    >>> entry["within"], entry["outputs"][0]["allowed"]
    (True, 0.25)
    """
    names = ("before", "after", "rise", "spread", "allowed", "p", "low", "high", "limit_lies", "within")
    return {
        "rows": drop.rows,
        "outputs": [{name: getattr(one, name) for name in names} for one in drop.outputs],
        "worst_output": drop.worst,
        "within": drop.within,
        "larger_rise_shown": drop.larger_rise_shown,
        "reason": drop.reason,
    }


def real_notes(report: dict[str, Any]) -> list[str]:
    """Say what the figures of a regression are."""
    rows = report["data"]["rows"]
    return [
        f"RMSE is in the unit of the target; R2 is 1 less the share of the targets' variance that is left, on the same "
        f"{rows['validation']:,} validation or {rows['test']:,} test rows."
    ]
