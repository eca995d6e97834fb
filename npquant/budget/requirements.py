"""What step 3 must meet, and when a candidate meets it; of real targets with `rise`.

G1 (drop)         b - c <= allowed = floor(max_drop * R / 100) rows
G3 (expected)     expected drop = 50 * KL points, which may be max_drop, or half a row of R where that is more
G5 (low widths)   2 bits and ternary are worth a step where KL at 4 bits <= 0.002 * (the points that G3 allows)

Legend: rows R >= 1 validation rows, all different; b of them the float network alone gets right, c the candidate alone
(>= 0, b + c <= R); max_drop points of accuracy that may be lost, in [0, 100]; kl the divergence M2 of the candidate
from the float network, in nats; found a Measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import isfinite
from numbers import Real
from typing import Final, Literal

from npquant.budget.rise import RealMeasurement, RiseLimit, expected_share, read_rise, rise_holds
from npquant.measure.evaluate import Compared, Comparison

# On rows that chose nothing a nat of KL cost 29 to 51 points of accuracy (digits and MNIST, where a few rows do not
# decide; 8 to 2 bits, rates up to 0.7). The cautious end, since the rows that chose a candidate flatter it: with 40 the
# bundled digits lost 2.6 points of test accuracy where one was allowed.
POINTS_PER_NAT: Final = 50.0
# KL at 4 bits for each point that may be lost: up to it, 2 bits stay within about that point.
KL_FOR_LOW_WIDTHS: Final = 0.002
# The same of real targets: a tenth of the rise that may be expected.
SHARE_FOR_LOW_WIDTHS: Final = 0.1
# Points that may be lost where nothing is said.
DEFAULT_POINTS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a candidate is on the validation rows, and what it costs.

    >>> Measurement(b=3, c=1, rows=200, kl=0.01, n_bytes=900, macs=64, sqnr=20.0).drop
    1.0
    """

    b: int
    c: int
    rows: int
    kl: float
    n_bytes: int  # length of the file
    macs: int  # multiply-accumulates a row, by the layers' shapes (M1)
    sqnr: float  # T3 of the logits against the float network's, in dB; inf where they agree

    @property
    def drop(self) -> float:
        """Accuracy lost against the float network, in points; negative where it is gained."""
        return 100 * (self.b - self.c) / self.rows

    @property
    def divergence(self) -> float:
        """What orders candidates: KL."""
        return self.kl

    @property
    def loss(self) -> float:
        """What a missed budget's nearest candidate has least of: the drop."""
        return self.drop

    @property
    def in_words(self) -> str:
        """The divergence, for a sentence."""
        return f"KL {self.kl:.5f}"


Measured = Measurement | RealMeasurement


def measurement(found: Compared, sqnr: float, n_bytes: int, macs: int) -> Measured:
    """Put what two networks answered on the validation rows beside what the second costs.

    `sqnr`, `n_bytes` and `macs` as in Measurement.
    """
    if isinstance(found, Comparison):
        return Measurement(found.paired.b, found.paired.c, found.rows, found.kl, n_bytes, macs, sqnr)
    return RealMeasurement(found, n_bytes, macs, sqnr)


@dataclass(frozen=True, slots=True)
class Budget:
    """What must hold: accuracy on the validation rows, or RMSE, and optionally bytes, MACs and fidelity of the logits.

    Parameters
    ----------
    max_drop : float or None
        Points of accuracy that may be lost, in [0, 100]; None: 1. For classes alone.
    max_bytes, max_macs : int or None
        Upper limits for the file and for one row, >= 1; None: no limit.
    min_sqnr : float or None
        Lower limit in dB for the SQNR of the logits against the float network's, > 0; None: no limit.
    max_rmse_rise : float, str or None
        For real targets alone: how far the RMSE of each output may rise, >= 0: a number in the unit of the target, or a
        share of the float network's as in "5%"; None: 5 % of it, or 1 % of the spread of the target where that is more.

    Raises
    ------
    TypeError
        If a value is no real number.
    ValueError
        If a value lies outside its interval, NaN and infinity included, or a drop and a rise are both given.

    Examples
    --------
    >>> Budget(max_bytes=900).failing(Measurement(b=3, c=1, rows=270, kl=0.0, n_bytes=1000, macs=1, sqnr=20.0))
    ('max_bytes',)
    """

    max_drop: float | None = None
    max_bytes: int | None = None
    max_macs: int | None = None
    min_sqnr: float | None = None
    max_rmse_rise: float | str | None = None

    def __post_init__(self) -> None:
        """Check the intervals."""
        for name in ("max_drop", "max_bytes", "max_macs", "min_sqnr"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
                raise TypeError(f"{name} is {value!r}; give a number")
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise ValueError(f"max_drop is {self.max_drop}; give points of accuracy in [0, 100]")
        for name, limit in (("max_bytes", self.max_bytes), ("max_macs", self.max_macs)):
            if limit is not None and not (limit >= 1 and isfinite(limit)):
                raise ValueError(f"{name} is {limit}; give a limit of at least 1, or none")
        if self.min_sqnr is not None and not (self.min_sqnr > 0 and isfinite(self.min_sqnr)):
            raise ValueError(f"min_sqnr is {self.min_sqnr}; give decibels above 0, or none")
        read_rise(self.max_rmse_rise)
        if self.max_drop is not None and self.max_rmse_rise is not None:
            raise ValueError("max_drop is for classes and max_rmse_rise for real targets; drop one")

    @property
    def points(self) -> float:
        """Points of accuracy that may be lost: `max_drop`, or what goes without it."""
        return DEFAULT_POINTS if self.max_drop is None else self.max_drop

    @property
    def rise_limit(self) -> RiseLimit:
        """How far RMSE may rise: `max_rmse_rise`, or what goes without it."""
        return read_rise(self.max_rmse_rise)

    def of_kind(self, kind: Literal["classes", "real"]) -> Budget:
        """Return the budget as it is asked of classes or of real targets.

        Parameters
        ----------
        kind : {"classes", "real"}
            What the data's targets are.

        Returns
        -------
        Budget
            For classes `max_drop` is a number; for real targets it is None.

        Raises
        ------
        ValueError
            If what is asked is for the other kind.

        Examples
        --------
        >>> Budget(max_bytes=900).of_kind("classes").max_drop
        1.0
        """
        if kind == "real":
            if self.max_drop is not None:
                raise ValueError(
                    f"max_drop is {self.max_drop}, points of accuracy, but the targets are real: "
                    "give max_rmse_rise (--max-rmse-rise 5%)"
                )
            return self
        if self.max_rmse_rise is not None:
            raise ValueError(
                f"max_rmse_rise is {self.max_rmse_rise}, but the labels are classes: give max_drop (--max-drop 1)"
            )
        return replace(self, max_drop=self.points)

    @property
    def limited(self) -> bool:
        """Whether bytes or MACs have a limit: then the search stops where they are met, else where accuracy ends."""
        return self.max_bytes is not None or self.max_macs is not None

    def failing(self, found: Measured) -> tuple[str, ...]:
        """Name the requirements that a measurement misses, in the order accuracy or RMSE, bytes, MACs, SQNR.

        Parameters
        ----------
        found : Measurement or RealMeasurement
            Of a candidate, on the validation rows.

        Returns
        -------
        tuple of str
            Of "max_drop" (G1) or "max_rmse_rise", "max_bytes", "max_macs", "min_sqnr"; a value at its limit meets it.
            `decide` adds what the test rows say.

        Examples
        --------
        >>> Budget(min_sqnr=30.0).failing(Measurement(b=3, c=0, rows=270, kl=0.0, n_bytes=9, macs=1, sqnr=20.0))
        ('max_drop', 'min_sqnr')
        """
        holds = {
            "max_drop": not isinstance(found, Measurement) or accuracy_holds(found.b, found.c, found.rows, self.points),
            "max_rmse_rise": isinstance(found, Measurement) or rise_holds(found.errors, self.rise_limit),
            "max_bytes": self.max_bytes is None or found.n_bytes <= self.max_bytes,
            "max_macs": self.max_macs is None or found.macs <= self.max_macs,
            "min_sqnr": self.min_sqnr is None or found.sqnr >= self.min_sqnr,
        }
        return tuple(name for name, met in holds.items() if not met)

    def sound(self, found: Measured) -> bool:
        """Say whether accuracy or RMSE, and the SQNR, hold and can be expected to hold on new rows (G3).

        Parameters
        ----------
        found : Measurement or RealMeasurement
            Of a candidate, on the validation rows.

        Returns
        -------
        bool
            Whatever bytes and MACs are.

        Examples
        --------
        >>> Budget().sound(Measurement(b=0, c=0, rows=270, kl=0.05, n_bytes=1, macs=1, sqnr=9.0))
        False
        """
        if self.min_sqnr is not None and found.sqnr < self.min_sqnr:
            return False
        if isinstance(found, Measurement):
            return expected_to_hold(found, self.points)
        return rise_holds(found.errors, self.rise_limit) and expected_share(found.errors, self.rise_limit) <= 1

    def expectation(self, found: Measured) -> tuple[float, float]:
        """Return what a candidate lets expect to be lost on new rows, and what may be.

        Parameters
        ----------
        found : Measurement or RealMeasurement
            Of a candidate, on the validation rows.

        Returns
        -------
        tuple of float
            Both in points (G3); of real targets the expected rise as a share of the allowed one, and 1.

        Examples
        --------
        >>> Budget().expectation(Measurement(b=0, c=0, rows=270, kl=0.01, n_bytes=1, macs=1, sqnr=9.0))
        (0.5, 1.0)
        """
        if isinstance(found, Measurement):
            return POINTS_PER_NAT * found.kl, allowed_points(self.points, found.rows)
        return expected_share(found.errors, self.rise_limit), 1.0

    def low_widths_pay(self, at_4_bits: Measured) -> bool:
        """G5. Say whether 2 bits and ternary are worth steps from the start.

        Parameters
        ----------
        at_4_bits : Measurement or RealMeasurement
            Of 4 bits everywhere and nothing pruned, on the validation rows.

        Returns
        -------
        bool
            As `low_widths_pay`; of real targets, whether a tenth of the allowed rise is expected at most.

        Examples
        --------
        >>> Budget().low_widths_pay(Measurement(b=0, c=0, rows=270, kl=0.01, n_bytes=1, macs=1, sqnr=9.0))
        False
        """
        if isinstance(at_4_bits, Measurement):
            return low_widths_pay(at_4_bits.kl, self.points, at_4_bits.rows)
        return expected_share(at_4_bits.errors, self.rise_limit) <= SHARE_FOR_LOW_WIDTHS

    def excess(self, found: Measured) -> float:
        """Return by how much limits are missed.

        Parameters
        ----------
        found : Measurement or RealMeasurement
            Of a candidate, on the validation rows.

        Returns
        -------
        float
            The largest factor by which bytes, MACs or noise (in amplitude) miss their limits; 1 if none does.

        Examples
        --------
        >>> Budget(max_bytes=800).excess(Measurement(b=0, c=0, rows=9, kl=0.0, n_bytes=1000, macs=1, sqnr=20.0))
        1.25
        """
        factors = [1.0]
        if self.max_bytes is not None:
            factors.append(found.n_bytes / self.max_bytes)
        if self.max_macs is not None:
            factors.append(found.macs / self.max_macs)
        if self.min_sqnr is not None:
            # 10^300 at most: two of the largest ratios still compare, and none overflows float64.
            factors.append(10 ** min((self.min_sqnr - found.sqnr) / 20, 300.0))
        return max(factors)


def allowed_rows(max_drop: float, rows: int) -> int:
    """G1. allowed = floor(max_drop * R / 100): whole rows, rounded down, in [0, R]; R may be 0 here.

    `max_drop` is taken as the decimal number it is written as: 0.1 of 1000 rows is one row, although the float below
    that name is no tenth. ValueError or OverflowError if it is NaN or infinite.

    >>> allowed_rows(1.0, 270), allowed_rows(0.1, 1000)
    (2, 1)
    """
    return int(Fraction(repr(float(max_drop))) * rows // 100)


def accuracy_holds(b: int, c: int, rows: int, max_drop: float) -> bool:
    """G1. b - c <= allowed: no more rows are lost, those won taken off, than are allowed.

    >>> accuracy_holds(3, 1, 270, max_drop=1.0), accuracy_holds(4, 1, 270, max_drop=1.0)
    (True, False)
    """
    return b - c <= allowed_rows(max_drop, rows)


def allowed_points(max_drop: float, rows: int) -> float:
    """Return the points that KL may let expect: `max_drop`, or half a row, since fewer rows than one cannot be lost.

    >>> allowed_points(1.0, 200), allowed_points(0.0, 200)
    (1.0, 0.25)
    """
    return max(max_drop, 50 / rows)


def expected_to_hold(found: Measurement, max_drop: float) -> bool:
    """G3. 50 KL <= max(max_drop, 50 / R), and G1: whether a candidate is worth a step.

    A search that tries many candidates on a few hundred rows finds one that is right by luck. KL moves with every
    logit, so it does not have that luck: the two together keep on new rows what they show on the validation rows.

    >>> lucky, sound = (Measurement(b=0, c=0, rows=270, kl=kl, n_bytes=1, macs=1, sqnr=9.0) for kl in (0.05, 0.01))
    >>> expected_to_hold(lucky, 1.0), expected_to_hold(sound, 1.0)
    (False, True)
    """
    holds = accuracy_holds(found.b, found.c, found.rows, max_drop)
    return holds and POINTS_PER_NAT * found.kl <= allowed_points(max_drop, found.rows)


def low_widths_pay(kl_at_4_bits: float, max_drop: float, rows: int) -> bool:
    """G5. KL at 4 bits everywhere, nothing pruned (`kl_at_4_bits`) <= 0.002 * (points that G3 allows).

    Above, 2 bits were found to cost more than the point that may be lost.

    >>> low_widths_pay(0.0015, 1.0, 270), low_widths_pay(0.0015, 0.5, 270)
    (True, False)
    """
    return kl_at_4_bits <= KL_FOR_LOW_WIDTHS * allowed_points(max_drop, rows)
