"""The counterexample that a verdict holds, explained when it is first asked; and the same for one finding or one case.

Legend: found is the finding as the runner met it; asked all that was put to the backend in the run, in order, the first
`position` of them up to and with the finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from npquant.testing.backend import Backend
from npquant.testing.case import Case
from npquant.testing.explain import rendering
from npquant.testing.explain.diagnose import Diagnosis
from npquant.testing.explain.explanation import Explanation, explained
from npquant.testing.explain.pattern import Pattern
from npquant.testing.explain.shrink import Observation, shrink
from npquant.testing.explain.trace import Trace
from npquant.testing.judge import Finding, judge


@dataclass(frozen=True, eq=False)
class Counterexample:
    """What a backend got wrong, shrunk and explained when it is first asked for.

    Until then it costs nothing; `kind`, `group` and `found` never ask the backend.

    Parameters
    ----------
    backend : Backend
        Who was judged; asked again to shrink.
    found : Finding
        As the runner met it.
    asked : sequence of Observation
        All that was put to the backend in the same run, in order.
    position : int
        How many of these came up to and with the finding.
    tier : str
        Of the run, to make it again.
    seed : int
        Of the run.
    more : callable
        () -> cases that the backend may be asked yet, to tell apart the bugs that it may have.

    Examples
    --------
    >>> import npquant
    >>> from functools import partial
    >>> from npquant.testing import run
    >>> verdict = run(partial(npquant.linear, profile="tvm_upward"), profile="ort", tier="smoke")
    >>> failure = verdict.failures[0]
    >>> failure.case.elements, failure.kind, failure.diagnoses[0].complete
    (2, 'gave a wrong code', True)
    """

    backend: Backend
    found: Finding
    asked: Sequence[Observation] = ()
    position: int = 0
    tier: str = "standard"
    seed: int = 0
    more: Callable[[], Iterable[Case]] = tuple

    @property
    def kind(self) -> str:
        """What went wrong, in words: one of the constants of `npquant.testing.backend`."""
        return self.found.kind

    @property
    def group(self) -> str:
        """The class of cases that found it."""
        return self.found.case.group

    @cached_property
    def explanation(self) -> Explanation:
        """All that is known of it; shrinks and diagnoses at the first call, which takes about half a second."""
        return explained(self.backend, self.found, self.asked, self.position, self.tier, self.seed, self.more)

    @property
    def finding(self) -> Finding:
        """The shrunk finding."""
        return self.explanation.finding

    @property
    def case(self) -> Case:
        """The shrunk case."""
        return self.finding.case

    @property
    def before(self) -> tuple[Case, ...]:
        """The cases that must be asked first, where the backend keeps something from call to call."""
        return self.explanation.before

    @property
    def got(self) -> NDArray[Any] | None:
        """What the backend answers to the shrunk case, if it is an array."""
        return self.finding.got

    @property
    def want(self) -> NDArray[Any] | None:
        """What is due for the shrunk case; None where a refusal is."""
        return self.finding.want

    @property
    def index(self) -> tuple[int, ...]:
        """Where the first wrong code of the shrunk case stands."""
        return self.finding.index

    @property
    def detail(self) -> str:
        """More on the kind, such as the message of an exception."""
        return self.found.detail

    @property
    def trace(self) -> Trace | None:
        """The wrong output stage by stage; None where no code is wrong."""
        return self.explanation.trace

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """The known bugs and other profiles that reproduce everything seen, the likeliest first; perhaps none."""
        return self.explanation.diagnoses

    @property
    def pattern(self) -> Pattern:
        """What all wrong codes share and the right ones do not."""
        return self.explanation.pattern

    def text(self) -> str:
        """Return the report in seven parts.

        Returns
        -------
        str
            Headline with the case, stages, diagnosis, pattern, size, how to run it again, versions.
        """
        return rendering.text(self.explanation)

    def report(self) -> str:
        """Return the report in seven parts: another name of `text`.

        Returns
        -------
        str
            As of `text`.
        """
        return self.text()

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data.

        Returns
        -------
        dict
            What json.dumps takes, with the same seven parts.
        """
        return rendering.as_json(self.explanation)

    def script(self) -> str:
        """Return a Python script that asks a backend this one case.

        Returns
        -------
        str
            It needs NumPy and npquant; run it as `python case.py module:backend`.
        """
        return rendering.script(self.explanation)

    def c_snippet(self) -> str:
        """Return the case as C99 definitions.

        Returns
        -------
        str
            Operands, parameters and the codes that are due, for a test bench in C.
        """
        return rendering.c_snippet(self.explanation)


def explain(backend: Backend, finding: Finding) -> str:
    """Return the report on one finding of a backend, of which nothing else was seen."""
    return Counterexample(backend, finding).text()


def minimize(backend: Backend, case: Case) -> Finding | None:
    """Put a case to a backend and return its mistake on the simplest case found; None if it makes none."""
    finding, _ = judge(backend, case)
    return None if finding is None else shrink(backend, finding)
