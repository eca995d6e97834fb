"""The code interval that an activation which is a clamp leaves open.

Legend: q code, s scale, z zero point, [low, high] real bounds.
"""

from __future__ import annotations

from fractions import Fraction

from npquant.spec.affine import quantize
from npquant.spec.floating import to_float32
from npquant.spec.rounding import round_half_away, round_half_even, saturate


def clamp_codes(
    low: Fraction | None, high: Fraction | None, scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> tuple[int, int]:
    """Return the code interval that an activation which is a clamp leaves open.

    Parameters
    ----------
    low, high : Fraction or None
        Real bounds: (0, None) for ReLU, (0, 1) for clipped ReLU; None is unbounded.
    scale, zero_point : Fraction, int
        Output quantization.
    qmin, qmax : int
        The output's code interval.

    Returns
    -------
    tuple of int
        Narrowed (qmin, qmax).

    Notes
    -----
    R11. [R1(low), R1(high)]: quantization is monotone, so clamping codes is quantizing the clamped value.

    Examples
    --------
    >>> clamp_codes(Fraction(0), Fraction(1), Fraction(1, 100), -28, -128, 127)
    (-28, 72)
    """
    bottom = qmin if low is None else quantize(low, scale, zero_point, qmin, qmax)
    top = qmax if high is None else quantize(high, scale, zero_point, qmin, qmax)
    return bottom, top


def clamp_codes_half_away(
    low: Fraction | None, high: Fraction | None, scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> tuple[int, int]:
    """Return the code interval of a clamp as TFLite rounds its bounds.

    Parameters
    ----------
    low, high : Fraction or None
        Real bounds; None is unbounded.
    scale, zero_point : Fraction, int
        Output quantization.
    qmin, qmax : int
        The output's code interval.

    Returns
    -------
    tuple of int
        Narrowed (qmin, qmax).

    Notes
    -----
    R34. saturate(z + round_half_away(f32(v / s)), qmin, qmax). Source: LiteRT ``tflite/kernels/kernel_util.cc``.

    Examples
    --------
    >>> clamp_codes_half_away(Fraction(0), Fraction(6), Fraction(4), 0, -128, 127)
    (0, 2)
    """

    def code(v: Fraction) -> int:
        return saturate(zero_point + round_half_away(to_float32(v / scale)), qmin, qmax)

    return qmin if low is None else code(low), qmax if high is None else code(high)


def clamp_codes_zero_point_first(
    low: Fraction | None, high: Fraction | None, scale: Fraction, zero_point: int, qmin: int, qmax: int
) -> tuple[int, int]:
    """Return the code interval of a clamp as XNNPACK rounds its bounds.

    Parameters
    ----------
    low, high : Fraction or None
        Real bounds; None is unbounded.
    scale, zero_point : Fraction, int
        Output quantization.
    qmin, qmax : int
        The output's code interval.

    Returns
    -------
    tuple of int
        Narrowed (qmin, qmax).

    Notes
    -----
    R35. round_half_even(clip(f32(f32(v / s) + z), qmin, qmax)). Source: XNNPACK ``src/operators/fully-connected-nc.c``.

    Examples
    --------
    >>> clamp_codes_zero_point_first(Fraction(0), Fraction(6), Fraction(4), 1, -128, 127)
    (1, 2)
    """

    def code(v: Fraction) -> int:
        return saturate(round_half_even(to_float32(to_float32(v / scale) + zero_point)), qmin, qmax)

    return qmin if low is None else code(low), qmax if high is None else code(high)
