"""How often two profiles differ, and the first case where they do.

Legend: a and b two profiles, or their codes by sample, from `codes_under`, None where refused; a share in [0, 1] is a
part of the outputs that both give; profiles, samples and key are what is compared, on what, and by what.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from npquant.arrays import Int8
from npquant.profiles.record import Profile
from npquant.testing.samples import Sample, codes_under, exact_steps, ties_and_rails


@dataclass(frozen=True, slots=True)
class Separation:
    """Hold one accumulator on which two profiles differ."""

    acc: int
    sx: float
    sw: float
    sy: float
    zy: int  # output zero point, an int8 code, as are the two answers
    a: int
    b: int

    @property
    def exact(self) -> Fraction:
        """The exact value that both rounded, in output steps."""
        return exact_steps(self.acc, self.sx, self.sw, self.sy)

    def __str__(self) -> str:
        value = float(self.exact)
        return (
            f"acc {self.acc}, sx {self.sx:.9g}, sw {self.sw:.9g}, sy {self.sy:.9g}, zy {self.zy}: "
            f"{value:.10g} steps -> {self.a} and {self.b}"
        )


def alike(profiles: Sequence[Profile], key: Callable[[Profile], Hashable]) -> list[list[Profile]]:
    """Group the profiles that have one key, in order of first appearance."""
    groups: dict[Hashable, list[Profile]] = {}
    for profile in profiles:
        groups.setdefault(key(profile), []).append(profile)
    return list(groups.values())


def given_by_both(a: Sequence[Int8 | None], b: Sequence[Int8 | None]) -> list[tuple[Int8, Int8]]:
    """Pair the codes of the samples that neither profile refuses."""
    return [(one, two) for one, two in zip(a, b, strict=True) if one is not None and two is not None]


def share_of_differences(a: Sequence[Int8 | None], b: Sequence[Int8 | None]) -> float | None:
    """Return the share of outputs on which two profiles differ; None where there is no output that both give.

    >>> share_of_differences([np.int8([1, 2]), None], [np.int8([1, 3]), np.int8([0])])
    0.5
    """
    pairs = given_by_both(a, b)
    total = sum(one.size for one, _ in pairs)
    return sum(int((one != two).sum()) for one, two in pairs) / total if total else None


def difference_table(profiles: Sequence[Profile], samples: Sequence[Sample]) -> list[list[float | None]]:
    """Return the share of differing outputs for every pair of P profiles: (P, P), symmetric, 0 on the diagonal.

    >>> from npquant.profiles import get
    >>> tie = Sample(np.array([-5, 4]), 1.0, 0.5, 1.0, 0)
    >>> difference_table([get("npquant"), get("litert_ref_2025")], [tie])
    [[0.0, 0.5], [0.5, 0.0]]
    """
    codes = [[codes_under(profile, sample) for sample in samples] for profile in profiles]
    return [[share_of_differences(a, b) for b in codes] for a in codes]


def first_separation(a: Profile, b: Profile, *, rng: int | np.random.Generator = 0) -> Separation | None:
    """Find an accumulator on which two profiles differ, the one of least magnitude among those drawn from rng.

    None where about 40,000 cases beside ties and rails show no difference in requantization.

    >>> from npquant.profiles import get
    >>> print(first_separation(get("npquant"), get("tvm_tonearest")))
    acc -1, sx 0.125, sw 0.0625, sy 0.015625, zy 100: -0.5 steps -> 100 and 99
    """
    best: Separation | None = None
    for sample in ties_and_rails(np.random.default_rng(rng), 96, 400):
        for one, two in given_by_both([codes_under(a, sample)], [codes_under(b, sample)]):
            differing = np.flatnonzero(one != two)
            if differing.size == 0:
                continue
            at = differing[np.argmin(np.abs(sample.acc[differing]))]
            if best is None or abs(int(sample.acc[at])) < abs(best.acc):
                scales = (sample.sx, sample.sw, sample.sy)
                best = Separation(int(sample.acc[at]), *scales, sample.zy, int(one[at]), int(two[at]))
    return best
