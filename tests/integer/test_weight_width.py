"""The width of weights is one number: what was asked for, what networks and printers say, what a file stores."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.codec.weight_stream import encode_weights
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.storage import encode_model, itemize
from npquant.integer.weight_width import weight_width
from npquant.kernels.qparams import QuantParams
from npquant.measure.cost import weight_widths
from npquant.nn.model import DenseLayer, FloatMLP


def float_network() -> tuple[FloatMLP, NDArray[np.float64]]:
    """Return a network of two layers, and rows to calibrate it on."""
    rng = np.random.default_rng(0)
    hidden = DenseLayer(rng.normal(0, 1, (20, 30)), rng.normal(0, 0.1, 30), "relu")
    out = DenseLayer(rng.normal(0, 1, (30, 5)), rng.normal(0, 0.1, 5), "identity")
    return FloatMLP((hidden, out)), rng.normal(0, 1, (200, 20))


def width_by_search(w_q: NDArray[np.int8], w: QuantParams) -> int:
    """Return the least b of 2..9 that holds W5: trying every neuron on both sides of every grid."""
    own = range(w.qmin, w.qmax + 1)
    mirrored = any(w.qmin == -(1 << (b - 1)) and w.qmax == 1 << (b - 1) for b in range(2, 9))
    for b in range(2, 10):
        grid = range(-(1 << (b - 1)), 1 << (b - 1))
        sides = (set(grid), {-code for code in grid})
        if mirrored and all(any(set(column.tolist()) <= side for side in sides) for column in w_q.T):
            if set(own) <= sides[0] | sides[1]:
                return b
        elif len(own) <= 1 << b:
            return b
    raise AssertionError("no width holds the codes")


def law_width(width: Callable[[NDArray[np.int8], QuantParams], int]) -> None:
    """W5: b bits and a side a neuron, on every mirrored, whole, narrow and ternary grid."""
    rng = np.random.default_rng(1)
    for b in range(2, 9):
        half = 1 << (b - 1)
        for qmin, qmax in ((-half, half - 1), (1 - half, half - 1), (-half, half)):
            if qmax > 127:
                continue
            for _ in range(20):
                w_q = rng.integers(qmin, qmax + 1, (int(rng.integers(1, 5)), 3)).astype(np.int8)
                params = QuantParams(0.5, 0, qmin, qmax)
                assert width(w_q, params) == width_by_search(w_q, params)


def test_weight_width_law() -> None:
    """W5 by search over the grids; a rule that reads the interval alone, and one that ignores the neurons, die."""
    law_width(weight_width)
    with pytest.raises(AssertionError):
        law_width(lambda w_q, w: (w.qmax - w.qmin).bit_length())
    with pytest.raises(AssertionError):
        law_width(lambda w_q, w: w.qmax.bit_length() + (w.qmin == -w.qmax and w.qmax & (w.qmax - 1) != 0))


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_weight_width_is_what_was_asked_for(bits: int) -> None:
    """W5: static and dynamic networks and `weight_widths` say the bits that rectified quantization was asked for."""
    model, x = float_network()
    net = quantize_rectified(model, x, bits)
    assert net.weight_bits == weight_widths(net) == tuple(layer.weight_bits for layer in net.layers) == (bits, bits)
    for method in ("nearest", "rectified"):
        assert quantize_dynamic(model, x, bits, method=method).weight_bits == (bits, bits)
    ternary = quantize_uniform(model, x, "ternary")
    assert (ternary.weight_bits, weight_widths(ternary)) == ((2, 2), ("ternary", "ternary"))


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8])
def test_weight_width_is_what_a_file_stores(bits: int) -> None:
    """W2, W5: packed densely, the codes take no more than their width and a flag bit a neuron."""
    model, x = float_network()
    net = quantize_rectified(model, x, bits)
    parts = {part.layer: part for part in itemize(encode_model(net, "dense", "npq")) if part.name == "weights"}
    for i, layer in enumerate(net.layers):
        flags = -(-layer.shape[1] // 8)
        # One byte for the form, and at most two for the length.
        assert parts[i].n_bytes - 3 <= -(-layer.w_q.size * layer.weight_bits // 8) + flags
        form = encode_weights(layer.w_q, 0, "dense")[0]
        if form.startswith("oriented"):
            assert form == f"oriented{layer.weight_bits}"
