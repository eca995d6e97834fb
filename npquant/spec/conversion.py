"""From a rounded value to an output code: what each machine does beyond int32, and where the zero point goes in.

Legend: v exact value that is already an integer, zy zero point, [qmin, qmax] output interval.
"""

from npquant.spec.rounding import saturate, wrap

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def to_int32_x86(v: int) -> int:
    """Convert a rounded float to int32 as x86 does.

    Parameters
    ----------
    v : int
        The rounded value.

    Returns
    -------
    int
        v, or -2^31 where v is outside int32 (NaN gives -2^31 too).

    Notes
    -----
    R22. cvtps2dq and cvttss2si return the "integer indefinite" value 0x80000000. Source: Intel 64 and IA-32 manual,
    volume 2, CVTPS2DQ.

    Examples
    --------
    >>> to_int32_x86(2**31), to_int32_x86(7)
    (-2147483648, 7)
    """
    return v if INT32_MIN <= v <= INT32_MAX else INT32_MIN


def code_saturating(v: int, zy: int, qmin: int, qmax: int) -> int:
    """Add the zero point in exact arithmetic and clamp.

    Parameters
    ----------
    v : int
        Output steps.
    zy, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R10. y_q = saturate(v + zy, qmin, qmax).

    Examples
    --------
    >>> code_saturating(300, -5, -128, 127)
    127
    """
    return saturate(v + zy, qmin, qmax)


def code_wrapping(v: int, zy: int, qmin: int, qmax: int) -> int:
    """Add the zero point in wrapping int32 and clamp.

    Parameters
    ----------
    v : int
        Output steps.
    zy, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R38. y_q = saturate(wrap32(v + zy), qmin, qmax). Source: LiteRT ``reference/integer_ops/fully_connected.h`` (acc +=
    output_offset, an int32); runs of ai-edge-litert 2.3.0 with steps within a zero point of 2^31.

    Examples
    --------
    >>> code_wrapping(2**31 - 10, 82, -128, 127)
    -128
    """
    return saturate(wrap(v + zy, 32), qmin, qmax)


def code_wrapping_x86(v: int, zy: int, qmin: int, qmax: int) -> int:
    """Convert as x86 does, add the zero point in wrapping int32, and clamp.

    Parameters
    ----------
    v : int
        Output steps.
    zy, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R23. y_q = saturate(wrap32(R22(v) + zy), qmin, qmax): beyond int32 both signs end at the same rail.

    Examples
    --------
    >>> code_wrapping_x86(-(2**40), -1, -128, 127)
    127
    """
    return saturate(wrap(to_int32_x86(v) + zy, 32), qmin, qmax)


def code_through_int16(v: int, zy: int, qmin: int, qmax: int) -> int:
    """Convert as x86 does, saturate to int16, add the zero point in saturating int16, and clamp.

    Parameters
    ----------
    v : int
        Output steps.
    zy, qmin, qmax : int
        Zero point and interval.

    Returns
    -------
    int
        Output code.

    Notes
    -----
    R24. y_q = saturate(sat16(sat16(R22(v)) + zy), qmin, qmax). Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc``
    (packs_epi32, adds_epi16, packus_epi16).

    Examples
    --------
    >>> code_through_int16(2**31, 10, 0, 255)
    0
    """
    v16 = saturate(to_int32_x86(v), -(2**15), 2**15 - 1)
    return saturate(saturate(v16 + zy, -(2**15), 2**15 - 1), qmin, qmax)
