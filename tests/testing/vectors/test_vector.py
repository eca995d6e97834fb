"""The canonical vector: its values hang together, flat calls give the same answers, and the kills are true."""

from typing import Any

import numpy as np
import pytest

from npquant.profiles import get, names
from npquant.testing.backend import capabilities_of
from npquant.testing.bugs.catalogue import CATALOGUE, bug_named
from npquant.testing.case import expected
from npquant.testing.golden import golden
from npquant.testing.vectors.vector import flat, is_flat, killed_by, made_vector


def vectors_of(name: Any) -> Any:
    """Return the golden vectors of a profile, without their kills."""
    profile = get(name)
    return [made_vector(i, 0, case, ()) for i, case in enumerate(golden(profile, capabilities_of(profile)), 1)]


@pytest.mark.parametrize("name", [name for name in names() if name != "xnnpack_fp32_avx512"])
def test_clamp_of_the_value_before_it_is_the_code(name: Any) -> None:
    """clip(before, low, high) = y_q, layer by layer; and a layer's codes are the next one's input."""
    for vector in vectors_of(name):
        for values in vector.layers:
            assert values.acc.dtype == values.before.dtype == np.int32
            assert np.array_equal(np.clip(values.before, values.low, values.high), values.y_q)
        assert all(a.y_q is b.x_q for a, b in zip(vector.layers, vector.layers[1:], strict=False))


def test_value_before_the_clamp_of_a_stage_that_clips_floats_first() -> None:
    """XNNPACK's AVX-512 kernels clip from above before they convert: so much is already in the value."""
    clipped = 0
    for vector in vectors_of("xnnpack_fp32_avx512"):
        for values in vector.layers:
            wrapped = (values.before > values.high) & (values.y_q > values.high)
            assert np.array_equal(np.clip(values.before, values.low, values.high)[~wrapped], values.y_q[~wrapped])
            clipped += int((values.y_q == values.high).sum())
    assert clipped > 10


@pytest.mark.parametrize("name", ["npquant", "ort", "fbgemm"])
def test_flat_calls_give_the_answers_of_the_case(name: Any) -> None:
    """The last call of a case answers as the case does, each is one layer in C order without state."""
    profile = get(name)
    cases = [case for case in golden(profile, capabilities_of(profile)) if case.status == "valid"]
    calls = [list(flat(case)) for case in cases]
    assert sum(len(each) for each in calls) > len(cases)
    for case, each in zip(cases, calls, strict=True):
        assert np.array_equal(expected(each[-1]), expected(case))
        assert all(is_flat(call) for call in each)
        assert len(each) == len(case.earlier) + (case.neighbour is not None) + len(case.model.layers)


def test_kills_are_true(ort: Any) -> None:
    """A bug that a vector is said to kill gives another output on it; one that it is not said to kill does not."""
    bugs = CATALOGUE[::25]
    for vector in ort.canonical:
        said = {bug.name for bug in bugs} & set(vector.kills)
        assert said == set(killed_by(vector.case, bugs))


def test_kills_are_of_outputs_alone(ort: Any) -> None:
    """A bug that no output shows, such as an input that is changed, is killed by none; a rounding bug by the ties."""
    killed = {name for vector in ort.canonical for name in vector.kills}
    for name in ("memory.input_is_centred_in_place", "memory.answer_is_a_view_of_the_input"):
        assert bug_named(name).name not in killed
    assert "rounding.sends_ties_up" in ort.canonical[0].kills
    assert "rounding.sends_ties_up" not in ort.canonical[13].kills


def test_golden_vectors_kill_nearly_all(ort: Any, own: Any) -> None:
    """The sets kill 240 of the known bugs by their outputs alone, and the first vector, of ties, a quarter."""
    for made in (ort, own):
        killed = {name for vector in made.canonical for name in vector.kills}
        assert len(killed) >= 240
        assert len(made.canonical[0].kills) > len(CATALOGUE) // 4
