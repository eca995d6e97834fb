"""Laws of the runner: what each tier asks, in which order, when it stops, and what it never calls passed."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles import get, names
from npquant.profiles.relatives import RELATIVES
from npquant.testing import backend as kinds
from npquant.testing.backend import capabilities_of
from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.case import expected
from npquant.testing.golden import golden
from npquant.testing.sweeps import every_accumulator, every_half, every_pair
from npquant.testing.tally import OUT_OF_TIME
from npquant.testing.trial import TIERS, run, tier_cases

ORT = partial(npquant.linear, profile="ort")

WHOLE_OR_RELATIVE = [
    *(name for name in names() if get(name).whole_layer is not None),
    *(relative.name for relative in RELATIVES if relative.record.has_layers),
]


class Declining:
    """A backend that declines every question."""

    name, profile = "declining", "ort"

    def prepare(self, model: Any) -> Any:
        """Decline."""
        raise NotImplementedError("not yet")


class Interrupting:
    """A right kernel whose owner presses Ctrl-C at some call."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, x_q: Any, w_q: Any, bias: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return ORT(x_q, w_q, bias, **named)


@pytest.mark.parametrize("tier", TIERS)
def test_tier_cases_begin_with_the_golden_set(tier: str) -> None:
    """The first questions of every tier are the golden ones, each with its own class first among its tags."""
    profile = get("ort")
    can = capabilities_of(profile)
    first = [case.tags for case, _ in zip(tier_cases(profile, can, tier, 0), range(16), strict=False)]
    assert first == [case.tags for case in golden(profile, can)][:16]


def test_first_failure_comes_within_the_golden_set() -> None:
    """Every eleventh bug of the catalogue is found by one of the first 16 questions, whose class takes the blame."""
    for bug in CATALOGUE[::11]:
        verdict = run(bug.make(get("ort")), tier="smoke")
        assert 1 <= verdict.first_failure_after <= 16, bug.name
        assert verdict.failures[0].group == verdict.failures[0].found.case.tags[0]


def test_first_failure_after_is_0_without_one() -> None:
    """Who is right has no first failure."""
    assert run(ORT, profile="ort", tier="smoke").first_failure_after == 0


def test_declined_class_is_not_asked_and_never_passed() -> None:
    """A class of which every case was declined has not passed; a trial of such classes ran nothing: exit code 4."""
    verdict = run(Declining(), tier="smoke")
    assert verdict.exit_code == 4 and not verdict.passed
    assert {result.state for result in verdict.classes} == {"not asked"}
    assert "not yet" in verdict.classes[0].why_not_asked


class Quantizing:
    """A backend that has QUANTIZE alone, under one profile's claim and by another's arithmetic."""

    name = "quantizing"

    def __init__(self, profile: str, computed: str) -> None:
        self.profile, self.computed = profile, computed

    def prepare(self, model: Any) -> Any:
        """Decline."""
        raise NotImplementedError("there is no layer")

    def quantize(self, x: Any, params: Any) -> Any:
        """Compute as the other profile."""
        return npquant.quantize(x, params, profile=self.computed)


@pytest.mark.parametrize(
    "name", [name for name in names(layers=False) if not get(name).has_layers and not get(name).restriction]
)
def test_engine_without_a_layer_is_asked_quantize_alone(name: str) -> None:
    """Its own QUANTIZE passes, and npquant's layer is refused with the reason; float_edge is all that is asked."""
    verdict = run(Quantizing(name, name), tier="smoke")
    assert verdict.passed
    assert [result.name for result in verdict.classes if result.cases] == ["float_edge"]
    with pytest.raises(ValueError, match=f"{name} has no layer of codes"):
        run(partial(npquant.linear, profile=name), profile=name, tier="smoke")


@pytest.mark.parametrize("name", [name for name in names(layers=False) if get(name).restriction])
def test_engine_that_no_generator_draws_for_is_refused(name: str) -> None:
    """ESP-DL, Gemmini's array and hls4ml: the refusal says what they take, at once, instead of drawing without end."""
    for backend in (Quantizing(name, name), partial(npquant.linear, profile=name)):
        with pytest.raises(ValueError, match=f"no case is drawn for {name}: its engine takes"):
            run(backend, profile=name, tier="smoke")


def test_wrong_quantize_without_a_layer_is_named() -> None:
    """One that computes as another engine without layers is told so."""
    verdict = run(Quantizing("qonnx", "qonnx_floor"), tier="smoke")
    assert [d.name for d in verdict.failures[0].diagnoses] == ["profile.qonnx_floor"]


@pytest.mark.parametrize("name", WHOLE_OR_RELATIVE)
def test_npquant_passes_its_own_trial(name: str) -> None:
    """`linear` is conformant to an engine whose layer is no sum and stage, and under the name of a relative."""
    assert run(partial(npquant.linear, profile=name), profile=name, tier="smoke").exit_code == 0


def test_class_without_a_question_says_so() -> None:
    """float_edge has nothing for a function without QUANTIZE."""
    (result,) = run(ORT, profile="ort", tier="smoke", classes=["float_edge"]).classes
    assert (result.state, result.why_not_asked) == ("not asked", "no question of this class fits the backend")


def test_forever_returns_its_verdict_when_interrupted() -> None:
    """Ctrl-C ends "forever" with what is known by then; any other tier it ends without a verdict."""
    verdict = run(Interrupting(3000), profile="ort", tier="forever", classes=["plain"])
    assert verdict.passed and sum(result.calls for result in verdict.classes) == 3000
    with pytest.raises(KeyboardInterrupt):
        run(Interrupting(30), profile="ort", tier="standard")


def test_forever_stops_at_a_failure() -> None:
    """A failure in a later round ends it too: the seeds grow, so that no round repeats one."""
    asked = []

    def once_wrong(x_q: Any, w_q: Any, bias: Any, **named: Any) -> Any:
        asked.append(x_q.tobytes() + w_q.tobytes())
        return ORT(x_q, w_q, bias, **named) + (len(asked) > 700)

    verdict = run(once_wrong, profile="ort", tier="forever", classes=["plain"])
    assert verdict.exit_code == 1 and verdict.first_failure_after > 600
    assert len(set(asked[:700])) > 600


def test_seconds_leave_the_rest_not_asked() -> None:
    """What a time budget does not reach is not asked, by class, and says why."""
    verdict = run(ORT, profile="ort", seconds=0.0)
    assert verdict.exit_code == 4
    assert all(OUT_OF_TIME in result.skipped for result in verdict.classes if result.name != "float_edge")


def test_sweeps_hold_whole_domains() -> None:
    """Every pair of operands, every accumulator of 17 bits, every half-precision number; all have an answer."""
    profile = get("ort")
    can = capabilities_of(profile)
    first = next(every_pair(profile, can))
    layer = first.model.layers[0]
    pairs = {(int(x), int(w)) for x in first.x_q[:, 0] for w in layer.w_q[0]}
    assert len(pairs) == 65_536
    seen = set()
    for case in every_accumulator(profile, can):
        layer = case.model.layers[0]
        if np.float32(layer.w.scale) == np.float32(0.3) and layer.x.dtype == np.int8 and not np.any(layer.y.zero_point):
            assert layer.bias is not None
            acc = layer.bias + (case.x_q.astype(np.int64) - np.int64(layer.x.zero_point)) @ layer.w_q.astype(np.int64)
            seen |= set(acc[0].tolist())
    assert seen == set(range(-(2**16), 2**16 + 1))
    halves = [case for case in every_half(profile, can) if not np.isnan(case.x_q).any()]
    assert len(halves[0].x_q) == 65_536 - 2 * 1023
    with np.errstate(all="ignore"):
        assert expected(halves[0]).shape == halves[0].x_q.shape


def test_every_pair_hides_no_product_behind_saturation() -> None:
    """Each pair of operands lands within the codes, off both rails, in some window, so a wrong product shows."""
    profile = get("ort")
    inside = None
    for case in every_pair(profile, capabilities_of(profile)):
        layer = case.model.layers[0]
        if layer.x.dtype != np.int8 or int(layer.x.zero_point) != -128:
            continue
        codes = expected(case)
        free = (codes > layer.y.qmin) & (codes < layer.y.qmax)
        inside = free if inside is None else inside | free
    assert inside is not None and inside.all()


@pytest.mark.slow
def test_exhaustive_accuses_no_right_kernel() -> None:
    """npquant as its own backend passes the whole of the exhaustive tier."""
    assert run(ORT, profile="ort", tier="exhaustive").passed


def test_crash_is_told_apart_from_a_wrong_code() -> None:
    """SystemExit in a backend is a crash, exit code 3, and ends its class alone."""

    def leaving(x_q: Any, w_q: Any, bias: Any, **named: Any) -> Any:
        raise SystemExit(7)

    verdict = run(leaving, profile="ort", tier="smoke", classes=["plain", "tie"])
    assert verdict.exit_code == 3
    assert {failure.kind for failure in verdict.failures} == {kinds.CRASHED}
