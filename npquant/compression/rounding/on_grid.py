"""Networks whose weights lie on a grid already: the codes are read off, not chosen.

Legend: K inputs, N neurons; w (K, N) weights for input codes, q codes, s scale; sx input scale. F16 and F17 are derived
in docs/finetuning.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerProblem, Quantized, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits, weight_grid
from npquant.compression.rounding.straight_through import StraightThrough
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP

# A float32 weight went through the scaling of its input, of its output and one rounding each way.
_ROUNDINGS = 8


def quantize_on_grid(
    model: FloatMLP,
    x_calibration: ArrayLike,
    quantizer: StraightThrough,
    rng: int | np.random.Generator | None = None,
    *,
    bias_bits: int | None = None,
    calibrate: RangeRule = min_max_range,
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Turn a network that was trained through a quantizer into an integer one, without moving a weight.

    Parameters
    ----------
    model : FloatMLP
        What `finetune` returned; not modified.
    x_calibration : array, shape (R, K)
        The rows that it was trained on; for whole numbers within 255, any training rows.
    quantizer : StraightThrough
        The quantizer that it was trained through.
    rng : int, Generator or None
        Not used; all quantizers take it.
    bias_bits : int, optional
        2..32: round the biases of each layer to so many bits, as `round_biases` does.
    calibrate : callable
        Values -> (lo, hi), for ranges that the activation does not bound.
    inputs : {"auto", "exact", "by_feature"}
        Those that it was trained for; "auto" is what the quantizer says, and else those that put the weights on a grid.
    output : {"auto", "softmax", "identity"}
        As in `quantize_model`; several outputs have no factors where the weights of a layer have one scale.

    Returns
    -------
    IntegerMLP
        s q are the model's weights up to their own rounding; a grid that has a coarser one inside is given as that.

    Raises
    ------
    TypeError
        If the model is an integer one already.
    ValueError
        If a layer's weights lie on no grid of its width, or a parameter is not valid.
    OverflowError
        If a bias or an accumulator cannot be held in int32.

    Notes
    -----
    F16: for m = 1, 2, ... up to the largest code, s = max|w| / m is the scale if all w / s are whole numbers up to the
    rounding of w; the first m that fits gives the largest s. Per neuron or for the whole matrix, as the quantizer says.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.5], [-0.5]]), np.array([0.25]), "identity"),))
    >>> quantize_on_grid(model, [[0, 4], [4, 0]], StraightThrough(bits=3)).layers[0].w_q.ravel()
    array([ 3, -1], dtype=int8)
    """

    def read_codes(problem: LayerProblem, bits: Bits) -> LayerCodes:
        grid, eps = weight_grid(bits), float(np.finfo(model.dtype).eps)
        if quantizer.granularity == "per_tensor":
            scale = np.asarray(read_scale(problem.w.ravel(), grid, eps, f"layer {problem.index}"))
        else:
            columns = enumerate(problem.w.T)
            scale = np.array([read_scale(w, grid, eps, f"layer {problem.index}, neuron {n}") for n, w in columns])
        codes = np.rint(problem.w / scale).astype(np.int8)
        return LayerCodes(codes, QuantParams(scale, 0, *grid), problem.b)

    # A factor for each output would leave one scale for all no grid.
    one_scale = quantizer.granularity == "per_tensor" and model.neurons[-1] > 1
    read = partial(
        quantize_by_layers,
        model,
        x_calibration,
        quantizer.bits,
        quantizer.output_bits(len(model.layers))[:-1],
        read_codes,
        calibrate=calibrate,
        output="softmax" if one_scale else output,
    )
    net = _first_that_fits(read, quantizer.inputs if inputs == "auto" else inputs)
    return net if bias_bits is None else round_biases(net, bias_bits)


def _first_that_fits(read: Callable[..., Quantized], inputs: str) -> IntegerMLP:
    """Read codes for these inputs, with "auto" for others where the choice of now is not that of the training."""
    if inputs != "auto":
        return read(inputs=inputs).network
    try:
        return read(inputs="auto").network
    except ValueError as error:
        for other in ("exact", "by_feature"):
            with contextlib.suppress(ValueError):
                return read(inputs=other).network
        raise error


def read_scale(w: Float64, grid: tuple[int, int], eps: float, name: str) -> float:
    """F16: read the scale s > 0 of weights w (K,) off the weights; 1 where all are 0.

    The largest s that makes all codes whole numbers of `grid`, (qmin, qmax). `eps` is the machine epsilon that the
    weights were rounded by, `name` whose they are, for the message. Of the fits of one m, s is the least-squares one.
    ValueError if there is none.

    >>> read_scale(np.array([0.75, -0.5, 0.0]), (-4, 3), 2.0**-52, "layer 0")
    0.25
    """
    largest = float(np.max(np.abs(w), initial=0.0))
    if largest == 0.0:
        return 1.0
    for m in range(1, max(-grid[0], grid[1]) + 1):
        steps = w * (m / largest)
        codes = np.rint(steps)
        # |w - s q| <= 8 eps |w|, and the same for max|w| that s comes from: together 16 eps |q| on q = w / s. At 8 bits
        # and float32 that is 2.5e-4, far below the 1/2 that would make a code doubtful.
        inside = codes.min() >= grid[0] and codes.max() <= grid[1]
        if inside and (np.abs(steps - codes) <= 2 * _ROUNDINGS * eps * np.abs(steps)).all():
            return float((w @ codes) / (codes @ codes))
    raise ValueError(
        f"{name}: the weights lie on no grid of codes {grid[0]}..{grid[1]}: fine-tune the model through this quantizer "
        "and calibrate on the rows of the fine-tuning, or quantize it with quantize_rectified"
    )


def round_biases(net: IntegerMLP, bits: int) -> IntegerMLP:
    """F17: round biases to few bits, so that they take few to store.

    b_q := 2^t clip(round_half_even(b_q / 2^t), -2^(bits-1), 2^(bits-1) - 1), t the least, layer by layer, that leaves
    all multiples in `bits` bits, 2..32; 32 changes nothing. It moves no pre-activation by more than 2^(t-1) sx sw, or
    2^t sx sw for the largest bias. `net` is an IntegerMLP, and not changed: TypeError for another; ValueError if bits
    is outside 2..32.

    >>> from npquant.integer.layer import IntegerLayer
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.ones((1, 3), np.int8), np.array([1000, -37, 5], np.int32), p, p, p, "identity")
    >>> round_biases(IntegerMLP((layer,), p), 4).layers[0].bias
    array([896,   0,   0], dtype=int32)
    """
    if not isinstance(net, IntegerMLP):
        raise TypeError(f"the network is a {type(net).__name__}; round the biases of an IntegerMLP")
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 2 <= bits <= 32:
        raise ValueError(f"bits is {bits!r}; it must be an integer in 2..32")
    layers = tuple(replace(layer, bias=_rounded(layer.bias.astype(np.int64), int(bits))) for layer in net.layers)
    return replace(net, layers=layers)


def _rounded(bias: NDArray[np.int64], bits: int) -> NDArray[np.int32]:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    step = 1
    # One more than the grid holds is clipped: doubling the step for it would cost every other bias a bit.
    while np.rint(bias.min() / step) < low or np.rint(bias.max() / step) > high + 1:
        step *= 2
    return np.asarray(np.clip(np.rint(bias / step), low, high) * step, np.int64).astype(np.int32)
