"""Tables for the activations that are not clamps, an entry a code of 8 or 16 bits, correctly rounded.

Legend: q input code, t[q - least] output code, least the lowest code of the input's type, f the real function (name:
"sigmoid", "tanh" or "softplus"); x and y quantization of input and output, (sx, zx) and (sy, zy), per-tensor and of
signed codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from types import MappingProxyType

import numpy as np

from npquant.arrays import Codes, Float64
from npquant.kernels.affine import quantize
from npquant.kernels.qparams import QuantParams

# float64 evaluates f within a few units in the last place; a quotient this close to a tie is decided with more digits.
TIE_MARGIN = 2.0**-40


def sigmoid(x: Float64) -> Float64:
    """Evaluate 1 / (1 + e^-x) of float64 values x without overflow; in [0, 1].

    >>> sigmoid(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """
    # t <= 1, and its underflow to 0 gives the limits 1 and 0.
    t = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + t), t / (1 + t))


def softplus(x: Float64) -> Float64:
    """Evaluate log(1 + e^x) of float64 values x without overflow; above max(x, 0).

    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _exact_sigmoid(x: Decimal) -> Decimal:
    t = (-abs(x)).exp()
    return 1 / (1 + t) if x >= 0 else t / (1 + t)


def _exact_tanh(x: Decimal) -> Decimal:
    return 2 * _exact_sigmoid(2 * x) - 1


def _exact_softplus(x: Decimal) -> Decimal:
    return max(x, Decimal(0)) + (1 + (-abs(x)).exp()).ln()


FUNCTIONS: Mapping[str, tuple[Callable[[Float64], Float64], Callable[[Decimal], Decimal]]] = MappingProxyType(
    {
        "sigmoid": (sigmoid, _exact_sigmoid),
        "tanh": (np.tanh, _exact_tanh),
        "softplus": (softplus, _exact_softplus),
    }
)


def activation_table(name: str, x: QuantParams, y: QuantParams) -> Codes:
    """R12. t[q - least] = R1(f(R2(q))) for each of the 256 codes q of int8 or 65,536 of int16, correctly rounded.

    Only sigmoid and tanh of 0 are ever ties, and exact. t is of y's type. ValueError if the name is unknown, or x or y
    is per-channel or holds neither int8 nor int16 codes.

    >>> t = activation_table("sigmoid", QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127))
    >>> int(t[0]), int(t[128]), int(t[255])
    (-128, 0, 127)
    """
    if name not in FUNCTIONS:
        raise ValueError(f"there is no table for {name!r}; known: {', '.join(FUNCTIONS)}")
    for params, role in ((x, "input"), (y, "output")):
        if params.per_channel or params.dtype not in (np.int8, np.int16):
            raise ValueError(f"the {role} of a table must be per-tensor int8 or int16, not {params}")
    function, exact = FUNCTIONS[name]
    # sx (q - zx) is exact in float64: 24 by 17 bits.
    codes = np.iinfo(x.dtype)
    real = (np.arange(codes.min, codes.max + 1) - int(x.zero_point)) * float(x.scale)
    value = function(np.asarray(real, np.float64))
    quotient = value / float(y.scale)
    near_tie = np.abs(quotient - np.floor(quotient) - 0.5) <= TIE_MARGIN * (1 + np.abs(quotient))
    table = quantize(value, y)
    for i in np.flatnonzero(near_tie):
        table[i] = _entry_in_decimal(Decimal(float(real[i])), exact, y)
    return table


def _entry_in_decimal(real: Decimal, exact: Callable[[Decimal], Decimal], y: QuantParams) -> int:
    """Round one entry with 110 digits, half to even where it is a tie: f is exact where it is rational, at 0."""
    with localcontext() as context:
        # Near a tie |f| >= sy / 2 > 2^-127, so 1 + e^x keeps at least 70 digits of e^x.
        context.prec = 110
        quotient = exact(real) / Decimal(float(y.scale))
        code = int(quotient.to_integral_value()) + int(y.zero_point)
    return max(y.qmin, min(y.qmax, code))
