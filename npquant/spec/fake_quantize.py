"""PyTorch's quantizers that round before the zero point, on one finite float32 value: fake quantization, and PT2E's.

Legend: x real value (a binary32 number), s scale, z zero point, [qmin, qmax] code interval; f32, f64 as in R0.
"""

from fractions import Fraction

from npquant.spec.floating import to_float32, to_float64
from npquant.spec.rounding import round_half_even, saturate


def quantize_reciprocal_saturating(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Multiply by the float32 reciprocal, round half even, add the zero point, saturate.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R85. q = saturate(round_half_even(f32(x f32(1 / s))) + z). Source: pytorch
    ``torch/ao/quantization/fx/_decomposed.py``, quantize_per_tensor.

    Examples
    --------
    >>> quantize_reciprocal_saturating(Fraction(-5, 4), Fraction(1, 2), 1, -128, 127)
    -1
    """
    return saturate(round_half_even(to_float32(x * to_float32(1 / s))) + z, qmin, qmax)


def quantize_reciprocal_float64(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """Multiply by the float64 reciprocal, round half even, add the zero point, saturate.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Code.

    Notes
    -----
    R86. q = saturate(round_half_even(f64(x f64(1 / s))) + z). Source: pytorch
    ``torch/ao/quantization/fx/_decomposed.py``, quantize_per_channel with float64 scales.

    Examples
    --------
    >>> quantize_reciprocal_float64(Fraction(-5, 4), Fraction(1, 2), 1, -128, 127)
    -1
    """
    return saturate(round_half_even(to_float64(x * to_float64(1 / s))) + z, qmin, qmax)


def fake_quantize(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int, per_channel: bool) -> Fraction:
    """Quantize and dequantize in float32.

    Parameters
    ----------
    x, s : Fraction
        Value and scale, binary32 numbers.
    z, qmin, qmax : int
        Zero point and interval.
    per_channel : bool
        Which of the engine's two kernels; the one per channel converts to int64 first.

    Returns
    -------
    Fraction
        A binary32 number.

    Notes
    -----
    R87. x' = f32(f32(q - z) s), q by R85; per channel, q = qmin where f32(x f32(1 / s)) >= 2^63. Source: pytorch
    ``aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp``, _fake_quantize_tensor_helper, and runs of
    torch 2.13.0 on x86.

    Examples
    --------
    >>> fake_quantize(Fraction(-5, 4), Fraction(1, 2), 1, -128, 127, False)
    Fraction(-1, 1)
    >>> fake_quantize(Fraction(2**70), Fraction(1), 0, -128, 127, True)
    Fraction(-128, 1)
    """
    q = quantize_reciprocal_saturating(x, s, z, qmin, qmax)
    if per_channel and to_float32(x * to_float32(1 / s)) >= 2**63:
        q = qmin
    return to_float32(to_float32(Fraction(q - z)) * s)
