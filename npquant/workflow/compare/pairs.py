"""What several seeds say together: each method beside the first, paired by seed, with its interval.

A seed's network is easy or hard for all methods alike, so that their differences on it vary less than their figures.
Ratios are averaged as logarithms: geometric means. Of one seed there is no interval, and nothing is shown.

Legend: rows what test rows said, one a method, width and seed; first the method that others are held to; bits a width.
T4 stands in measure.statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, inf, isfinite, log
from typing import Any, Final

from npquant.compression.chain.weight_codes import Bits
from npquant.measure.statistics import mean_interval
from npquant.workflow.compare.trial import Row

# KL below this is rounding of the 8-bit logits; a ratio of such figures says nothing.
LEAST_DIVERGENCE: Final = 1e-5
AHEAD, BEHIND, OPEN = "ahead", "behind", "open"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds, and the ends of its 95 % interval (T4); infinite of one seed."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields; ends that are not known are None."""
        return {name: value if isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Pair:
    """A method beside the first at one width."""

    method: str
    bits: Bits
    divergence: Estimate  # its divergence over the first one's: below 1 it is nearer to the float network
    score: Estimate  # points of accuracy, or RMSE, more than the first has
    seconds: Estimate  # its time over the first one's

    @property
    def verdict(self) -> str:
        """Whether it is AHEAD of the first in divergence, BEHIND it, or neither is shown: OPEN."""
        return AHEAD if self.divergence.high < 1 else BEHIND if self.divergence.low > 1 else OPEN

    def to_json(self) -> dict[str, Any]:
        """Return the fields and the verdict, as JSON has them."""
        estimates = {name: getattr(self, name).to_json() for name in ("divergence", "score", "seconds")}
        return {"method": self.method, "bits": self.bits, "verdict": self.verdict, **estimates}


def pairs_of(rows: Sequence[Row]) -> tuple[Pair, ...]:
    """Pair every method with the first, that of the first row, at every width, by seed.

    >>> from npquant.workflow.compare.trial import Score
    >>> def row(method, seed, kl):
    ...     return Row(method, 2, seed, Score(90.0), Score(88.0), kl, 2, 0, 1.0)
    >>> (pair,) = pairs_of([row("a", 0, 0.1), row("a", 1, 0.2), row("b", 0, 0.2), row("b", 1, 0.4)])
    >>> round(pair.divergence.value, 9), pair.verdict
    (2.0, 'behind')
    """
    first = rows[0].method
    pairs = []
    for bits in dict.fromkeys(row.bits for row in rows):
        own = {row.seed: row for row in rows if (row.method, row.bits) == (first, bits)}
        for method in dict.fromkeys(row.method for row in rows if row.bits == bits and row.method != first):
            both = [(row, own[row.seed]) for row in rows if (row.method, row.bits) == (method, bits)]
            pairs.append(_pair(method, bits, both))
    return tuple(pairs)


def log_ratio(value: float, other: float, least: float = 0.0) -> float:
    """Return log(value / other), both at least `least`.

    >>> round(log_ratio(1e-9, 2e-5, 1e-5), 3)
    -0.693
    """
    return log(max(value, least) / max(other, least))


def _pair(method: str, bits: Bits, both: Sequence[tuple[Row, Row]]) -> Pair:
    divergence = [log_ratio(one.divergence, other.divergence, LEAST_DIVERGENCE) for one, other in both]
    # A clock may stand still for the length of a small layer: its tick is about a microsecond.
    seconds = [log_ratio(one.seconds, other.seconds, 1e-6) for one, other in both]
    score = [one.score.value - other.score.value for one, other in both]
    return Pair(method, bits, _geometric(divergence), Estimate(*mean_interval(score)), _geometric(seconds))


def _geometric(logs: Sequence[float]) -> Estimate:
    mean, low, high = mean_interval(logs)
    return Estimate(exp(mean), exp(low) if isfinite(low) else low, _exp(high))


def _exp(value: float) -> float:
    # The interval of two seeds may reach beyond float64.
    return exp(value) if value < 700 else inf
