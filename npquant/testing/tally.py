"""The book that a trial keeps: what was asked in each class, what came of it, and when to stop asking.

Legend: subject the backend on trial, can what it takes; a row of input with its model counts as one case.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import ModuleType
from typing import Final

from npquant.testing import backend as kinds
from npquant.testing.backend import Backend, Capabilities, Outcome, why_not_asked
from npquant.testing.case import Case
from npquant.testing.explain.shrink import Observation, observed
from npquant.testing.judge import Finding, judge
from npquant.testing.verdict import ClassResult

# Findings that are kept a class, and cases after the first of them that are still asked, so that a diagnosis has both.
MOST_FINDINGS: Final = 8
CASES_AFTER_A_FINDING: Final = 24
# Answers that are kept for a diagnosis; beyond these only wrong ones are.
MOST_KEPT: Final = 2_000
OUT_OF_TIME: Final = "out of time"


class Tally:
    """What one class has come to so far."""

    def __init__(self, name: str, subject: str) -> None:
        self.name, self.subject = name, subject
        self.cases = self.calls = self.after = 0
        self.skipped: dict[str, int] = {}
        self.findings: list[Finding] = []

    @property
    def full(self) -> bool:
        """Whether no more need be asked: enough was found, or the backend dies of it."""
        died = bool(self.findings) and self.findings[0].kind in (kinds.CRASHED, kinds.HUNG)
        return died or len(self.findings) >= MOST_FINDINGS or self.after > CASES_AFTER_A_FINDING

    def skip(self, reason: str) -> None:
        """Count a case that was not asked."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def count(self, case: Case, finding: Finding | None) -> None:
        """Count a case that was judged."""
        self.calls += 1
        self.cases += max(1, len(case.x_q))
        if finding is not None and len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        self.after += bool(self.findings)

    def result(self) -> ClassResult:
        """Return what the class came to."""
        return ClassResult(self.name, self.subject, self.cases, self.calls, self.skipped, tuple(self.findings))


class Book:
    """All that was put to one backend: by class, and in the order of asking."""

    def __init__(self, classes: Iterable[ModuleType], seconds: float | None) -> None:
        self.tallies = {module.NAME: Tally(module.NAME, module.SUBJECT) for module in classes}
        self.asked: list[Observation] = []
        # The first finding of each class, in the order in which they were met, and how much had been asked by then.
        self.failures: list[tuple[Finding, int]] = []
        self.calls = self.first_failure_after = 0
        self.deadline = None if seconds is None else time.perf_counter() + seconds

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return self.deadline is not None and time.perf_counter() > self.deadline

    def put(self, subject: Backend, can: Capabilities, cases: Iterable[Case]) -> None:
        """Put cases to a backend, each for its own class, until the time is up; a class that is full gets no more."""
        for case in cases:
            tally = self.tallies[case.group]
            if self.late:
                tally.skip(OUT_OF_TIME)
                return
            if not tally.full:
                self._put(subject, can, case, tally)

    def _put(self, subject: Backend, can: Capabilities, case: Case, tally: Tally) -> None:
        reason = why_not_asked(case, can)
        if reason:
            tally.skip(reason)
            return
        finding, outcome = judge(subject, case)
        self.note(case, outcome, finding)

    def note(self, case: Case, outcome: Outcome, finding: Finding | None) -> None:
        """Write down what came of a case, and what was wrong with it."""
        tally = self.tallies[case.group]
        if len(self.asked) < MOST_KEPT or (finding is not None and not tally.full):
            self.asked.append(observed(case, outcome, finding))
        if outcome.kind == kinds.DECLINED:
            tally.skip(outcome.detail or kinds.DECLINED)
            return
        self.calls += 1
        if finding is not None and not tally.findings:
            self.failures.append((finding, len(self.asked)))
            self.first_failure_after = self.first_failure_after or self.calls
        tally.count(case, finding)
