"""What a network answers on rows with real targets, and how two networks' errors differ: RMSE, R2, a paired test.

Legend: R rows, C outputs; logits (R, C) what is called the outputs of any network, y (R, C) targets, e = logits - y,
all real values in the unit of the target; the spread of an output is the standard deviation of its targets on the same
rows, 1 where they are all alike; reference and candidate what two networks answer on the same rows.

RMSE = sqrt(mean e^2) by output.  R2 = 1 - mean e^2 / spread^2 by output, 0 for the rows' own mean; none where y is
constant.  Of two networks RMSE' - RMSE has, to first order, the sample variance of e'^2 / (2 RMSE') - e^2 / (2 RMSE)
over R: rows on which both err alike add nothing to it. That is the paired test of Diebold and Mariano, Journal of
Business & Economic Statistics 13 (1995), for squared errors, taken to the unit of the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.measure.statistics import half_width, sqnr_db


@dataclass(frozen=True, slots=True, eq=False)
class RealEvaluation:
    """A network's answers on rows whose targets are real."""

    logits: Float64  # (R, C)
    y: Float64  # (R, C)

    @property
    def rows(self) -> int:
        """R."""
        return len(self.y)

    @property
    def rmse(self) -> tuple[float, ...]:
        """Root of the mean squared error, by output."""
        return tuple(_root_mean_square(e) for e in (self.logits - self.y).T)

    @property
    def spread(self) -> tuple[float, ...]:
        """Standard deviation of the targets, by output; 1 where it is 0."""
        return tuple(float(d) or 1.0 for d in self.y.std(axis=0))

    @property
    def r2(self) -> tuple[float | None, ...]:
        """Share of the targets' variance that the network explains, by output; None where they have none."""
        varies = self.y.std(axis=0) > 0
        pairs = zip(self.rmse, self.spread, varies, strict=True)
        return tuple(1 - (error / spread) ** 2 if vary else None for error, spread, vary in pairs)


@dataclass(frozen=True, slots=True)
class OutputPair:
    """How one output's errors differ between two networks, in the unit of its target."""

    rows: int
    before: float  # RMSE of the first network
    after: float  # RMSE of the second
    spread: float
    difference: float  # root mean square of what the second answers less the first
    largest: float  # difference on any row
    standard_error: float  # of `rise`; inf for a single row

    @property
    def rise(self) -> float:
        """RMSE of the second less that of the first."""
        return self.after - self.before

    @property
    def p(self) -> float:
        """Probability of a rise or fall this large, if there were none."""
        return 2 * _t_below(-abs(self._in_errors(0.0)), self._freedom)

    def p_above(self, limit: float) -> float:
        """Probability of a rise this large if it were `limit` in truth."""
        return _t_below(-self._in_errors(limit), self._freedom)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Bound the rise from both sides; no width where the networks err alike on every row."""
        if self.standard_error == 0:
            return self.rise, self.rise
        half = half_width(self.standard_error, self._freedom, confidence)
        return self.rise - half, self.rise + half

    @property
    def _freedom(self) -> int:
        return max(1, self.rows - 1)

    def _in_errors(self, limit: float) -> float:
        excess = self.rise - limit
        if self.standard_error == 0:
            return 0.0 if excess == 0 else inf if excess > 0 else -inf
        return excess / self.standard_error


@dataclass(frozen=True, slots=True)
class RealComparison:
    """Two networks on the same rows, output by output."""

    rows: int
    outputs: tuple[OutputPair, ...]

    @property
    def divergence(self) -> float:
        """Mean over outputs of (difference / spread)^2: what KL is for classes."""
        return sum((pair.difference / pair.spread) ** 2 for pair in self.outputs) / len(self.outputs)

    @property
    def deviation(self) -> float:
        """Root of the divergence: how far the answers lie apart, as a share of the spread of the targets."""
        return sqrt(self.divergence)


def evaluate_real(logits: NDArray[Any], y: NDArray[Any]) -> RealEvaluation:
    """Hold a network's outputs beside real targets (R,) or (R, C).

    ValueError if there are no rows, or the network has another number of outputs.

    >>> found = evaluate_real(np.array([[1.0], [3.0]]), np.array([1.0, 3.0]))
    >>> found.rmse, found.r2
    ((0.0,), (1.0,))
    """
    targets = np.asarray(y, np.float64).reshape(len(y), -1)
    if len(targets) == 0 or targets.shape != logits.shape:
        raise ValueError(
            f"the data has {targets.shape[1] if targets.size else 0} real targets a row, the network "
            f"{logits.shape[1]} outputs, on {len(targets)} and {len(logits)} rows: use matching ones"
        )
    return RealEvaluation(np.asarray(logits, np.float64), targets)


def compare_real(reference: RealEvaluation, candidate: RealEvaluation) -> RealComparison:
    """Compare two networks' errors row by row.

    >>> y = np.array([0.0, 1.0, 2.0])
    >>> one, two = evaluate_real(y[:, None] + 0.1, y), evaluate_real(y[:, None] - 0.2, y)
    >>> round(compare_real(one, two).outputs[0].rise, 3), round(compare_real(one, two).outputs[0].largest, 3)
    (0.1, 0.3)
    """
    pairs = tuple(
        _output_pair(reference.logits[:, c], candidate.logits[:, c], reference.y[:, c], spread)
        for c, spread in enumerate(reference.spread)
    )
    return RealComparison(reference.rows, pairs)


def _output_pair(one: Float64, two: Float64, y: Float64, spread: float) -> OutputPair:
    before, after = _root_mean_square(one - y), _root_mean_square(two - y)
    apart = np.abs(two - one)
    error = inf
    if len(y) > 1:
        # Of e^2 / (2 RMSE) = RMSE (e / RMSE)^2 / 2: no square leaves float64, whatever the unit.
        parts = [r / 2 * np.square((z - y) / (r or 1.0)) for z, r in ((one, before), (two, after))]
        error = float((parts[1] - parts[0]).std(ddof=1)) / sqrt(len(y))
    return OutputPair(len(y), before, after, spread, _root_mean_square(apart), float(apart.max()), error)


def outputs_sqnr(reference: RealEvaluation, candidate: RealEvaluation) -> float:
    """T3 of outputs less the mean of their targets, over the spread: no origin or unit of a target enters.

    >>> y = np.array([1000.0, 1002.0])
    >>> round(outputs_sqnr(evaluate_real(y[:, None], y), evaluate_real(y[:, None] + 0.1, y)), 6)
    20.0
    """
    o, d = reference.y.mean(axis=0), np.array(reference.spread)
    return sqnr_db((reference.logits - o) / d, (candidate.logits - o) / d)


def _root_mean_square(values: Float64) -> float:
    largest = float(np.abs(values).max())
    return largest * sqrt(float(np.mean(np.square(values / largest)))) if largest else 0.0


def _t_below(t: float, freedom: int) -> float:
    """P(T <= t) of Student's distribution; symmetric, so that a small tail is had without a difference from 1."""
    from scipy.special import stdtr

    return float(stdtr(freedom, t))


def in_digits(value: float, digits: int = 4) -> str:
    """Write a value in the unit of a target with so many significant digits, as people write such a number.

    >>> in_digits(12636.2), in_digits(0.0123456, 3), in_digits(-1e-9), in_digits(2.5e12, 2)
    ('12,640', '0.0123', '-1e-09', '2.5e+12')
    """
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e+" in text and abs(value) < 1e9 else text
