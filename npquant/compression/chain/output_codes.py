"""The quantization of a layer's output: known in advance where the activation is bounded, calibrated where it is not.

Legend: R calibration rows, N outputs, a activation bits, s scale; codes start at -128 where no output is negative,
those of 16 bits at 0; `activation` a name; `pre_activation` (R, N) what the quantized layer gives on calibration rows,
real; `bits` is a, 1..8 or 16; `widths` those of all layers; `calibrate` takes values -> (lo, hi), and is used where the
activation is not bounded; y the output of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule
from npquant.kernels.qparams import QuantParams, choose_affine, choose_symmetric
from npquant.nn.activations import activate

# The width at which codes have no zero point, as TFLite's have none: half of those of a ReLU are left unused.
WIDE: Final = 16
# sigmoid and tanh at 16 bits, as TFLite's LOGISTIC and TANH write them.
WIDE_STEP: Final = 2.0**-15


class OutputRule(Protocol):
    """Choose the quantization of a layer's output; see `output_params`."""

    def __call__(self, activation: str, pre_activation: Float64, bits: int, calibrate: RangeRule) -> QuantParams: ...


def activation_bits_per_layer(activation_bits: int | Sequence[int], layers: int) -> tuple[int, ...]:
    """Spread a width of hidden outputs over `layers` layers: one a layer; the last, of the logits, is 16 or 8.

    `activation_bits` is one width for all hidden layers, or one a hidden layer, 1..8 or 16. Logits have 16 bits behind
    a hidden layer of 16, or where 16 is asked for and there is none. ValueError if a width is no such integer, or there
    are not as many as hidden layers.

    >>> activation_bits_per_layer(4, 3), activation_bits_per_layer([8, 2], 3), activation_bits_per_layer(16, 2)
    ((4, 4, 8), (8, 2, 8), (16, 16))
    """
    if isinstance(activation_bits, Sequence):
        each = tuple(activation_bits)
    else:
        each = (activation_bits,) * (layers - 1)
    if len(each) != layers - 1:
        raise ValueError(
            f"{len(each)} activation_bits for {layers - 1} hidden layers: give one for all, or one a hidden layer "
            "(logits have 8, or 16 with the last of them)"
        )
    for width in each or (() if isinstance(activation_bits, Sequence) else (activation_bits,)):
        if isinstance(width, bool) or not isinstance(width, int | np.integer) or not (1 <= width <= 8 or width == WIDE):
            raise ValueError(f"activation_bits is {width!r}; it must be an integer in 1..8, or 16")
    alone = 8 if isinstance(activation_bits, Sequence) else activation_bits
    return (*(int(width) for width in each), WIDE if (each[-1] if each else alone) == WIDE else 8)


def input_bits(widths: Sequence[int]) -> int:
    """Return the width of the inputs' codes: 16 before a first layer that writes 16 bits, else 8.

    >>> input_bits((16, 8, 8)), input_bits((8, 16, 16))
    (16, 8)
    """
    return WIDE if widths[0] == WIDE else 8


def output_params(activation: str, pre_activation: Float64, bits: int, calibrate: RangeRule) -> QuantParams:
    """Choose the quantization of a layer's output.

    [0, 1] at 1 / (2^a - 1) from code -128 on; tanh at 1 / (2^(a-1) - 1) around 0; ReLU and softplus calibrated, from
    -128 on; identity R14. At 16 bits all around 0: R13 of what was calibrated, 1 / 32767 for [0, 1], but 2^-15 for
    sigmoid and tanh. ValueError if bits is outside 1..8 and not 16, or 1 for tanh or identity.

    >>> from npquant.compression.chain.calibration import min_max_range
    >>> output_params("clipped_relu", np.zeros((1, 1)), 4, min_max_range)
    QuantParams(scale=0.06666667014360428, zero_point=-128, qmin=-128, qmax=-113)
    """
    if bits == WIDE:
        return _wide_output(activation, pre_activation, calibrate)
    if not (2 if activation in ("tanh", "identity") else 1) <= bits <= 8:
        raise ValueError(f"activation_bits is {bits}; it must be in 1..8, and at least 2 for tanh")
    if activation == "identity":
        return choose_affine(*calibrate(pre_activation), bits)
    if activation == "tanh":
        top = 2 ** (bits - 1) - 1
        return QuantParams(1 / top, 0, -top - 1, top)
    levels = 2**bits - 1
    high = 1.0
    if activation in ("relu", "softplus"):
        outputs = np.asarray(activate(activation, pre_activation), np.float64)
        high = float(choose_affine(0.0, max(calibrate(outputs)[1], 0.0), 8).scale) * 255
    return QuantParams(high / levels, -128, -128, -128 + levels)


def _wide_output(activation: str, pre_activation: Float64, calibrate: RangeRule) -> QuantParams:
    """Choose 16-bit codes of an output, with the zero point 0."""
    if activation in ("sigmoid", "tanh"):
        return QuantParams(WIDE_STEP, 0, -32768, 32767)
    if activation == "identity":
        return choose_symmetric(max(map(abs, calibrate(pre_activation))), WIDE)
    if activation in ("relu", "softplus"):
        outputs = np.asarray(activate(activation, pre_activation), np.float64)
        return choose_symmetric(max(calibrate(outputs)[1], 0.0), WIDE)
    return choose_symmetric(1.0, WIDE)


def table_input_params(activation: str, pre_activation: Float64, y: QuantParams, calibrate: RangeRule) -> QuantParams:
    """Choose the pre-activation that a table reads, of 16 bits where y has 16, else of 8: R14 of a range that is cut.

    Beyond f^-1(1 - sy / 2) of sigmoid and tanh, and below f^-1(sy / 2) of softplus, every output code is the last one:
    codes spent there would say nothing.

    >>> from npquant.compression.chain.calibration import min_max_range
    >>> y = QuantParams(1 / 255, -128, -128, 127)
    >>> p = table_input_params("sigmoid", np.array([[-100.0, 100.0]]), y, min_max_range)
    >>> round(float(p.scale) * 127.5, 2)
    6.23
    """
    half = float(y.scale) / 2
    lo, hi = calibrate(pre_activation)
    if activation == "softplus":
        # f^-1(a) = log(e^a - 1), in a form that no e^a overflows.
        lowest = half + float(np.log(-np.expm1(-half)))
        return _table_input(min(max(lo, lowest), 0.0), max(hi, 0.0), y)
    limit = float(np.log((1 - half) / half)) if activation == "sigmoid" else float(np.arctanh(1 - half))
    return _table_input(max(min(lo, 0.0), -limit), min(max(hi, 0.0), limit), y)


def _table_input(lo: float, hi: float, y: QuantParams) -> QuantParams:
    """R14 at 8 bits; R13 at 16, the zero point 0."""
    return choose_symmetric(max(-lo, hi), WIDE) if y.dtype == np.int16 else choose_affine(lo, hi, 8)
