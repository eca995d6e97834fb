"""The evidence of one set of rows on the rise of RMSE, output by output: test, interval, how they stand to the limit.

Legend: found two networks on the same rows; limit how far RMSE may rise. The values are in the unit of the targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from npquant.budget.rise import RiseLimit
from npquant.measure.real_targets import OutputPair, RealComparison, in_digits

SIGNIFICANCE: Final = 0.05


@dataclass(frozen=True, slots=True)
class OutputRise:
    """The rise of one output's RMSE, how sure that is, and how it stands to what is allowed."""

    before: float
    after: float
    rise: float
    spread: float  # of the targets
    allowed: float
    p: float  # two-sided: a rise or fall this large if there were none
    low: float  # ends of the 95 % interval of the rise
    high: float
    within: bool
    larger_rise_shown: bool  # one-sided, 5 % over all outputs

    @property
    def limit_lies(self) -> Literal["below", "inside", "above"]:
        """Where the limit lies to the interval: inside it, ends included, these rows cannot tell."""
        if self.allowed < self.low:
            return "below"
        return "above" if self.allowed > self.high else "inside"


@dataclass(frozen=True, slots=True)
class PairedRise:
    """The rise of RMSE on one set of rows, by output."""

    rows: int
    outputs: tuple[OutputRise, ...]
    limit: RiseLimit

    @property
    def within(self) -> bool:
        """Whether every output keeps the limit."""
        return all(one.within for one in self.outputs)

    @property
    def larger_rise_shown(self) -> bool:
        """Whether the paired test shows a larger rise of any output."""
        return any(one.larger_rise_shown for one in self.outputs)

    @property
    def worst(self) -> int:
        """The output that is nearest to its limit, or farthest beyond."""
        return max(range(len(self.outputs)), key=lambda c: _beyond(self.outputs[c]))

    @property
    def reason(self) -> str:
        """Errors, test and interval of the worst output in words, without a full stop."""
        one, number = self.outputs[self.worst], self.worst
        name = f"output {number} of {len(self.outputs)}, nearest to its limit: " if len(self.outputs) > 1 else ""
        against = f"{'within' if one.within else 'beyond'} the {in_digits(one.allowed, 3)} asked, {self.limit}"
        if not one.within:
            shown = "and the paired test shows" if one.larger_rise_shown else "but the paired test does not show"
            against += f", {shown} a larger rise"
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        p = "<.0001" if one.p < 0.0001 else f"{one.p:.4f}"
        return (
            f"{name}RMSE {in_digits(one.before)} before, {in_digits(one.after)} after, "
            f"{'up' if one.rise >= 0 else 'down'} {in_digits(abs(one.rise), 3)} ({rows}; p {p}), {against}; "
            f"95 % interval {in_digits(one.low, 3)} to {in_digits(one.high, 3)}: {_conclusion(one)}"
        )


def _beyond(one: OutputRise) -> float:
    return (one.rise - one.allowed) / one.spread


def _conclusion(one: OutputRise) -> str:
    if one.limit_lies == "inside":
        inside = f"the limit of {in_digits(one.allowed, 3)} lies inside it"
        return f"{inside}, near its end" if one.larger_rise_shown else f"{inside}, so these rows cannot tell"
    return f"all of it {'within' if one.limit_lies == 'above' else 'beyond'} the limit of {in_digits(one.allowed, 3)}"


def paired_rise(found: RealComparison, limit: RiseLimit) -> PairedRise:
    """Hold the errors of one set of rows to a limit.

    >>> pair = OutputPair(rows=100, before=1.0, after=1.2, spread=2.0, difference=0.7, largest=1.0, standard_error=0.1)
    >>> found = paired_rise(RealComparison(100, (pair,)), RiseLimit(of_rmse=0.05))
    >>> found.reason.partition(" asked")[0]
    'RMSE 1 before, 1.2 after, up 0.2 (100 rows; p 0.0482), beyond the 0.05'
    >>> found.within, found.larger_rise_shown, found.outputs[0].limit_lies
    (False, False, 'inside')
    """
    return PairedRise(found.rows, tuple(_output_rise(pair, limit, len(found.outputs)) for pair in found.outputs), limit)


def _output_rise(pair: OutputPair, limit: RiseLimit, outputs: int) -> OutputRise:
    allowed, (low, high) = limit.allowed(pair), pair.interval()
    # Several outputs are several chances to seem worse: each is asked at its share of the 5 %.
    shown = pair.p_above(allowed) < SIGNIFICANCE / outputs
    within = pair.rise <= allowed
    return OutputRise(
        pair.before, pair.after, pair.rise, pair.spread, allowed, pair.p, low, high, within, shown and not within
    )
