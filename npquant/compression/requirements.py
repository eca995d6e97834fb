"""What step 3 must meet, and when a candidate meets it.

G1 (drop)         drop = b - c rows; allowed = floor(max_drop * R / 100) rows
G2 (shown)        P(Binomial(b - allowed + c, 1/2) >= b - allowed) < 0.05: the paired test shows a larger drop

G3 (expected)     expected drop = 50 * KL points, at least half a row of R

Letters: R validation rows; b rows that the float network alone gets right, c rows that the candidate alone gets right.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Final

SIGNIFICANCE: Final = Fraction(1, 20)
# On digits and MNIST at 2 and 3 bits a nat of KL cost 20 to 55 points of accuracy, about 30 as a rule: 50 is cautious.
POINTS_PER_NAT: Final = 50.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a candidate is on the validation rows (b, c, rows, kl), and what it costs."""

    b: int
    c: int
    rows: int
    kl: float
    n_bytes: int
    macs: int

    @property
    def drop(self) -> float:
        """Accuracy lost against the float network, in points; negative where it is gained."""
        return 100 * (self.b - self.c) / self.rows


@dataclass(frozen=True, slots=True)
class Requirements:
    """What must hold: accuracy on the validation rows, and optionally bytes and MACs.

    Parameters
    ----------
    max_drop : float
        Points of accuracy, in [0, 100].
    max_bytes, max_macs : int or None
        Upper limits, >= 1; None: no limit.

    Raises
    ------
    ValueError
        If a value lies outside its interval.
    """

    max_drop: float
    max_bytes: int | None = None
    max_macs: int | None = None

    def __post_init__(self) -> None:
        """Check the intervals, NaN included."""
        if not 0 <= self.max_drop <= 100:
            raise ValueError(f"max_drop is {self.max_drop}; give points of accuracy in [0, 100]")
        for name in ("max_bytes", "max_macs"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} is {limit}; give a limit of at least 1, or none")

    def failing(self, found: Measurement) -> tuple[str, ...]:
        """Name the requirements that a measurement misses, in the order accuracy, bytes, MACs."""
        names = [] if accuracy_holds(found, self.max_drop) else ["max_drop"]
        if self.max_bytes is not None and found.n_bytes > self.max_bytes:
            names.append("max_bytes")
        if self.max_macs is not None and found.macs > self.max_macs:
            names.append("max_macs")
        return tuple(names)


def allowed_rows(max_drop: float, rows: int) -> int:
    """Count the rows that may be lost.

    Parameters
    ----------
    max_drop : float
        Points of accuracy, in [0, 100].
    rows : int
        R, >= 0.

    Returns
    -------
    int
        G1, in [0, R]: whole rows, rounded down.

    Raises
    ------
    ValueError, OverflowError
        If `max_drop` is NaN or infinite.

    Notes
    -----
    `max_drop` is taken as the decimal number it is written as: 0.1 of 1000 rows is one row, although the float below
    that name is no tenth.

    Examples
    --------
    >>> allowed_rows(1.0, 270), allowed_rows(0.1, 1000)
    (2, 1)
    """
    return int(Fraction(repr(float(max_drop))) * rows // 100)


def shows_larger_drop(b: int, c: int, allowed: int) -> bool:
    """Decide whether a paired one-sided test shows that more rows are lost than allowed.

    Parameters
    ----------
    b, c : int
        Rows that the float network alone, and the candidate alone, gets right.
    allowed : int
        Rows that may be lost, >= 0.

    Returns
    -------
    bool
        G2, in exact integers.

    Notes
    -----
    McNemar's exact test after taking the allowed rows from b. It can be True only where b - c > allowed, so it
    separates a drop that is evidence from one that a few rows may have made.

    Examples
    --------
    >>> shows_larger_drop(4, 1, 2), shows_larger_drop(12, 1, 2)
    (False, True)
    """
    excess = max(b - allowed, 0)
    n = excess + c
    return sum(comb(n, i) for i in range(c + 1)) < SIGNIFICANCE * (1 << n)


def accuracy_holds(found: Measurement, max_drop: float) -> bool:
    """Decide whether a candidate's accuracy is acceptable.

    Parameters
    ----------
    found : Measurement
        On the validation rows.
    max_drop : float
        Points.

    Returns
    -------
    bool
        b - c <= allowed (G1), and the paired test does not show a larger drop (G2).

    Examples
    --------
    >>> accuracy_holds(Measurement(b=3, c=1, rows=270, kl=0.0, n_bytes=1, macs=1), 1.0)
    True
    """
    allowed = allowed_rows(max_drop, found.rows)
    return found.b - found.c <= allowed and not shows_larger_drop(found.b, found.c, allowed)


def expected_to_hold(found: Measurement, max_drop: float) -> bool:
    """Decide whether a candidate is worth a step: its accuracy holds, and so does what its KL lets expect.

    Parameters
    ----------
    found : Measurement
        On the validation rows.
    max_drop : float
        Points.

    Returns
    -------
    bool
        `accuracy_holds`, and G3 <= max(max_drop, half a row).

    Notes
    -----
    A search that tries many candidates on a few hundred rows finds one that is right by luck. KL moves with every
    logit, so it does not have that luck: the two together keep on new rows what they show on the validation rows.

    Examples
    --------
    >>> lucky, sound = (Measurement(b=0, c=0, rows=270, kl=kl, n_bytes=1, macs=1) for kl in (0.05, 0.01))
    >>> expected_to_hold(lucky, 1.0), expected_to_hold(sound, 1.0)
    (False, True)
    """
    return accuracy_holds(found, max_drop) and POINTS_PER_NAT * found.kl <= max(max_drop, 50 / found.rows)
