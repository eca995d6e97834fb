"""torch's dynamic linear layer: the arrays equal exact scalars, and the laws see each neighbouring rule."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import dynamic_torch as kernels
from npquant.kernels.dynamic import dynamic_quantize_unit_empty, real_output
from npquant.spec import dynamic as spec_dynamic
from npquant.spec import dynamic_torch as spec
from npquant.spec.floating import to_float32
from npquant.spec.quantize_engines import quantize_fused_zero_point_first

F32 = st.floats(-(2.0**40), 2.0**40, width=32).filter(lambda v: v == 0 or abs(v) > 2.0**-80)
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
TOPS = st.sampled_from([127, 255])


def exact(v: Any) -> Fraction:
    """Return a float32 number as it is."""
    return Fraction(float(np.float32(v)))


def parameters_equal_spec(parameters: Any, values: Any, top: Any) -> bool:
    """Say whether scale and zero point are R116's."""
    scale, z = parameters(np.float32(values), top)
    x = [exact(v) for v in [*values, 0.0]]
    return (Fraction(scale), z) == spec.torch_parameters(min(x), max(x), top)


def ranges() -> list[list[float]]:
    """Return ranges whose zero points are ties, one-sided ones, and some that the smallest scale stretches."""
    found = [[-(k + 0.5) / 255, 1 - (k + 0.5) / 255] for k in range(255)]
    found += [[-(k + 0.5) / 127, 1 - (k + 0.5) / 127] for k in range(127)]
    small = [[lo * e, hi * e] for e in (1e-3, 1e-5, 1e-20, 1e-38, 1e-44) for lo, hi in ((0, 1), (-1, 0), (-0.3, 1))]
    return found + small + [[0.0, 0.0], [5.0, 5.0], [-5.0, -5.0]]


@given(values=st.lists(F32, min_size=1, max_size=5), top=TOPS)
def test_torch_parameters_equal_spec(values: Any, top: Any) -> None:
    """R116 on any tensor."""
    assert parameters_equal_spec(kernels.torch_parameters, values, top)


@pytest.mark.parametrize("top", [127, 255])
def test_torch_parameters_equal_spec_at_ties_and_small_ranges(top: Any) -> None:
    """Every zero point, scales that become 0.1 or the smallest one."""
    assert all(parameters_equal_spec(kernels.torch_parameters, values, top) for values in ranges())


def test_law_of_parameters_kills() -> None:
    """A scale in float32, a zero point from the low end alone, and no smallest scale."""

    def in_float32(x: Any, top: Any) -> Any:
        scale, z = kernels.torch_parameters(x, top)
        return float(np.float32(scale)), z

    def from_low(x: Any, top: Any) -> Any:
        scale, _ = kernels.torch_parameters(x, top)
        return scale, int(np.clip(np.rint(-min(float(x.min()), 0) / scale), 0, top))

    def unbounded(x: Any, top: Any) -> Any:
        scale, z = kernels.torch_parameters(x, top)
        lo, hi = min(float(x.min()), 0), max(float(x.max()), 0)
        return (hi - lo) / top or scale, z

    for mutant in (in_float32, from_low, unbounded):
        assert not all(parameters_equal_spec(mutant, values, 255) for values in ranges())


def codes_equal_spec(quantize: Any, code: Any, scale: Any, values: Any, top: Any) -> bool:
    """Say whether codes and scale are the exact ones."""
    got, x = quantize(np.float32(values), top), [exact(v) for v in values]
    sd, z = spec.torch_parameters(min([*x, Fraction(0)]), max([*x, Fraction(0)]), top)
    return (Fraction(float(got.scale)), got.codes.tolist()) == (scale(sd), [code(v, sd, z) for v in x])


def fused_code(x: Any, sd: Any, z: Any) -> Any:
    """R56 of the scale in float32, to [0, 255]."""
    return quantize_fused_zero_point_first(x, to_float32(sd), z, 0, 255)


QUANTIZERS = {
    "fbgemm": (kernels.torch_codes, fused_code, to_float32),
    "onednn": (kernels.onednn_codes, spec.onednn_code, spec.onednn_scale),
}


@pytest.mark.parametrize("engine", QUANTIZERS)
@given(values=st.lists(F32, min_size=1, max_size=9), top=TOPS)
def test_torch_codes_equal_spec(engine: Any, values: Any, top: Any) -> None:
    """R56 and D6 under R116."""
    assert codes_equal_spec(*QUANTIZERS[engine], values, top)


def test_law_of_codes_tells_the_engines_apart() -> None:
    """Each obeys its own rule at ties and breaks the other's and ONNX Runtime's."""
    rng = np.random.default_rng(0)
    tensors = [[-0.3 * s, *((np.arange(-20, 100) + 0.5) * s).tolist(), 200 * s] for s in rng.uniform(0.01, 3, 12)]
    for name, (quantize, _, _) in QUANTIZERS.items():
        for other, (_, code, scale) in QUANTIZERS.items():
            assert all(codes_equal_spec(quantize, code, scale, v, 255) for v in tensors) == (name == other)
    assert not all(
        codes_equal_spec(lambda x, top: dynamic_quantize_unit_empty(x), fused_code, to_float32, v, 255) for v in tensors
    )


OUTPUTS = {
    "fbgemm": (kernels.fbgemm_output, spec.fbgemm_output),
    "qnnpack": (real_output, spec_dynamic.real_output),
    "onednn, VNNI": (kernels.onednn_output, spec.onednn_output),
    "onednn, AVX2": (kernels.onednn_output_one_product, spec.onednn_output_one_product),
}


def output_equals_spec(output: Any, rule: Any, acc: Any, s: Any, sw: Any, b: Any) -> bool:
    """Say whether one output is the exact one; oneDNN's weight scale goes through a reciprocal and back."""
    made = kernels.torch_codes([1.0], 255)._replace(scale=np.float32(s))
    w = float(kernels.onednn_weight_scale(np.float32([sw]))[0]) if "onednn" in rule.__name__ else sw
    want = rule(acc, exact(s), exact(w), exact(b))
    return Fraction(float(output(np.array([[acc]]), made, np.float32([sw]), np.float32([b]))[0, 0])) == want


@pytest.mark.parametrize("engine", OUTPUTS)
@given(acc=st.integers(-(2**31), 2**31 - 1), s=SCALES, sw=SCALES, b=F32)
def test_outputs_equal_spec(engine: Any, acc: Any, s: Any, sw: Any, b: Any) -> None:
    """R117, f32(R61 + b), D7 and D8."""
    assert output_equals_spec(*OUTPUTS[engine], acc, s, sw, b)


def test_law_of_outputs_tells_the_engines_apart() -> None:
    """Each epilogue obeys its own rule and breaks each of the others."""
    cases = [(acc, 0.1 + acc % 7, 0.3 + acc % 89 / 97, -0.7 * acc) for acc in range(2**24, 2**24 + 200)]
    for name, (output, _) in OUTPUTS.items():
        for other, (_, rule) in OUTPUTS.items():
            assert all(output_equals_spec(output, rule, *case) for case in cases) == (name == other), (name, other)


def test_outputs_without_a_bias_have_no_sum() -> None:
    """None is a bias of 0."""
    made, acc, sw = kernels.torch_codes([1.0, -3.0], 255), np.array([[7, -9]]), np.float32([0.3, 0.7])
    for output, _ in OUTPUTS.values():
        np.testing.assert_array_equal(output(acc, made, sw, None), output(acc, made, sw, np.zeros(2, np.float32)))
