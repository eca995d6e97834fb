"""How long a wrong kernel lives: cases until it is found out.

Legend: profile the arithmetic, tier how hard, seed of everything drawn, can what the backend takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from npquant.arrays import Codes
from npquant.profiles.record import Profile
from npquant.testing.backend import Backend, Capabilities, capabilities_from, why_not_asked
from npquant.testing.case import Case, expected
from npquant.testing.golden import golden
from npquant.testing.judge import Finding, judge
from npquant.testing.trial import CLASSES, TIERS, class_cases


def trial_cases(profile: Profile, can: Capabilities, tier: str, seed: int) -> Iterator[Case]:
    """Yield what a tier asks, in an order that finds most bugs early: the golden set, then a case a class in turn."""
    yield from golden(profile, can)
    streams = [class_cases(module, profile, can, TIERS[tier], seed) for module in CLASSES]
    for turn in zip_longest(*streams):
        yield from (case for case in turn if case is not None)


def killed_by(
    backend: Backend, profile: Profile, cases: Iterable[Case], answer: Callable[[Case], Codes] = expected
) -> tuple[int, Finding | None]:
    """Return how many cases were asked until the first finding, and the finding; None if the backend lived.

    answer(case) is what is due; `functools.cache(expected)` works it out once for many backends.

    >>> import npquant
    >>> from functools import partial
    >>> from npquant.profiles import get
    >>> from npquant.testing import from_callable
    >>> backend, profile = from_callable(partial(npquant.linear, profile="ort"), profile="tflm"), get("tflm")
    >>> asked, finding = killed_by(backend, profile, golden(profile, capabilities_from(backend, profile)))
    >>> asked, finding.kind
    (1, 'gave a wrong code')
    """
    can = capabilities_from(backend, profile)
    asked = 0
    for case in cases:
        if why_not_asked(case, can):
            continue
        asked += 1
        finding, _ = judge(backend, case, answer)
        if finding is not None:
            return asked, finding
    return asked, None
