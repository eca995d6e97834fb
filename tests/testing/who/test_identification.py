"""`identify`: the truth is never ruled out, it is found in two rounds, and what is called equal is equal."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import npquant
from npquant import FixedMultiplier, QuantParams
from npquant.profiles import get, names
from npquant.testing import identify
from npquant.testing.bugs.catalogue import bug_named
from npquant.testing.who.identification import identify_record
from npquant.testing.who.likeness import EQUAL
from npquant.testing.who.records import Record
from tests.testing.layers_of_digits import answer_of, digits_layer, rows_for

UINT8_ONLY = {name for name in names() if get(name).code_types == ("uint8",)}
NO_ZERO_POINTS = {name for name in names() if not get(name).zero_points}
P = QuantParams(0.5, 0, -128, 127)


def asked(truth: Any, layer: Any, rows: Any, rounds: Any = 2, seed: int = 0) -> Any:
    """Identify a hidden kernel: random rows first, then what is asked for, as often as rounds says."""
    x_q = rows_for(layer, rows, np.random.default_rng(seed))
    found = identify_record(Record(layer, x_q, truth(layer, x_q)), (), seed)
    sizes = []
    for _ in range(rounds):
        if not len(found.next_inputs):
            break
        sizes.append(len(found.next_inputs))
        found = found.with_answers(found.next_inputs, truth(layer, found.next_inputs))
    return found, sizes


def hidden(name: Any, index: Any) -> Any:
    """A layer that a profile's engine takes, and the profile as a kernel."""
    layer = digits_layer(index, 128 if name in UINT8_ONLY else 0, name not in NO_ZERO_POINTS)
    return layer, lambda layer, x_q: answer_of(name, layer, x_q)


@pytest.mark.parametrize(
    ("name", "index"), [*((name, 2) for name in names()), ("ort", 1), ("tflite_ref", 1), ("qnnpack", 1)]
)
def test_identify_finds_every_profile_in_two_rounds(name: Any, index: Any) -> None:
    """Up to profiles of which it is proven that no input of the layer tells them apart, in at most 16 rows a round."""
    layer, truth = hidden(name, index)
    found, sizes = asked(truth, layer, 100)
    assert name in found.profiles and found.settled
    assert all(size <= 16 for size in sizes) and len(sizes) <= 2


@pytest.mark.parametrize("name", ["ort", "tflite_single", "onnx_ref"])
def test_identify_calls_equal_only_what_is_equal(name: Any) -> None:
    """Profiles that are said to be equal on a layer answer alike to thousands of rows that were solved for others."""
    layer, truth = hidden(name, 1)
    found, _ = asked(truth, layer, 50)
    x_q = rows_for(layer, 3000, np.random.default_rng(7))
    for a, b, why in found.likeness:
        assert why.startswith(EQUAL)
        assert np.array_equal(answer_of(a, layer, x_q), answer_of(b, layer, x_q))


def test_solved_inputs_tell_more_than_random_ones() -> None:
    """After 32,000 random outputs a dozen profiles are possible; a few solved-for rows leave one class of equals."""
    layer = digits_layer(1)
    layer = dataclasses.replace(layer, y=QuantParams(0.02, -3, -128, 127), activation="none")
    x_q = rows_for(layer, 1000, np.random.default_rng(1))
    first = identify_record(Record(layer, x_q, answer_of("ort", layer, x_q)))
    assert first.record.y_q.size == 32_000 and len(first.profiles) >= 9 and not first.settled
    assert len(first.next_inputs) <= 16
    second = first.with_answers(first.next_inputs, answer_of("ort", layer, first.next_inputs))
    assert second.settled and {"npquant", "onnx_ref", "tflite_ref"}.isdisjoint(second.profiles)


@pytest.mark.parametrize(
    ("rule", "base"),
    [
        ("biases.is_one_too_large", "ort"),
        ("rounding.floors", "tflite_ref"),
        ("rounding.truncates_toward_zero", "ort"),
        ("multiplier.multiplier_has_15_bits", "npquant"),
        ("multiplier.multiplier_has_8_bits", "npquant"),
        ("zero_points.output_zero_point_is_read_as_unsigned", "ort"),
        ("zero_points.input_zero_point_is_forgotten", "tflite_ref"),
        ("saturation.wraps_in_place_of_saturating", "ort"),
        ("saturation.never_reaches_the_lowest_code", "tflite_single"),
        ("lanes.pairs_saturate_to_16_bits", "ort"),
        ("tails.last_input_is_skipped", "tflite_ref"),
    ],
)
def test_identify_names_a_wrong_rule(rule: Any, base: Any) -> None:
    """A rule of the catalogue is named, and no profile is possible, after two rounds."""
    backend = bug_named(rule).make(get(base))
    layer = digits_layer(2)
    layer = dataclasses.replace(layer, y=QuantParams(layer.y.scale, -11, -128, 127))

    def truth(layer: Any, x_q: Any) -> Any:
        return backend.f(x_q, layer.w_q, layer.bias, x=layer.x, w=layer.w, y=layer.y, activation=layer.activation)  # type: ignore[attr-defined]

    found, _ = asked(truth, layer, 60)
    assert not found.profiles and not found.settled
    assert rule in {candidate.name for candidate in found.possible}
    assert rule in found.text() or len(found.possible) > 6


def test_identify_explains_the_first_mismatch_exactly() -> None:
    """The accumulator, the exact value, what the candidate gives and what the kernel gave."""
    found = identify([[1], [3]], [[-5]], [0], [[-3], [-8]], x=P, w=P, y=P)
    ort = next(c for group in found.candidates for c in group if c.name == "ort")
    assert (ort.mismatches, ort.outputs) == (1, 2)
    assert (ort.first.row, ort.first.accumulator, ort.first.got, ort.first.gives) == (0, -5, -3, -2)
    assert str(ort.first.exact) == "-5/2" and "accumulator -5, exactly -2.5 steps" in found.text(40)


def test_identify_under_a_fixed_multiplier() -> None:
    """Given m and e, single and double rounding are told apart; float engines take m 2^(e-31) as they hold it."""
    fixed = FixedMultiplier(1_518_500_250, -7)
    x, y = QuantParams(1.0, -4, -128, 127), QuantParams(1.0, 5, -128, 127)
    rng = np.random.default_rng(3)
    w_q, bias = rng.integers(-127, 128, (20, 6)), rng.integers(-900, 900, 6)

    def kernel(x_q: Any) -> Any:
        acc = (x_q.astype(np.int64) + 4) @ w_q + bias
        whole = (acc * fixed.multiplier + (1 << 37)) >> 38
        return np.clip(whole + 5, -128, 127)

    x_q = rng.integers(-128, 128, (30, 20))
    found = identify(x_q, w_q, bias, kernel(x_q), x=x, w=P, y=y, multiplier=fixed)
    found = found.with_answers(found.next_inputs, kernel(found.next_inputs))
    assert found.settled and "tosa_single" in found.profiles
    assert {"tflite_ref", "tosa_double"}.isdisjoint(found.profiles)


@pytest.mark.parametrize("k", [1, 2])
def test_identify_tries_every_input_of_a_shallow_layer(k: Any) -> None:
    """A layer of one input has 256 rows: what they do not show, nothing does."""
    w_q = np.array([[7], [-3]])[:k]
    truth = lambda x_q: npquant.linear(x_q, w_q, None, x=P, w=P, y=P, profile="tvm_tonearest")  # noqa: E731
    found = identify(np.zeros((1, k), int), w_q, None, truth(np.zeros((1, k), int)), x=P, w=P, y=P)
    found = found.with_answers(found.next_inputs, truth(found.next_inputs))
    assert found.settled and "tvm_tonearest" in found.profiles and "npquant" not in found.profiles


def test_identify_takes_an_empty_batch_and_no_depth() -> None:
    """Nothing seen: every profile is possible; without inputs no row tells anything apart."""
    empty = identify(np.empty((0, 1), int), [[7]], None, np.empty((0, 1), int), x=P, w=P, y=P)
    assert len(empty.profiles) > 10 and len(empty.next_inputs)
    flat = identify(np.empty((2, 0), int), np.empty((0, 1), int), [5], [[2], [2]], x=P, w=P, y=P)
    assert "ort" in flat.profiles and "nvdla" not in flat.profiles


def test_identify_is_the_same_for_the_same_seed_and_speaks_json() -> None:
    """Equal seeds give equal rows; the JSON form holds all candidates."""
    layer, truth = hidden("ort", 2)
    x_q = rows_for(layer, 20, np.random.default_rng(0))
    one, two = (identify_record(Record(layer, x_q, truth(layer, x_q)), (), 4) for _ in range(2))
    assert np.array_equal(one.next_inputs, two.next_inputs)
    told = json.loads(json.dumps(one.as_json()))
    assert "ort" in told["profiles"] and len(told["next_inputs"]) == len(one.next_inputs)
    assert sum(map(len, told["classes"])) > 150


def test_identify_refuses_what_does_not_fit() -> None:
    """Each message names the operand."""
    for arguments, words in (
        (([[1, 2]], [[-5]], [0], [[1]]), "x_q has 2 columns"),
        (([[1]], [[-5]], [0, 1], [[1]]), "bias has 2 codes"),
        (([[1]], [[-5]], [0], [[1], [1]]), "y_q has shape"),
        (([[200]], [[-5]], [0], [[1]]), "x_q has codes outside"),
        (([[1]], [[-5]], [0], [[300]]), "y_q has codes outside int8"),
    ):
        with pytest.raises(ValueError, match=words):
            identify(*arguments, x=P, w=P, y=P)
    with pytest.raises(TypeError, match="x_q has dtype float64"):
        identify([[1.0]], [[-5]], [0], [[1]], x=P, w=P, y=P)
