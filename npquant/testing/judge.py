"""Was the answer right: one outcome against the one answer that the profile gives.

Legend: got and want (B, N) output codes; a finding is what is wrong with a backend on one case; answer(case) works out
what is due, or knows it from an earlier backend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.testing import backend as kinds
from npquant.testing.ask import ask
from npquant.testing.backend import Backend, Outcome
from npquant.testing.case import Case, expected


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One case that a backend got wrong: what it did, what was due, and where the first difference stands."""

    case: Case
    kind: str
    got: NDArray[Any] | None = None
    want: NDArray[Any] | None = None
    index: tuple[int, ...] = ()
    detail: str = ""

    @property
    def wrong(self) -> int:
        """How many codes differ; 0 where there is nothing to compare."""
        if self.got is None or self.want is None or self.got.shape != self.want.shape:
            return 0
        return int(np.count_nonzero(self.got != self.want))


def judge(
    backend: Backend, case: Case, answer: Callable[[Case], NDArray[Any]] = expected
) -> tuple[Finding | None, Outcome]:
    """Ask, and return what is wrong with the answer, None if nothing; and the outcome itself.

    An outcome of kind DECLINED is nobody's fault: the caller counts it. A case whose answer is wrong is asked once
    more: who answers otherwise then is flaky, and no replay could explain it."""
    outcome = ask(backend, case)
    finding = judged(case, outcome, answer)
    if finding is not None and finding.kind == kinds.WRONG_VALUE:
        again = ask(backend, case)
        same = again.value is not None and outcome.value is not None and np.array_equal(again.value, outcome.value)
        if not same:
            where = "the same question, asked twice on freshly prepared models, was answered in two ways"
            finding = Finding(case, kinds.FLAKY, finding.got, finding.want, finding.index, where)
    return finding, outcome


def judged(case: Case, outcome: Outcome, answer: Callable[[Case], NDArray[Any]] = expected) -> Finding | None:
    """Return what is wrong with one outcome of a case, None if nothing."""
    if outcome.kind == kinds.DECLINED:
        return None
    if case.status == "must_reject":
        if outcome.kind == kinds.REJECTED:
            return None
        kind = kinds.ACCEPTED if outcome.kind == kinds.VALUE else outcome.kind
        return Finding(case, kind, outcome.value, None, (), outcome.detail or ", ".join(case.tags))
    if case.status == "unpredictable" and outcome.kind in (kinds.VALUE, kinds.REJECTED):
        return None
    if outcome.kind != kinds.VALUE:
        return Finding(case, outcome.kind, outcome.value, answer(case), (), outcome.detail)
    want = answer(case)
    assert outcome.value is not None
    different = np.argwhere(outcome.value != want)
    if not len(different):
        return None
    index = tuple(int(i) for i in different[0])
    return Finding(case, kinds.WRONG_VALUE, outcome.value, want, index)
