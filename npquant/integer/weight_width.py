"""The width of a layer's weights: one rule, for every network, printer and file.

Legend: w_q (K, N) weight codes, w their quantization, b bits a code.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from npquant.arrays import Codes
from npquant.kernels.qparams import QuantParams

# The grid of ternary codes, which printers name instead of counting bits.
TERNARY: Final = (-1, 1)


def weight_width(w_q: Codes, w: QuantParams) -> int:
    """W5. b bits for codes that each neuron keeps in [-2^(b-1), 2^(b-1) - 1] or in its negation: a side a neuron.

    The width that was asked for, whatever fewer codes are in use: `codec.weight_stream` stores a neuron on the negation
    as its negative, with a flag bit (W2). Any other grid has the bits of qmax - qmin; ternary codes 2.

    >>> mirrored = QuantParams(0.5, 0, -2, 2)
    >>> weight_width(np.array([[-2, 2], [1, -1]], np.int8), mirrored)
    2
    >>> weight_width(np.array([[-2], [2]], np.int8), mirrored)
    3
    """
    # [-2^(b-1), 2^(b-1)], b >= 2, has one code more than b bits hold; a neuron that avoids one end fits on its side.
    mirrored = w.qmin == -w.qmax and w.qmax > 1 and w.qmax & (w.qmax - 1) == 0
    if mirrored and not np.any((w_q == w.qmin).any(axis=0) & (w_q == w.qmax).any(axis=0)):
        return w.qmax.bit_length()
    return (w.qmax - w.qmin).bit_length()
