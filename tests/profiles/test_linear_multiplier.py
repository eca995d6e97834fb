"""A layer by m and a shift, as a C kernel is given it: the layer of the scales they stand for, the same refusals."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from npquant import FixedMultiplier, QuantParams, linear
from npquant.kernels.linear import accumulate
from npquant.profiles import get, names
from npquant.profiles.operators import requantize

INTEGER = [n for n in names() if isinstance(get(n).make_multiplier(1.0, 1.0, 1.0), FixedMultiplier)]
WIDE = [
    (n, stage)
    for n in names()
    for stage in get(n).wide_stages
    if stage.inputs == "int16" and isinstance(stage.make_multiplier(1.0, 1.0, 1.0), FixedMultiplier)
]
W = QuantParams(0.5, 0, -128, 127)
P = QuantParams(0.5, 0, -128, 127)
WORDS = QuantParams(0.5, 0, -32768, 32767)
ONE = FixedMultiplier(2**30, 0)


def without_scale(params: QuantParams, scale: float) -> QuantParams:
    """Return the codes' interval and zero point, with a scale that means nothing."""
    return QuantParams(scale, params.zero_point, params.qmin, params.qmax)


def layers(name: str, seed: int, inputs: QuantParams, bias: str, weights: QuantParams = W) -> Iterator[Any]:
    """Draw layers whose accumulators cover the output's codes and both rails, per tensor and per channel."""
    record, rng = get(name), np.random.default_rng(seed)
    for per_channel in (False, True):
        zx, zy = rng.integers(-100, 100, 2) if record.zero_points and inputs.dtype == np.int8 else (0, 0)
        sw = rng.uniform(0.001, 0.9, 400 if per_channel else ()).astype(np.float32)
        x = QuantParams(0.37, int(zx), inputs.qmin, inputs.qmax)
        w, y = QuantParams(sw, 0, weights.qmin, weights.qmax), QuantParams(1.3, int(zy), inputs.qmin, inputs.qmax)
        x_q = rng.integers(inputs.qmin, inputs.qmax, (5, 7), endpoint=True).astype(x.dtype)
        w_q = rng.integers(w.qmin, w.qmax, (7, 400), endpoint=True).astype(w.dtype)
        yield x_q, w_q, rng.integers(-9000, 9000, 400).astype(bias), x, w, y


def equals_the_layer_of_its_scales(
    call: Any, name: str, make: Any, inputs: QuantParams, bias: str, weights: QuantParams = W
) -> bool:
    """Say whether a layer by multiplier is the layer of the scales that make it, whatever the other scales are."""
    return all(
        call(
            x_q, w_q, b, profile=name, activation=activation, multiplier=make(x.scale, w.scale, y.scale),
            x=without_scale(x, 2.0**-9), w=without_scale(w, 17.0), y=without_scale(y, 3.0),
        ).tolist()
        == linear(x_q, w_q, b, x=x, w=w, y=y, profile=name, activation=activation).tolist()
        for x_q, w_q, b, x, w, y in layers(name, 5, inputs, bias, weights)
        for activation in ("none", "relu")
    )  # fmt: skip


@pytest.mark.parametrize("name", INTEGER)
def test_linear_by_multiplier_equals_linear_by_scales(name: Any) -> None:
    """m and e of the scales give the layer of the scales, per tensor and per channel, under every integer profile."""
    assert equals_the_layer_of_its_scales(linear, name, get(name).make_multiplier, P, "int32")


@pytest.mark.parametrize(("name", "stage"), WIDE)
def test_linear_by_multiplier_equals_linear_by_scales_of_int16(name: Any, stage: Any) -> None:
    """The same for int16 inputs, whose multiplier and rounding go by the types of the bias and of the weights."""
    weights = WORDS if "int8" not in stage.weights else W
    assert equals_the_layer_of_its_scales(linear, name, stage.make_multiplier, WORDS, stage.bias, weights)


def test_linear_by_multiplier_law_kills_a_shift_the_other_way_and_one_for_all_channels() -> None:
    """A right shift taken for a left one, and the first channel's multiplier for all, each break the law."""

    def mirrored(*operands: Any, multiplier: Any, **given: Any) -> Any:
        return linear(*operands, multiplier=FixedMultiplier(multiplier.multiplier, -multiplier.shift), **given)

    def first_for_all(*operands: Any, multiplier: Any, **given: Any) -> Any:
        m, e = np.atleast_1d(multiplier.multiplier), np.atleast_1d(multiplier.shift)
        return linear(*operands, multiplier=FixedMultiplier(int(m[0]), int(e[0])), **given)

    for wrong in (mirrored, first_for_all):
        assert not equals_the_layer_of_its_scales(wrong, "tflite_ref", get("tflite_ref").make_multiplier, P, "int32")


@pytest.mark.parametrize("name", INTEGER)
def test_linear_by_multiplier_equals_requantize_by_multiplier(name: Any) -> None:
    """The two doors are one stage: a layer's accumulators, requantized with the same m and e, are its codes."""
    m = 2**30 + 2**16 * np.arange(400)
    fixed = FixedMultiplier(m, np.full(400, -4))
    for x_q, w_q, b, x, w, y in layers(name, 6, P, "int32"):
        acc = accumulate(x_q, w_q, b, x.zero_point, 0)
        got = linear(x_q, w_q, b, x=x, w=w, y=y, profile=name, clamp=(-90, 90), multiplier=fixed)
        assert got.tolist() == requantize(acc, fixed, y=y, profile=name, clamp=(-90, 90)).tolist()


def by_multiplier(name: str, fixed: FixedMultiplier = ONE, **given: Any) -> Any:
    """Ask for a layer of one input and two outputs by a multiplier."""
    call = {"bias": None, "x": P, "w": W, "y": P, **given}
    x_q, w_q = np.ones((1, 1), call["x"].dtype), np.ones((1, 2), np.int8)
    return linear(x_q, w_q, call.pop("bias"), profile=name, multiplier=fixed, **call)


@pytest.mark.parametrize("name", [n for n in names() if n not in INTEGER])
def test_linear_by_multiplier_is_refused_where_the_engine_rescales_in_floats(name: Any) -> None:
    """The same TypeError as requantize's: a float is no m and e."""
    p = P if "int8" in get(name).code_types else QuantParams(0.5, 128, 0, 255)
    with pytest.raises(TypeError, match=f"^{name} rescales in floating point") as by_layer:
        by_multiplier(name, x=p, y=p)
    with pytest.raises(TypeError) as by_accumulators:
        requantize([1], ONE, y=p, profile=name)
    assert str(by_layer.value) == str(by_accumulators.value)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("tosa_single", {"fixed": FixedMultiplier(-(2**30), 0)}, "tosa_single defines multipliers from 0"),
        ("nvdla", {"fixed": FixedMultiplier(2**29 + 1, 0)}, "in steps of 65536; one is 536870913"),
        ("npquant", {"bias": [0.5, 0.5]}, "a real bias needs the scales that a multiplier stands for"),
        ("npquant", {"activation": "relu6"}, "the bounds of 'relu6' need the scale .*: give clamp"),
        ("npquant", {"fixed": FixedMultiplier([2**30] * 3, [0] * 3)}, r"3 multipliers for \(2,\) outputs"),
        ("nvdla", {"y": QuantParams(0.5, 1, -128, 127)}, "nvdla has no zero points"),
        ("tflite_ref", {"x": WORDS, "y": WORDS}, "not int16: it has no layer of int16 codes here"),
        (
            "tflite_ref",
            {"fixed": FixedMultiplier([2**30] * 2, [0] * 2), "w": QuantParams(0.5, 3, -128, 127)},
            "ignores per-channel weight zero points",
        ),
        ("tflm", {"x": WORDS, "y": WORDS, "fixed": FixedMultiplier(2**30, 15)}, r"must be below 2\^14"),
    ],
)
def test_linear_by_multiplier_names_its_refusal(name: Any, given: Any, message: str) -> None:
    """What no scale can answer for is refused, and what the engine refuses it refuses here too."""
    with pytest.raises(ValueError, match=message):
        by_multiplier(name, **given)


def test_linear_by_multiplier_is_refused_where_this_bias_is_rescaled_in_floats() -> None:
    """ruy takes int16 codes in integers beside an int32 bias, in floats beside an int64 one."""
    wide = {"x": WORDS, "y": WORDS}
    assert by_multiplier("ruy_x86", bias=np.array([7, -7], np.int32), **wide).tolist() == [[4, -3]]
    with pytest.raises(TypeError, match="ruy_x86 rescales in floating point beside int16 codes and int64 biases"):
        by_multiplier("ruy_x86", bias=np.array([7, -7], np.int64), **wide)


def test_linear_by_multiplier_takes_one_per_channel_of_weights_with_one_zero_point() -> None:
    """A zero point of all channels is honoured where the engine honours it: N multipliers change no sum."""
    fixed = FixedMultiplier([2**30, 2**30], [1, 2])
    assert by_multiplier("npquant", fixed, w=QuantParams(0.5, -3, -128, 127)).tolist() == [[4, 8]]
