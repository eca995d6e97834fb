"""Two definitions agree before a vector is written, and one that is wrong anywhere stops the kit."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names
from npquant.testing.backend import capabilities_of
from npquant.testing.case import Case, Layer, Model
from npquant.testing.classes import channel, float_edge, rail, tie, wide
from npquant.testing.classes.parts import params, weight_params
from npquant.testing.golden import golden
from npquant.testing.vectors import KitFailure, definition
from npquant.testing.vectors.definition import defined_layer
from npquant.testing.vectors.rules import DEFINITIONS
from npquant.testing.vectors.vector import flat, made_vector


def golden_of(name: Any) -> Iterator[Any]:
    """Return the golden cases of a profile, whole and as single calls, and drawn ones of wide sums, ties and rails."""
    profile = get(name)
    can = capabilities_of(profile)
    yield from golden(profile, can)
    yield from (call for case in golden(profile, can) for call in flat(case))
    rng = np.random.default_rng(0)
    yield beside_ties(profile, can.code_types[0], rng)
    for module in (wide, tie, rail, channel):
        yield from islice((case for case in module.draw(profile, can, rng) if case.elements < 300), 4)


def beside_ties(profile: Any, kind: Any, rng: np.random.Generator) -> Any:
    """Return 200 outputs whose float products lie within a unit of their last place of a tie."""
    x, y = params(kind, np.float32(0.37)), params(kind, 1.0)
    w_q = (rng.integers(60, 127, (1, 200)) * np.resize([1, -1], 200)).astype(np.int8)
    acc = 101 * np.abs(w_q[0].astype(np.float64))
    scales = ((rng.integers(20, 100, 200) + 0.5) / (acc * np.float64(x.scale))).astype(np.float32)
    w = weight_params(profile, scales, np.zeros(200, np.int32))
    x_q = np.array([[int(x.zero_point) + 101]], x.dtype)
    return Case(Model((Layer(w_q, None, x, w, y),), profile.name), x_q, tags=("tie",))


@pytest.mark.parametrize("name", names())
def test_every_profile_has_a_definition_that_agrees(name: Any) -> None:
    """Accumulators, values before the clamp and codes are the same by arrays and by exact scalars."""
    for case in golden_of(name):
        vector = made_vector(1, 0, case, ())
        assert (vector.y_q is None) == (case.status == "must_reject")


def quantize_cases(name: Any) -> Iterator[Any]:
    """Return a third of the lattice of QUANTIZE, and ties to the last of a number that is no multiple of 8."""
    profile = get(name)
    can = capabilities_of(profile)
    lattice = list(float_edge.lattice(profile, can))
    yield from (*lattice[::3], lattice[-1])  # NaN comes last
    yield from float_edge.quantized(profile, np.arange(-9, 12, 2, dtype=np.float32) / 4, params(can.code_types[0], 0.5))


@pytest.mark.parametrize("name", [name for name in names() if get(name).quantize_codes is not None])
def test_quantize_agrees_on_every_tie_and_special_value(name: Any) -> None:
    """QUANTIZE by scalars is QUANTIZE by arrays, NaN and infinities too, wherever the table has a rule."""
    for case in quantize_cases(name):
        made_vector(1, 0, case, ())


# Profiles beside another's definition: each pair differs in one rule alone.
WRONG = {
    "two_roundings_for_one": ("tflite_single", "tflite_ref"),
    "one_rounding_for_two": ("tosa_double", "tosa_single"),
    "ties_up_for_away": ("tvm_tonearest", "tvm_upward"),
    "float64_for_fixed": ("tflm", "litert_ref_2025"),
    "zero_point_first": ("ort", "onnx_ref"),
    "mantissa_for_float32": ("xnnpack_fp32", "xnnpack_rndnu"),
    "reciprocal_of_the_output_scale": ("ort", "qnnpack"),
    "two_products": ("onednn_avx2", "onednn_vnni"),
    "fifteen_bits": ("tvm_tonearest", "nvdla"),
    "bounds_of_tflite": ("xnnpack_fp32", "tflite_ref"),
    "bias_in_the_accumulator": ("fbgemm", "qnnpack"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_made_vector_kills_a_definition_of_another_profile(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another profile's definition is found out on the golden set, and the error says that the kit itself fails."""
    name, other = WRONG[wrong]
    monkeypatch.setattr(
        "npquant.testing.vectors.definition.DEFINITIONS", MappingProxyType({**DEFINITIONS, name: DEFINITIONS[other]})
    )
    with pytest.raises(KitFailure, match="the kit itself fails"):
        for case in golden_of(name):
            made_vector(1, 0, case, ())


# A rule of QUANTIZE that is another profile's, or a NaN that goes elsewhere.
WRONG_QUANTIZE = {
    "quotient_for_reciprocal": ("xnnpack_fp32", {"quantize": DEFINITIONS["ort"].quantize}),
    "ties_away": ("ort", {"quantize": DEFINITIONS["tflite_ref"].quantize}),
    "exact_quotient": ("ort", {"quantize": DEFINITIONS["npquant"].quantize}),
    "wraps": ("ort", {"quantize": DEFINITIONS["onnx_ref"].quantize}),
    "tail_as_body": ("ruy_x86", {"tail": None}),
    "nan_is_lowest": ("fbgemm", {"nan": "low"}),
    "nan_is_highest": ("ort", {"nan": "high"}),
}


@pytest.mark.parametrize("wrong", WRONG_QUANTIZE)
def test_made_vector_kills_another_quantize(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong scalar rule of QUANTIZE, tail or NaN is found out by ties and special values."""
    name, change = WRONG_QUANTIZE[wrong]
    changed = {**DEFINITIONS, name: replace(DEFINITIONS[name], **change)}
    monkeypatch.setattr("npquant.testing.vectors.definition.DEFINITIONS", MappingProxyType(changed))
    with pytest.raises(KitFailure, match="codes at"):
        for case in quantize_cases(name):
            made_vector(1, 0, case, ())


def test_made_vector_kills_a_wrong_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """A definition that drops a zero point's correction is found out by the accumulator."""
    right = definition._sum
    monkeypatch.setattr(definition, "_sum", lambda row, column, zx, zw, pairs: right(row, column, zx, 0, pairs))
    with pytest.raises(KitFailure, match="acc at"):
        for case in golden_of("npquant"):
            made_vector(1, 0, case, ())


def test_made_vector_refuses_a_refusal_that_is_none() -> None:
    """A legal case said to be illegal is the kit's own failure."""
    with pytest.raises(KitFailure, match="takes a case that must be refused"):
        made_vector(1, 0, replace(next(golden_of("npquant")), status="must_reject"), ())


def test_defined_layer_keeps_an_exact_accumulator_inside_int32() -> None:
    """Beyond int32, the definition of an exact accumulator raises, and that of a wrapping one wraps."""
    p = QuantParams(1.0, 0, -128, 127)
    layer = Layer(np.array([[1]], np.int8), np.array([2**31 - 1], np.int32), p, p, p)
    x_q = np.array([[1]], np.int8)
    assert defined_layer(layer, x_q, get("ort")).acc[0, 0] == -(2**31)
    with pytest.raises(OverflowError, match="outside int32"):
        defined_layer(layer, x_q, get("npquant"))
    assert Case(Model((layer,), "ort"), x_q).elements == 2
