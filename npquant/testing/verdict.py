"""What a trial came to: which classes passed, what failed and why, and the exit code that says so.

Legend: a class is a case class; a row of input with its model counts as one case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from npquant.testing import backend as kinds
from npquant.testing.explain.counterexample import Counterexample
from npquant.testing.judge import Finding

CONFORMANT: Final = 0
NOT_CONFORMANT: Final = 1
KIT_FAILED: Final = 2
BACKEND_DIED: Final = 3
NOTHING_RAN: Final = 4
# Reasons that are named.
MOST_REASONS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class ClassResult:
    """One class of cases: how many were judged, how many not asked and why, and what was found."""

    name: str
    subject: str
    cases: int
    calls: int
    skipped: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether something ran and nothing was wrong."""
        return self.cases > 0 and not self.findings

    @property
    def state(self) -> str:
        """The result in a word or two: a class of which nothing was asked has not passed."""
        return "FAILED" if self.findings else "passed" if self.cases else "not asked"

    @property
    def why_not_asked(self) -> str:
        """Why cases were not asked, each reason with how many, the most frequent first; "" if all were."""
        ranked = sorted(self.skipped.items(), key=lambda item: -item[1])
        parts = [f"{reason} ({times:,})" for reason, times in ranked[:MOST_REASONS]]
        if len(ranked) > MOST_REASONS:
            parts.append(f"{len(ranked) - MOST_REASONS} more reasons")
        return "; ".join(parts) or ("" if self.cases else "no question of this class fits the backend")


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The judgement of one backend under one profile and tier.

    Parameters
    ----------
    backend, profile, tier : str
        Who was judged, by which arithmetic, how hard.
    seed : int
        Of everything drawn.
    classes : tuple of ClassResult
        In order.
    failures : tuple of Counterexample
        At most one a class; the first found comes first. Each is shrunk and explained when it is first looked into.
    seconds : float
        Wall clock.
    first_failure_after : int
        How many questions it took to the first failure, that one included; 0 where there is none.

    Examples
    --------
    >>> Verdict("mine", "ort", "smoke", 0, (), (), 0.0).exit_code
    4
    """

    backend: str
    profile: str
    tier: str
    seed: int
    classes: tuple[ClassResult, ...]
    failures: tuple[Counterexample, ...]
    seconds: float
    first_failure_after: int = field(default=0)

    @property
    def cases(self) -> int:
        """How many cases were judged: rows of input, each with its model."""
        return sum(result.cases for result in self.classes)

    @property
    def passed(self) -> bool:
        """Whether at least one case was judged and none was wrong."""
        return self.cases > 0 and not self.failures

    @property
    def exit_code(self) -> int:
        """0 conformant, 1 not, 3 the backend crashed or hung, 4 nothing ran; 2 belongs to a kit that fails itself."""
        if any(failure.kind in (kinds.CRASHED, kinds.HUNG) for failure in self.failures):
            return BACKEND_DIED
        if self.failures:
            return NOT_CONFORMANT
        return CONFORMANT if self.cases else NOTHING_RAN
