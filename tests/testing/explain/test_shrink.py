"""The shrinker: laws that any shrinker must keep, on every bug of the catalogue, and shrinkers that break them."""

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing.adapters.callable import from_callable
from npquant.testing.ask import ask
from npquant.testing.backend import Backend, capabilities_from, capabilities_of
from npquant.testing.bugs.catalogue import CATALOGUE, Bug, bug_named
from npquant.testing.case import Case, expected
from npquant.testing.classes import deep
from npquant.testing.explain.shrink import alike, minimal_history, shrink, shrunk
from npquant.testing.explain.smaller import measure
from npquant.testing.judge import Finding, judge, judged
from npquant.testing.trial import in_turn

Shrink = Callable[[Backend, Finding], Finding]
PROFILES = ("ort", "tflite_ref", "fbgemm_pair16")
STATELESS = [bug for bug in CATALOGUE if bug.group != "state"]


def first_finding(backend: Backend, profile: str, most: int = 100) -> Finding | None:
    """Return the first mistake on the lattices of all classes in turn."""
    record = get(profile)
    cases = in_turn(record, capabilities_from(backend, record))
    found = (judge(backend, case)[0] for case in islice(cases, most))
    return next((finding for finding in found if finding is not None), None)


def still_fails(shrinker: Shrink, backend: Backend, finding: Finding) -> None:
    """The shrunk case is answered as the shrunk finding says, and that is the mistake that was there."""
    small = shrinker(backend, finding)
    again = judged(small.case, ask(backend, small.case))
    assert again is not None
    assert alike(again, finding)
    if small.got is not None and again.got is not None:
        np.testing.assert_array_equal(again.got, small.got)


def never_larger(shrinker: Shrink, backend: Backend, finding: Finding) -> None:
    """The shrunk case is no larger by the measure, and has no more operand elements."""
    small = shrinker(backend, finding)
    assert measure(small.case) <= measure(finding.case)
    assert small.case.elements <= finding.case.elements


def idempotent(shrinker: Shrink, backend: Backend, finding: Finding) -> None:
    """What is shrunk stays as it is."""
    once = shrinker(backend, finding)
    assert measure(shrinker(backend, once).case) == measure(once.case)


def is_legal(shrinker: Shrink, backend: Backend, finding: Finding) -> None:
    """The shrunk case has an answer if it is valid, and none if it must be rejected."""
    case = shrinker(backend, finding).case
    assert case.status == finding.case.status
    if case.status == "must_reject":
        with pytest.raises((ValueError, TypeError)):
            expected(case)
    else:
        assert expected(case).shape[-1] > 0


LAWS = (still_fails, never_larger, is_legal)


def briefly(backend: Backend, finding: Finding) -> Finding:
    """Shrink with fewer questions, as the laws hold for any number."""
    return shrunk(backend, finding, calls=60, seconds=10.0).finding


def hold_on(bugs: list[Bug], profile: str) -> list[int]:
    """Hold the laws on bugs under a profile; return the sizes of the shrunk cases."""
    sizes = []
    for bug in bugs:
        backend = bug.make(get(profile))
        finding = first_finding(backend, profile)
        if finding is None:
            continue
        small = briefly(backend, finding)
        for law in LAWS:
            law(lambda backend, finding, small=small: small, backend, finding)  # type: ignore[misc]
        sizes.append(small.case.elements)
    return sizes


@pytest.mark.parametrize("profile", PROFILES)
def test_shrink_keeps_its_laws_on_a_third_of_all_bugs(profile: str) -> None:
    """Each bug of the catalogue is shrunk under one of three profiles: it still fails, is no larger, and is legal."""
    sizes = hold_on(STATELESS[PROFILES.index(profile) :: 3], profile)
    assert len(sizes) > 50
    assert np.median(sizes) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_shrink_keeps_its_laws_on_all_bugs(profile: str) -> None:
    """The same for every bug under each of three profiles."""
    assert len(hold_on(STATELESS, profile)) > 150


@pytest.mark.parametrize("name", ["rounding.floors", "biases.is_dropped", "tails.last_input_is_skipped"])
def test_shrink_is_idempotent(name: str) -> None:
    """What is shrunk stays as it is."""
    backend = bug_named(name).make(get("ort"))
    finding = first_finding(backend, "ort")
    assert finding is not None
    idempotent(lambda b, f: shrunk(b, f, calls=2000, seconds=60.0).finding, backend, finding)


def test_shrink_keeps_a_shape_that_the_bug_needs() -> None:
    """A tail beyond 64 inputs needs more than 64 inputs; five rows where the fifth row is wrong."""
    tail = bug_named("tails.depth_tail_dropped_16_beyond_64").make(get("ort"))
    finding = first_finding(tail, "ort", 2000)
    assert finding is not None
    assert shrink(tail, finding).case.model.layers[0].w_q.shape[0] > 64

    def fifth(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        codes = honest(x_q, w_q, bias, **parameters).copy()
        codes[4:] ^= 1
        return codes

    backend = from_callable(fifth, profile="ort")
    finding = first_finding(backend, "ort")
    assert finding is not None
    small = shrink(backend, finding).case
    assert small.x_q.shape == (5, 1)
    assert small.model.layers[0].w_q.shape == (1, 1)


def honest(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
    """npquant under ONNX Runtime's arithmetic."""
    import npquant

    return npquant.linear(x_q, w_q, bias, profile="ort", **parameters)


def test_shrink_keeps_the_type_of_an_exception() -> None:
    """A backend that raises two exceptions is not shrunk from one to the other."""

    def raising(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> None:
        if w_q.shape[0] < 3:
            raise ZeroDivisionError("small")
        raise KeyError("large")

    backend = from_callable(raising, profile="ort")
    cases: Iterator[Case] = in_turn(get("ort"), capabilities_from(backend, get("ort")))
    finding = next(f for f in (judge(backend, c)[0] for c in cases) if f is not None and f.detail.startswith("Key"))
    small = shrink(backend, finding)
    assert small.detail.startswith("KeyError")
    assert small.case.model.layers[0].w_q.shape[0] == 3


def test_shrink_asks_no_more_of_a_backend_that_hangs() -> None:
    """A hanging backend is not asked again."""
    backend = from_callable(honest, profile="ort")
    case = next(in_turn(get("ort"), capabilities_from(backend, get("ort"))))
    finding = Finding(case, kinds.HUNG)
    small = shrunk(backend, finding)
    assert small.finding is finding
    assert small.asked == ()


def test_minimal_history_leaves_what_is_needed() -> None:
    """Of many steps, the two that are needed together stay."""
    case = next(in_turn(get("ort"), capabilities_from(from_callable(honest, profile="ort"), get("ort"))))
    steps = tuple(case.tagged(str(i)) for i in range(20))
    kept = minimal_history(steps, lambda some: {"3", "17"} <= {step.tags[0] for step in some})
    assert [step.tags[0] for step in kept] == ["3", "17"]


def test_the_laws_kill_bad_shrinkers() -> None:
    """A shrinker that passes, that grows, that never ends, or that makes an illegal case breaks a law."""
    backend = bug_named("biases.is_dropped").make(get("ort"))
    cases = in_turn(get("ort"), capabilities_from(backend, get("ort")))
    finding = next(f for f in (judge(backend, case)[0] for case in cases) if f is not None and len(f.case.x_q) > 3)

    def to_nothing(backend: Backend, finding: Finding) -> Finding:
        return replace(finding, case=replace(finding.case, x_q=finding.case.x_q[:0]))

    def grows(backend: Backend, finding: Finding) -> Finding:
        return replace(finding, case=replace(finding.case, x_q=np.concatenate([finding.case.x_q] * 2)))

    def one_step(backend: Backend, finding: Finding) -> Finding:
        fewer = replace(finding.case, x_q=finding.case.x_q[: len(finding.case.x_q) // 2 + 1])
        return judge(backend, fewer)[0] or finding

    def illegal(backend: Backend, finding: Finding) -> Finding:
        return replace(finding, case=replace(finding.case, x_q=finding.case.x_q[:, :0]))

    for law, mutant in ((still_fails, to_nothing), (never_larger, grows), (idempotent, one_step), (is_legal, illegal)):
        law(shrink, backend, finding)
        with pytest.raises((AssertionError, ValueError)):
            law(mutant, backend, finding)


def test_shrinker_makes_candidates_one_at_a_time() -> None:
    """A layer of 20,000 inputs that is wrong by its depth alone is shrunk in little memory: what to keep of its inputs
    fills 3 GB if all candidates are made at once, and 160 kB each."""

    def needs_depth(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        codes = np.array(npquant.linear(x_q, w_q, bias, profile="ort", **parameters))
        return codes ^ codes.dtype.type(w_q.shape[0] > 16_000)

    backend = from_callable(needs_depth, profile="ort")
    case = next(c for c in deep.lattice(get("ort"), capabilities_of(get("ort"))) if c.x_q.shape[1] == 20_000)
    finding, _ = judge(backend, case)
    assert finding is not None
    tracemalloc.start()
    small = shrunk(backend, finding, calls=60).finding
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 16_000 < small.case.x_q.shape[1] < 20_000
    # 61 cases that were asked, of (3 + 4) K bytes at most, and a few int64 copies of one, 8 (3 + 4 + 2) K.
    assert peak < 61 * 7 * 20_000 + 20 * 8 * 9 * 20_000
