"""What a layer's quantizer answers, and how its real bias becomes codes of the accumulator's scale.

Legend: codes the answer; x quantization of the layer's input, per-tensor, w that of its weights; b (N,) real bias; sx,
sw scales; `index` the layer's number, for messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.chain.layer_report import LayerReport
from npquant.kernels.bias import bias_half_even, bias_half_even_wide
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams

# A bias beyond this many steps is brought back by a larger weight scale: the other half of int32 is left to the sum.
LARGEST_BIAS: Final = 2.0**30
# The same of the 48 bits that accumulators of 16-bit inputs have.
LARGEST_WIDE_BIAS: Final = 2.0**45
# Steps for the bias of a neuron whose weight codes are all 0, so that its scale is free.
FREE_BIAS: Final = 2.0**15


@dataclass(frozen=True, slots=True, eq=False)
class LayerCodes:
    """Give the answer of a layer's quantizer: its weights are w.scale * (w_q - w.zero_point) from here on.

    Attributes
    ----------
    w_q : int8, (K, N)
        Weight codes, on the grid of the width asked for.
    w : QuantParams
        Their quantization: a scale for the tensor, or one a neuron, (N,).
    bias : float64, (N,)
        Real bias, not yet rounded.
    report : LayerReport or None
        What the rounding cost, where it is known.

    Examples
    --------
    >>> codes = LayerCodes(np.array([[1], [-2]], np.int8), QuantParams(np.array([0.5]), 0, -2, 1), np.zeros(1))
    >>> (codes.w.scale * codes.w_q).ravel().tolist()
    [0.5, -1.0]
    """

    w_q: NDArray[np.int8]
    w: QuantParams
    bias: Float64
    report: LayerReport | None = None


def bias_codes(b: Float64, x: QuantParams, w: QuantParams) -> NDArray[np.signedinteger[Any]]:
    """R39 as int32; beside 16-bit inputs R171, as int64.

    >>> one, wide = (QuantParams(2.0**-30, 0, -(2 ** (a - 1)), 2 ** (a - 1) - 1) for a in (8, 16))
    >>> [bias_codes(np.array([4.0]), x, QuantParams(1.0, 0, -1, 1)) for x in (one, wide)]
    [array([2147483647], dtype=int32), array([4294967296])]
    """
    if x.dtype == np.int16:
        return bias_half_even_wide(b, x.scale, w.scale)
    return bias_half_even(b, x.scale, w.scale).astype(np.int32)


def rescale_for_bias(codes: LayerCodes, x: QuantParams, index: int) -> tuple[NDArray[np.int8], QuantParams]:
    """Give a neuron whose bias does not fit its step a step that fits: codes and their quantization.

    The bias has the scale sx sw (R4, R9). All codes 0: sw is free, and chosen so that the bias has 2^15 steps, 2^30
    beside 16-bit inputs. A bias beyond 2^30 steps, or 2^45: sw is raised until it has so many, and the codes are
    rounded again, which moves no weight by more than half of the new step, 2^-31 |b| / sx. ValueError if a bias is not
    finite; OverflowError if one has more steps and the scale is one for the whole tensor.

    >>> p = QuantParams(np.array([1.0]), 0, -128, 127)
    >>> w_q, w = rescale_for_bias(LayerCodes(np.zeros((2, 1), np.int8), p, np.array([0.5])), p, 0)
    >>> float(w.scale[0]) == 0.5 / 2**15
    True
    """
    scale = np.asarray(codes.w.scale, np.float64)
    most, free_steps = (LARGEST_WIDE_BIAS, LARGEST_BIAS) if x.dtype == np.int16 else (LARGEST_BIAS, FREE_BIAS)
    largest = np.abs(codes.bias) / float(np.max(x.scale))
    if not np.isfinite(codes.bias).all():
        raise ValueError(f"layer {index}: the bias is not finite")
    if scale.ndim == 0:
        if (largest > most * scale).any():
            n = int(np.argmax(largest))
            raise OverflowError(
                f"layer {index}, neuron {n}: the bias {codes.bias[n]:g} is more than 2^{int(np.log2(most))} steps of "
                f"{scale:g}; quantize per channel"
            )
        return codes.w_q, codes.w
    # A bias too small for a normal scale keeps the scale that it has, and rounds to code 0.
    free = ~codes.w_q.any(axis=0) & (np.asarray(codes.w.zero_point) == 0) & (largest > free_steps * FLOAT32_TINY)
    least = np.where(free, largest / free_steps, largest / most)
    raised = np.where(free, least, np.maximum(scale, least)).astype(np.float32)
    w = QuantParams(raised, codes.w.zero_point, codes.w.qmin, codes.w.qmax)
    w_q, at = codes.w_q.copy(), raised != scale
    z = np.broadcast_to(np.asarray(w.zero_point, np.float64), scale.shape)[at]
    w_q[:, at] = np.rint((w_q[:, at] - z) * (scale / raised)[at]) + z  # nearer to z than before: still in the interval
    return w_q, w
