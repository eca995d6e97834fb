"""Tables of sigmoid and tanh as engines fill them: float operations, each rounded, around one exact function.

Legend: q input code, x = (sx, zx) and y = (sy, zy) input and output quantization (binary32 scales), d real input and t
real output (binary32 numbers), [qmin, qmax] output interval; f32, f64 as in R0. A rounding is `to_float32` or
`to_float64`; a function is one from d to t.
"""

from collections.abc import Callable
from fractions import Fraction

from npquant.spec.affine import Affine
from npquant.spec.floating import to_float32, to_float64
from npquant.spec.lookup import Enclosure, enclose_exp, enclose_tanh
from npquant.spec.quantize_engines import quantize_divide_half_even, quantize_zero_point_first
from npquant.spec.rounding import round_half_away, round_toward_zero, saturate

# Beyond this e^-|x| is below half of the smallest binary64 number that matters beside 1: 2^-53 > e^-64.
FLAT = 64


def _nearest(enclose: Callable[[int], Enclosure], rounding: Callable[[Fraction], Fraction], terms: int) -> Fraction:
    """Tighten an enclosure until both of its ends round to one number."""
    while True:
        lo, hi = (rounding(v) for v in enclose(terms))
        if lo == hi:
            return lo
        terms *= 2


def _terms(x: Fraction) -> int:
    return int(4 * abs(x)) + 32


def exp_rounded(x: Fraction, rounding: Callable[[Fraction], Fraction]) -> Fraction:
    """R66. e = rounding(e^x), the number of the format that is nearest, for any exact x.
    e^x is irrational but at 0, so the enclosure always decides. A C library may differ in the last place of some
    arguments; a code differs only where such a one lies beside a half of the output.

    >>> exp_rounded(Fraction(0), to_float32), exp_rounded(Fraction(1), to_float32)
    (Fraction(1, 1), Fraction(2850325, 1048576))
    """
    if x == 0:
        return Fraction(1)

    def enclose(terms: int) -> Enclosure:
        lo, hi = enclose_exp(-abs(x), terms)
        return (lo, hi) if x < 0 else (1 / hi, 1 / lo)

    return _nearest(enclose, rounding, _terms(x))


def sigmoid_float32(d: Fraction) -> Fraction:
    """R67. t = f32(1 / f32(1 + R66(-d))), 0 where the exponential overflows.
    Float32 operations around a float32 exponential. Source: LiteRT ``tflite/kernels/activations.cc``, LogisticPrepare.

    >>> sigmoid_float32(Fraction(0)), sigmoid_float32(Fraction(-200))
    (Fraction(1, 2), Fraction(0, 1))
    """
    # e^89 > 2^128: the exponential is infinite in float32.
    if d < -89:
        return Fraction(0)
    # Beyond FLAT f32(1 + e) is 1, whatever e.
    e = Fraction(0) if d > FLAT else exp_rounded(-d, to_float32)
    return to_float32(1 / to_float32(1 + e))


def sigmoid_float64(d: Fraction) -> Fraction:
    """R68. t = f32(f64(e / f64(1 + e))), e = R66(d) in binary64; 1 above d = 100 and 0 below -100.
    Float64 operations around a float64 exponential, then float32.
    Source: XNNPACK ``src/reference/unary-elementwise.cc``, SigmoidOp.
    """
    if abs(d) > 100:
        return Fraction(1 if d > 0 else 0)
    e = exp_rounded(d, to_float64)
    return to_float32(to_float64(e / to_float64(1 + e)))


# MlasLogisticKernel's odd numerator and even denominator, highest power first, read as binary32 numbers.
NUMERATOR = (
    4.37031012579801e-11,
    1.15627324459942e-07,
    6.08574864600143e-05,
    8.51377133304701e-03,
    2.48287947061529e-01,
)
DENOMINATOR = (
    6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03, 1.16817656904453e-01,
    9.93151921023180e-01,
)  # fmt: skip


def _horner_fused(coefficients: tuple[float, ...], square: Fraction) -> Fraction:
    """Evaluate a polynomial by binary32 fused multiply-adds."""
    first, *rest = (to_float32(Fraction(c)) for c in coefficients)
    for c in rest:
        first = to_float32(first * square + c)
    return first


def sigmoid_rational_float32(d: Fraction) -> Fraction:
    """R89. t = clip(f32(f32(f32(P(v^2) v) / Q(v^2)) + 1/2), 0, 1), v = clip(d, -18, 18).
    P and Q go by fused multiply-adds, f32(p v^2 + c).
    Source: microsoft/onnxruntime ``core/mlas/lib/logistic.cpp``, MlasLogisticKernel (coefficients), and its FMA3 kernel
    ``core/mlas/lib/x86_64/LogisticKernelFma3.S``; runs of onnxruntime 1.32.0 on x86 with FMA.

    >>> sigmoid_rational_float32(Fraction(0)), sigmoid_rational_float32(Fraction(-100)) < Fraction(1, 10**7)
    (Fraction(1, 2), True)
    """
    v = min(max(d, Fraction(-18)), Fraction(18))
    square = to_float32(v * v)
    top = to_float32(_horner_fused(NUMERATOR, square) * v)
    t = to_float32(to_float32(top / _horner_fused(DENOMINATOR, square)) + Fraction(1, 2))
    return min(max(t, Fraction(0)), Fraction(1))


def tanh_float32(d: Fraction) -> Fraction:
    """R69. t = f32(tanh(d)): correctly rounded."""
    # 1 - |tanh(d)| < 2 e^(-2|d|): beyond FLAT nothing but +-1 is near.
    if d == 0 or abs(d) > FLAT:
        return Fraction((d > 0) - (d < 0))
    return _nearest(lambda terms: enclose_tanh(d, terms), to_float32, _terms(2 * d))


def table_entry_half_away(
    function: Callable[[Fraction], Fraction], q: int, x: Affine, y: Affine, qmin: int, qmax: int
) -> int:
    """R70. d = f32(sx (q - zx)); saturate(toward_zero(f32(round_half_away(f32(t f32(1 / sy))) + zy))).
    The product is rounded half away, then comes the zero point; the function is R67 or R69.
    Source: LiteRT ``tflite/kernels/internal/common.h``, LUTPopulateInt8.
    """
    t = function(to_float32(x[0] * (q - x[1])))
    r = round_half_away(to_float32(t * to_float32(1 / y[0])))
    return saturate(round_toward_zero(to_float32(Fraction(r + y[1]))), qmin, qmax)


def table_entry_half_even(
    function: Callable[[Fraction], Fraction], q: int, x: Affine, y: Affine, qmin: int, qmax: int
) -> int:
    """R71. d = f32(sx (q - zx)); saturate(round_half_even(f32(f32(t f32(1 / sy)) + zy))).
    R57 of a table's real outputs: the zero point first, then one rounding; the function is R68 or R69.
    Source: XNNPACK ``src/reference/unary-elementwise.cc``.
    """
    t = function(to_float32(x[0] * (q - x[1])))
    return quantize_zero_point_first(t, *y, qmin, qmax)


def table_entry_divided(
    function: Callable[[Fraction], Fraction], q: int, x: Affine, y: Affine, qmin: int, qmax: int
) -> int:
    """R90. saturate(round_half_even(f32(t / sy)) + zy), t of d = f32(sx (q - zx)): R54 of a table's real outputs.
    The function is R89, or any of R67 to R69.
    Source: microsoft/onnxruntime ``contrib_ops/cpu/quantization/quant_lookup_table``, QlinearBuildLookupTable.

    >>> table_entry_divided(sigmoid_rational_float32, 0, (Fraction(1, 16), 0), (Fraction(1, 256), -128), -128, 127)
    0
    """
    t = function(to_float32(x[0] * (q - x[1])))
    return quantize_divide_half_even(t, *y, qmin, qmax)
