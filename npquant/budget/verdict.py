"""What a search says in words: what was found, how sure that is, and what is missed.

Letters: R validation rows; b rows lost, that the float network alone gets right, and c rows won.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from npquant.budget.requirements import Budget, Measurement, allowed_rows
from npquant.budget.threshold_search import Outcome
from npquant.measure.statistics import paired_interval

MISSES: Final = MappingProxyType(
    {
        "max_drop": "the drop of validation accuracy",
        "max_bytes": "the size of deployed.npz",
        "max_macs": "the multiply-accumulates a row",
        "min_sqnr": "the SQNR of the logits",
        "test_drop": "the test rows show a larger drop",
    }
)


def describe_drop(found: Measurement, max_drop: float) -> str:
    """Say how many rows are lost, and how sure that is.

    Parameters
    ----------
    found : Measurement
        On the validation rows.
    max_drop : float
        Points.

    Returns
    -------
    str
        Without a full stop.

    Examples
    --------
    >>> print(describe_drop(Measurement(b=3, c=1, rows=270, kl=0.0, n_bytes=1, macs=1, sqnr=9.0), 1.0))
    3 of 270 validation rows lost and 1 won: 0.74 points lost, 95 % interval -0.87 to 2.34; allowed 1, or 2 rows
    """
    low, high = paired_interval(found.b, found.c, found.rows)
    return (
        f"{found.b:,} of {found.rows:,} validation rows lost and {found.c:,} won: {found.drop:.2f} points lost, "
        f"95 % interval {100 * low:.2f} to {100 * high:.2f}; allowed {max_drop:g}, or "
        f"{allowed_rows(max_drop, found.rows):,} rows"
    )


def describe(outcome: Outcome, budget: Budget) -> str:
    """Say what a search found.

    Parameters
    ----------
    outcome : Outcome
        What it found.
    budget : Budget
        What was asked.

    Returns
    -------
    str
        One line for the verdict, one for the accuracy, one for the network; one for the nearest point of a missed
        budget, and one for a smaller network that met it by luck, if there are such.

    Examples
    --------
    >>> from npquant.budget.space import Thresholds, Trial
    >>> found = Measurement(b=1, c=0, rows=270, kl=0.001, n_bytes=900, macs=64, sqnr=25.0)
    >>> trial = Trial(Thresholds((4,), (), ()), found, ("max_bytes",), True, "walk")
    >>> print(describe(Outcome(trial, trial, (trial,), (), trial, None, True), Budget(max_bytes=800)))
    missed: the size of deployed.npz
    1 of 270 validation rows lost and 0 won: 0.37 points lost, 95 % interval -0.65 to 1.39; allowed 1, or 2 rows
    chosen: 900 bytes, 64 MACs, KL 0.00100, SQNR 25.0 dB, weight bits 4
    nearest: 900 bytes, 64 MACs, KL 0.00100, SQNR 25.0 dB, weight bits 4
    """
    chosen = outcome.chosen
    missed = " and ".join(MISSES[name] for name in chosen.failing)
    lines = [f"missed: {missed}" if missed else "met", describe_drop(chosen.found, budget.max_drop)]
    others = (("nearest", outcome.nearest), ("smaller by luck", outcome.bolder))
    for name, trial in [("chosen", chosen), *((name, trial) for name, trial in others if trial is not None)]:
        found, made = trial.found, trial.thresholds
        parts = [("weight bits", made.bits), ("rates", made.rates), ("activation bits", made.activation_bits)]
        with_what = ", ".join(f"{what} {'/'.join(map(str, values))}" for what, values in parts if values)
        lines.append(
            f"{name}: {found.n_bytes:,} bytes, {found.macs:,} MACs, KL {found.kl:.5f}, SQNR {found.sqnr:.1f} dB, "
            f"{with_what}"
        )
    return "\n".join(lines)
