"""OpenVINO's layer: the arrays equal the exact scalars in every form, and other forms and sums do not."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import openvino as kernels
from npquant.kernels.qparams import QuantParams
from npquant.spec import openvino as spec

F32 = st.floats(-(2.0**20), 2.0**20, width=32)
SCALES = st.floats(2.0**-10, 2.0**4, width=32)
FORMS = [
    (bias, relu, zx, each) for bias in ("none", "one", "many") for relu in (0, 1) for zx in (0, 7) for each in (0, 1)
]


def drawn(seed: int, form: tuple[str, int, int, int], kind: str) -> dict[str, Any]:
    """Draw a row of sums beside ties, scales that are dyadic up to a few last places, and the form's constants."""
    bias, relu, zx, each = form
    rng, n = np.random.default_rng(seed), 6
    near = lambda v, size=None: np.float32(np.exp2(np.round(np.log2(v))) * (1 + rng.integers(-2, 3, size) * 2.0**-23))  # noqa: E731
    lo, hi = (-128, 127) if kind == "int8" else (0, 255)
    d = near(np.exp(rng.uniform(-6, -2, n)), n) if each else near(np.exp(rng.uniform(-6, -2)))
    sy = near(float(np.mean(d)) * rng.choice([2, 8, 64]))
    b = {"none": None, "one": np.repeat(near(1.0), n), "many": np.float32(rng.normal(0, 20, n) * sy)}[bias]
    w_q = rng.integers(-127, 128, (9, n)).astype(np.int8)
    zy = int(rng.choice([lo, hi, 0, rng.integers(lo, hi + 1)]))
    a = np.rint(sy / d * (rng.integers(2 * lo, 2 * hi, n) / 2 - zy)).astype(np.int64)[np.newaxis]
    return {"a": a, "w_q": w_q, "zx": zx, "d": d, "b": b, "sy": sy, "zy": zy, "lo": lo, "hi": hi, "relu": bool(relu)}


def by_arrays(case: dict[str, Any]) -> list[int]:
    """Compute the codes of a drawn row with the kernels."""
    c = kernels.column_offset(case["w_q"], case["zx"])
    ends = kernels.range_ends(case["sy"], case["zy"], case["lo"], case["hi"])
    codes = kernels.layer_codes(case["a"], c, case["d"], case["b"], ends, case["lo"], case["hi"], case["relu"])
    assert codes.dtype == np.int64
    return [int(code) for code in codes[0]]


def by_scalars(case: dict[str, Any], rule: Callable[..., list[int]] = spec.layer_codes) -> list[int]:
    """Compute them with the specification, or with another rule of its kind."""
    n = case["w_q"].shape[1]
    c = [spec.column_offset([int(w) for w in column], case["zx"]) for column in case["w_q"].T]
    d = [Fraction(float(step)) for step in np.broadcast_to(case["d"], (n,))]
    b = [Fraction(0) if case["b"] is None else Fraction(float(case["b"][i])) for i in range(n)]
    ends = spec.range_ends(Fraction(float(case["sy"])), case["zy"], case["lo"], case["hi"])
    return rule([int(sums) for sums in case["a"][0]], c, d, b, ends, case["lo"], case["hi"], case["relu"])


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_layer_equals_spec(form: tuple[str, int, int, int], kind: str) -> None:
    """R125 to R128 in every form: bias, relu, zero point of the inputs, one step of the sums or several."""
    for seed in range(12):
        case = drawn(seed, form, kind)
        assert by_arrays(case) == by_scalars(case), case


def test_layer_law_kills_other_forms() -> None:
    """A bias that is never one number, a relu that is never dropped, a shift that is its zero point: each fails."""

    def always_folded(a: Any, c: Any, d: Any, b: Any, ends: Any, lo: int, hi: int, relu: bool) -> list[int]:
        one = [
            spec.layer_codes([v], [z], [s], [t], ends, lo, hi, relu)[0] for v, z, s, t in zip(a, c, d, b, strict=True)
        ]
        return one

    def exact(a: Any, c: Any, d: Any, b: Any, ends: Any, lo: int, hi: int, relu: bool) -> list[int]:
        sy = (ends[1] - ends[0]) / 255
        real = [(v - z) * s + t for v, z, s, t in zip(a, c, d, b, strict=True)]
        return [max(lo, min(hi, round((max(v, 0) if relu else v) / sy - ends[0] / sy) + lo)) for v in real]

    for wrong in (always_folded, exact):
        cases = [drawn(seed, form, kind) for seed in range(40) for form in FORMS for kind in ("int8", "uint8")]
        assert any(by_arrays(case) != by_scalars(case, wrong) for case in cases), wrong.__name__


@given(w=st.lists(st.integers(-128, 127), max_size=40), zx=st.integers(-128, 255), times=st.integers(1, 40))
def test_column_offset_equals_spec(w: list[int], zx: int, times: int) -> None:
    """R126: a float32 sum in the order of k, past 2^24 too."""
    column = w * times
    got = kernels.column_offset(np.array(column, np.int8).reshape(-1, 1), zx)
    assert Fraction(float(got[0])) == spec.column_offset(column, zx)


def test_column_offset_is_not_the_exact_sum() -> None:
    """R126: at K = 1,100 it is 316 too large."""
    assert float(kernels.column_offset(np.full((1100, 1), 127, np.int8), 169)[0]) == 169 * 127 * 1100 + 316


@given(x=F32, s=SCALES, z=st.integers(-128, 127))
def test_quantize_equals_spec(x: float, s: float, z: int) -> None:
    """R127 by itself, on finite values."""
    got = kernels.quantize([x], QuantParams(s, z, -128, 127))
    assert got.dtype == np.int8 and int(got[0]) == spec.quantize(Fraction(x), Fraction(s), z, -128, 127)


def test_quantize_refuses_channels() -> None:
    """Per channel the engine was not asked."""
    with pytest.raises(ValueError, match="absent here"):
        kernels.quantize([1.0], QuantParams([1.0], 0, -128, 127))


@given(q=st.integers(-128, 127), s=SCALES, z=st.integers(-128, 127))
def test_dequantize_equals_spec(q: int, s: float, z: int) -> None:
    """R129: one rounding after a product that is not rounded."""
    got = kernels.dequantize(np.array([q], np.int8), QuantParams(s, z, -128, 127))
    assert got.dtype == np.float32 and Fraction(float(got[0])) == spec.dequantize(q, Fraction(s), z)


def test_dequantize_is_not_the_rounded_difference() -> None:
    """R129: the zero point need not be 0."""
    assert kernels.dequantize(np.array([3], np.int8), QuantParams(0.1, 3, -128, 127))[0] != 0
