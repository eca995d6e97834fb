"""The diagnosis: bugs of every group are named, no one is accused of what it does not do, and a state is found out."""

from collections import Counter
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles import get
from npquant.testing.adapters.callable import from_callable
from npquant.testing.ask import ask
from npquant.testing.backend import Outcome
from npquant.testing.bugs.catalogue import CATALOGUE, bug_named
from npquant.testing.case import one_layer
from npquant.testing.explain.counterexample import Counterexample
from npquant.testing.explain.diagnose import as_suspect, closest, diagnose, same, stateful_suspect
from npquant.testing.explain.shrink import Observation
from npquant.testing.judge import judge, judged
from npquant.testing.trial import named_first, run

UNIT = npquant.QuantParams(1.0, 0, -128, 127)
GROUPS = sorted({bug.group for bug in CATALOGUE})


@pytest.mark.parametrize("group", GROUPS)
def test_diagnose_names_bugs_of_every_group(group: str) -> None:
    """The first three bugs of a group that the smoke tier finds are named first, alone or with their equals."""
    said = (named_first(bug, get("ort"), "smoke") for bug in CATALOGUE if bug.group == group)
    found = list(islice((answer for answer in said if answer is not None), 3))
    assert all(found)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["ort", "tflite_ref", "fbgemm_pair16", "gemmini_f32"])
def test_diagnose_names_nine_bugs_of_ten(profile: str) -> None:
    """Of all bugs that are found at all."""
    said = [named_first(bug, get(profile)) for bug in CATALOGUE]
    found = [answer for answer in said if answer is not None]
    assert sum(found) >= 0.9 * len(found)
    assert len(found) > 100


def test_diagnose_names_another_profile() -> None:
    """A backend that computes as another engine is told so."""
    verdict = run(partial(npquant.linear, profile="tflite_single"), profile="tflite_ref")
    assert "profile.tflite_single" in {d.name for d in verdict.failures[0].diagnoses}


def test_diagnose_says_that_nothing_fits() -> None:
    """A mistake that nobody has made yet is not given a name; the closest are told, and do not reproduce all."""

    def odd(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        codes = npquant.linear(x_q, w_q, bias, profile="ort", **parameters)
        return np.where(codes % 7 == 3, codes ^ 4, codes)

    failure = run(odd, profile="ort").failures[0]
    assert failure.diagnoses == ()
    assert "no known bug" in failure.text()
    assert not any(near.complete for near in failure.explanation.closest)


def test_diagnose_needs_right_answers_too() -> None:
    """One wrong code is reproduced by many bugs; right ones beside it leave few."""
    p, half = npquant.QuantParams(1.0, 0, -128, 127), npquant.QuantParams(0.5, 0, -128, 127)
    zero = np.zeros((1, 1), np.int8)

    def seen(bias: int, code: int) -> Observation:
        case = one_layer(zero, zero, np.array([bias], np.int32), p, half, p, "ort")
        return Observation(case, Outcome("value", np.array([[code]], np.int8)))

    one = diagnose(get("ort"), [seen(3, 1)])
    both = diagnose(get("ort"), [seen(3, 1), seen(-3, -1), seen(8, 4), seen(5, 2), seen(-5, -2)])
    assert len(both) < len(one)
    assert "rounding.truncates_toward_zero" in {d.name for d in both}
    assert "rounding.floors" in {d.name for d in one} - {d.name for d in both}
    assert closest(get("ort"), []) == ()


def test_same_compares_kind_type_and_codes() -> None:
    """Outcomes differ by kind, by codes, by dtype, and by the type of an exception, not by its words."""
    a = Outcome("value", np.array([1], np.int8))
    assert same(a, Outcome("value", np.array([1], np.int8)))
    assert not same(a, Outcome("value", np.array([2], np.int8)))
    assert not same(a, Outcome("value", np.array([1], np.int32)))
    assert not same(a, Outcome("crashed"))
    assert same(
        Outcome("raised an exception", None, "KeyError: a"), Outcome("raised an exception", None, "KeyError: b")
    )
    assert not same(
        Outcome("raised an exception", None, "KeyError: a"), Outcome("raised an exception", None, "IndexError: a")
    )


STATEFUL = [bug for bug in CATALOGUE if bug.group == "state"]


@pytest.mark.parametrize("bug", STATEFUL, ids=[bug.name for bug in STATEFUL])
def test_a_state_is_shown_by_a_sequence_that_a_fresh_backend_repeats(bug: Any) -> None:
    """The shrunk case, after the calls that the report names, is wrong on a backend that has done nothing before."""
    verdict = run(bug.make(get("ort")), profile="ort", tier="smoke")
    if not verdict.failures:
        verdict = run(bug.make(get("ort")), profile="ort")
    failure = verdict.failures[0]
    assert bug.name in {d.name for d in failure.diagnoses}
    if stateful_suspect(failure.diagnoses[0].name, get("ort")) is None:
        return  # a mistake without a state reproduces all of it too, and is the simpler explanation
    fresh = as_suspect(bug_named(bug.name), get("ort")).make()
    for step in failure.before:
        ask(fresh, step)
    assert judged(failure.case, ask(fresh, failure.case)) is not None
    assert len(failure.before) <= 8


def test_run_of_a_right_backend_has_no_failures() -> None:
    """Nothing is shrunk, nothing is diagnosed."""
    backend = from_callable(partial(npquant.linear, profile="ort"), profile="ort")
    assert run(backend, tier="smoke").failures == ()


def test_diagnose_counts_no_question_that_was_declined() -> None:
    """A backend that answers one question and declines all others is judged by that one: it is not made smaller."""
    p, half = npquant.QuantParams(1.0, 0, -128, 127), npquant.QuantParams(0.5, 0, -128, 127)
    x_q = np.array([[3, 1]], np.int8)
    case = one_layer(x_q, x_q.T, np.array([1], np.int32), p, half, p, "ort")

    def once(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        asked = (x_q.ravel().tolist(), w_q.ravel().tolist(), None if bias is None else bias.tolist())
        scales = [float(parameters[role].scale) for role in "xwy"]
        if asked != ([3, 1], [3, 1], [1]) or scales != [1.0, 0.5, 1.0]:
            raise NotImplementedError("not this one")
        return np.array([[5]], np.int8)

    backend = from_callable(once, profile="ort")
    finding, _ = judge(backend, case)
    assert finding is not None
    told = Counterexample(backend, finding).explanation
    assert told.diagnoses[0].of < 10
    assert "rounding.truncates_toward_zero" in {d.name for d in told.diagnoses}


def test_diagnose_names_nobody_who_was_not_asked_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the time is up before every observation was replayed, whoever is left is not accused."""
    case = one_layer(np.ones((1, 1), np.int8), np.ones((1, 1), np.int8), None, UNIT, UNIT, UNIT, "ort")
    seen = [Observation(case, Outcome("value", np.array([[0]], np.int8)), "gave a wrong code")]
    assert diagnose(get("ort"), seen)
    monkeypatch.setattr("npquant.testing.explain.diagnose.MOST_SECONDS", -1.0)
    assert diagnose(get("ort"), seen) == ()


def test_diagnose_asks_few_suspects_a_large_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake that needs 33,000 inputs: small layers, right ones of other classes among them,
    rule out most suspects before one computes such a layer; none is named."""

    def counts_in_15_bits(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        kept = len(w_q) if len(w_q) < 2**15 else 0
        return npquant.linear(x_q[:, :kept], w_q[:kept], bias, profile="ort", **parameters)

    failure = run(counts_in_15_bits, profile="ort", classes=["tie", "rail", "zero_point", "tail", "deep"]).failures[0]
    asked: Counter[int] = Counter()

    def counted(backend: Any, case: Any) -> Any:
        asked[id(case)] += case.elements > 2**15
        return ask(backend, case)

    monkeypatch.setattr("npquant.testing.explain.diagnose.ask", counted)
    # However slow the machine is, all are asked; nothing further is made up for them.
    monkeypatch.setattr("npquant.testing.explain.diagnose.MOST_SECONDS", float("inf"))
    monkeypatch.setattr("npquant.testing.explain.explanation.MOST_MORE", 0)
    monkeypatch.setattr("npquant.testing.explain.explanation.closest", lambda profile, seen: ())
    assert failure.diagnoses == ()
    assert 0 < max(asked.values()) < len(CATALOGUE) / 2
