"""What may be lost of a regression: how far RMSE may rise, and what a candidate's answers let expect of it.

A rise is allowed by output, in the unit of its target:

    allowed = max(a, s RMSE, t spread)      RMSE of the float network, spread of the targets, on the rows that judge

`max_rmse_rise` = 0.1 gives a = 0.1, "5%" gives s = 0.05; without one s = 0.05 and t = 0.01: where a float network
leaves less than a fifth of the spread, a hundredth of it is what eight bits of output and of hidden layers can hold.

A candidate whose answers lie delta apart from the float network's has, where delta knows nothing of the float network's
error, RMSE' = sqrt(RMSE^2 + mean delta^2): the rise that is expected on rows to come. On the rows that choose, a rise
may be smaller by luck; delta has no such luck. What may be expected is `allowed`, or what half a row more weighs, RMSE
/ (4 R).

Legend: found of the validation rows; limit how far RMSE may rise; R rows; outputs by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf, isfinite
from numbers import Real

from npquant.measure.real_targets import OutputPair, RealComparison


@dataclass(frozen=True, slots=True)
class RiseLimit:
    """How far the RMSE of each output may rise: the largest of three."""

    absolute: float = 0.0  # a, in the unit of the target
    of_rmse: float = 0.0  # s, a share
    of_spread: float = 0.0  # t, a share

    def allowed(self, pair: OutputPair) -> float:
        """Return the rise that one output may have."""
        return max(self.absolute, self.of_rmse * pair.before, self.of_spread * pair.spread)

    def __str__(self) -> str:
        """Say what is asked, in words."""
        if self.of_spread:
            return f"{100 * self.of_rmse:g} % of RMSE (or {100 * self.of_spread:g} % of the targets' spread)"
        return f"{100 * self.of_rmse:g} % of RMSE" if self.of_rmse else "in its unit"


def read_rise(asked: float | str | None) -> RiseLimit:
    """Read the `max_rmse_rise` that is `asked`: a number in the unit of the target, text such as "5%", or None.

    TypeError if it is neither, ValueError if it is negative or not finite, or text that is no number.

    >>> read_rise(0.1).absolute, read_rise("5%").of_rmse, read_rise(None).of_spread
    (0.1, 0.05, 0.01)
    """
    if asked is None:
        return RiseLimit(of_rmse=0.05, of_spread=0.01)
    if isinstance(asked, bool) or not isinstance(asked, Real | str):
        raise TypeError(f'max_rmse_rise is {asked!r}; give a number in the unit of the target, or a share as in "5%"')
    text = str(asked).strip()
    share = text.endswith("%")
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = inf
    if not (isfinite(value) and value >= 0):
        raise ValueError(
            f"max_rmse_rise is {asked}; give a number of at least 0 in the unit of the target, or a share as in 5%"
        )
    return RiseLimit(of_rmse=value / 100) if share else RiseLimit(absolute=value)


@dataclass(frozen=True, slots=True)
class RealMeasurement:
    """What a candidate of a regression is on the validation rows, and what it costs."""

    errors: RealComparison
    n_bytes: int  # length of the file
    macs: int  # multiply-accumulates a row, by the layers' shapes (M1)
    sqnr: float  # T3 of the outputs, less the targets' mean and over their spread, in dB; inf where they agree

    @property
    def rows(self) -> int:
        """R."""
        return self.errors.rows

    @property
    def divergence(self) -> float:
        """What orders candidates: the mean over outputs of (difference / spread)^2."""
        return self.errors.divergence

    @property
    def loss(self) -> float:
        """The largest rise of any output, as a share of its spread; negative where all fall."""
        return max(pair.rise / pair.spread for pair in self.errors.outputs)

    @property
    def in_words(self) -> str:
        """The divergence, for a sentence: its root as a share of the spread."""
        return f"deviation {100 * self.errors.deviation:.2f} % of the spread"


def rise_holds(found: RealComparison, limit: RiseLimit) -> bool:
    """Whether no output's RMSE rises by more than it may."""
    return all(pair.rise <= limit.allowed(pair) for pair in found.outputs)


def expected_share(found: RealComparison, limit: RiseLimit) -> float:
    """Return the expected rise as a share of what may be expected: of the output that has the largest.

    >>> pair = OutputPair(rows=100, before=1.0, after=1.0, spread=2.0, difference=0.75, largest=1.0, standard_error=0.1)
    >>> expected_share(RealComparison(100, (pair,)), RiseLimit(absolute=0.5))
    0.5
    """
    shares = []
    for pair in found.outputs:
        expected = hypot(pair.before, pair.difference) - pair.before
        room = max(limit.allowed(pair), pair.before / (4 * pair.rows))
        shares.append(expected / room if room else inf if expected else 0.0)
    return max(shares)
