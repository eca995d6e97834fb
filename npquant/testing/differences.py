"""How often two profiles differ, and the first case where they do.

Legend: R samples' accumulators, a and b two profiles; share in parts of the outputs that both give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.profiles.record import Profile
from npquant.testing.samples import Sample, codes_under, extremes, near_ties


@dataclass(frozen=True, slots=True)
class Separation:
    """Hold one accumulator on which two profiles differ.

    Parameters
    ----------
    acc : int
        Accumulator.
    sx, sw, sy : float
        Scales.
    zy : int
        Output zero point, as an int8 code.
    a, b : int
        The two answers, as int8 codes.

    Examples
    --------
    >>> Separation(-5, 1.0, 0.5, 1.0, 0, -2, -3).exact
    Fraction(-5, 2)
    """

    acc: int
    sx: float
    sw: float
    sy: float
    zy: int
    a: int
    b: int

    @property
    def exact(self) -> Fraction:
        """The exact value acc sx sw / sy that both rounded."""
        return Fraction(self.acc) * Fraction(self.sx) * Fraction(self.sw) / Fraction(self.sy)

    def __str__(self) -> str:
        value = float(self.exact)
        return (
            f"acc {self.acc}, sx {self.sx:.9g}, sw {self.sw:.9g}, sy {self.sy:.9g}, zy {self.zy}: "
            f"{value:.10g} steps -> {self.a} and {self.b}"
        )


def share_of_differences(
    a: Sequence[NDArray[np.integer] | None], b: Sequence[NDArray[np.integer] | None]
) -> float | None:
    """Return the share of outputs on which two profiles differ.

    Parameters
    ----------
    a, b : sequence of ndarray or None
        Codes by sample, from `codes_under`.

    Returns
    -------
    float or None
        In [0, 1], over the samples that neither refuses; None where there is none.

    Examples
    --------
    >>> share_of_differences([np.array([1, 2]), None], [np.array([1, 3]), np.array([0])])
    0.5
    """
    pairs = [(one, two) for one, two in zip(a, b, strict=True) if one is not None and two is not None]
    total = sum(one.size for one, _ in pairs)
    return sum(int((one != two).sum()) for one, two in pairs) / total if total else None


def difference_table(profiles: Sequence[Profile], samples: Sequence[Sample]) -> list[list[float | None]]:
    """Return the share of differing outputs for every pair of profiles.

    Parameters
    ----------
    profiles : sequence of Profile
        P of them.
    samples : sequence of Sample
        What to requantize.

    Returns
    -------
    list of list
        (P, P), symmetric, 0 on the diagonal.

    Examples
    --------
    >>> from npquant.profiles import get
    >>> tie = Sample(np.array([-5, 4]), 1.0, 0.5, 1.0, 0)
    >>> difference_table([get("npquant"), get("litert_ref_2025")], [tie])
    [[0.0, 0.5], [0.5, 0.0]]
    """
    codes = [[_narrow(codes_under(profile, sample)) for sample in samples] for profile in profiles]
    return [[share_of_differences(a, b) for b in codes] for a in codes]


def _narrow(codes: Int64 | None) -> NDArray[np.int8] | None:
    """Hold codes, which lie in [-128, 127], in an eighth of the memory."""
    return None if codes is None else codes.astype(np.int8)


def first_separation(a: Profile, b: Profile, *, rng: int | np.random.Generator = 0) -> Separation | None:
    """Find an accumulator on which two profiles differ, the one of least magnitude among those tried.

    Parameters
    ----------
    a, b : Profile
        Two profiles.
    rng : int or Generator
        Source of the cases.

    Returns
    -------
    Separation or None
        None where about 40,000 cases beside ties and rails show no difference in requantization.

    Examples
    --------
    >>> from npquant.profiles import get
    >>> found = first_separation(get("npquant"), get("litert_ref_2025"))
    >>> found.a != found.b
    True
    """
    best: Separation | None = None
    for sample in [*near_ties(np.random.default_rng(rng), 96, 400), *extremes()]:
        one, two = codes_under(a, sample), codes_under(b, sample)
        if one is None or two is None:
            continue
        differing = np.flatnonzero(one != two)
        if differing.size == 0:
            continue
        at = differing[np.argmin(np.abs(sample.acc[differing]))]
        if best is None or abs(int(sample.acc[at])) < abs(best.acc):
            scales = (sample.sx, sample.sw, sample.sy)
            best = Separation(int(sample.acc[at]), *scales, sample.zy, int(one[at]), int(two[at]))
    return best
