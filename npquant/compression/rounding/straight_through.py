"""Straight-through estimation: train through the rounding that a network will be stored with.

Legend: K inputs, N neurons; w (K, N) latent weights, q codes, s scale, u (K,) unit of layer 0: w u is a weight for
input codes; a outputs, levels 2^b - 1. Label F14 is derived in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64, Real
from npquant.compression.chain.calibration import checked_rows
from npquant.compression.chain.input_choice import check_inputs, choose_inputs
from npquant.compression.chain.output_codes import activation_bits_per_layer, input_bits
from npquant.compression.chain.weight_codes import (
    GRANULARITIES,
    Bits,
    bits_per_layer,
    choose_weight_params,
    weight_grid,
)
from npquant.nn.layers import Parameters

# Rows that tell how much exact inputs would cost.
SAMPLE_ROWS = 2048
# Outputs of these activations lie in [0, 1], or in [-1, 1] for tanh; those of others are given the range that was seen.
_BOUNDED = ("clipped_relu", "hard_sigmoid", "sigmoid", "tanh")


@dataclass(frozen=True, slots=True)
class StraightThrough:
    """Say what grid a network is trained on.

    Parameters
    ----------
    bits : int, "ternary" or sequence of these
        2..8 or ternary, for all layers or for each.
    granularity : {"per_channel", "per_tensor"}
        One scale a neuron, or one a layer: fewer bytes, and a larger error where inputs or neurons differ in size.
    activation_bits : int, sequence of int or None
        2..8 or 16 for hidden outputs, rounded in training as well; None leaves them real: at 8 bits nothing is gained.
    inputs : {"auto", "exact", "by_feature"}
        As in `quantize_model`: the codes of the inputs that layer 0's weights are for.

    Raises
    ------
    ValueError
        If a setting is not valid.

    Notes
    -----
    F14: the forward pass uses s q, q = clip(round_half_even(w / s), qmin, qmax); the gradient by s q is taken for that
    by w (Bengio, Leonard and Courville 2013, "Estimating or propagating gradients through stochastic neurons").
    The scale starts as in `choose_weight_params` and then follows the weights: after each rounding it is the
    least-squares one, s = sum(w q) / sum(q q). A weight that is 0 has the code 0.

    Examples
    --------
    >>> latent = [(np.array([[3.0], [-1.2], [0.0]]), np.zeros(1))]
    >>> StraightThrough(bits=3).start(latent, ["identity"], np.ones(3)).weights(latent)[0][0].round(2).ravel()
    array([ 3.06, -1.02,  0.  ])
    """

    bits: Bits | Sequence[Bits] = 4
    granularity: str = "per_channel"
    activation_bits: int | Sequence[int] | None = None
    inputs: str = "auto"

    def __post_init__(self) -> None:
        check_inputs(self.inputs)
        if self.granularity not in GRANULARITIES:
            raise ValueError(f"granularity is {self.granularity!r}; it must be one of {', '.join(GRANULARITIES)}")
        for width in (self.bits,) if isinstance(self.bits, int | np.integer | str) else tuple(self.bits):
            weight_grid(width)

    def check(self, layers: int) -> None:
        """Raise ValueError where there are not as many widths as a network of so many layers needs."""
        bits_per_layer(self.bits, layers)
        self.output_bits(layers)

    def output_bits(self, layers: int) -> tuple[int, ...]:
        """Return the activation bits of each layer; 8 where none are asked for."""
        return activation_bits_per_layer(8 if self.activation_bits is None else self.activation_bits, layers)

    def input_steps(self, x: NDArray[Any], w: Real) -> Float64:
        """Return the step (K,) of each input's codes, as the integer network will choose it from the same rows.

        `w` (K, N) are layer 0's weights as they are before the training.
        """
        # Whole numbers are told from their ends, without a float64 copy of all rows.
        rows = np.stack([x.min(axis=0), x.max(axis=0)]) if x.dtype.kind in "iu" else x
        asked = self.activation_bits
        first = asked[0] if isinstance(asked, Sequence) and asked else asked
        code = choose_inputs(
            checked_rows(rows), np.asarray(w, np.float64), self.inputs, checked_rows(x[:SAMPLE_ROWS]),
            input_bits((first,)) if isinstance(first, int | np.integer) else 8,
        )  # fmt: skip
        return np.broadcast_to(np.asarray(code.params.scale, np.float64), x.shape[1:]).copy()

    def start(self, parameters: Parameters, activations: Sequence[str], unit: Float64) -> GridForward:
        """Choose the first scales; `unit` (K,) times a weight of layer 0 is a weight for input codes."""
        widths = bits_per_layer(self.bits, len(parameters))
        units = [unit[:, np.newaxis], *[np.ones((1, 1))] * (len(parameters) - 1)]
        scales = []
        for (w, _), u, width in zip(parameters, units, widths, strict=True):
            params = choose_weight_params(
                w.astype(np.float64) * u, width, granularity=self.granularity, weight_scale="auto"
            )
            scales.append(np.asarray(params.scale, np.float64))
        bits = self.output_bits(len(parameters)) if self.activation_bits is not None else None
        peaks = [1.0 if name in _BOUNDED else 0.0 for name in activations]
        lows = [-1.0 if name == "tanh" else 0.0 for name in activations]
        grids = tuple(weight_grid(b) for b in widths)
        return GridForward(scales, units, grids, bits, peaks, lows, tuple(activations))


@dataclass(frozen=True, slots=True, eq=False)
class GridForward:
    """F14: round parameters and outputs in the forward pass; moves its own scales. See `StraightThrough`."""

    scales: list[Float64]  # s by layer, () or (N,); overwritten by `weights`
    units: Sequence[Float64]  # u by layer, (K, 1) or (1, 1)
    grids: Sequence[tuple[int, int]]  # (qmin, qmax) by layer
    output_bits: tuple[int, ...] | None  # by layer; None rounds no output
    peaks: list[float]  # largest output seen, by layer, at least 0; overwritten by `output`
    lows: list[float]  # smallest output seen, at most 0; overwritten by `output`
    activations: tuple[str, ...]  # by layer

    def weights(self, parameters: Parameters) -> Parameters:
        """Return s q / u and the biases, and move s to the least-squares scale of the codes (F14)."""
        rounded = []
        for i, (w, b) in enumerate(parameters):
            real = w * self.units[i].astype(w.dtype)
            codes = np.clip(np.rint(real / self.scales[i].astype(w.dtype)), *self.grids[i])
            self.scales[i] = _least_squares_scale(real, codes, self.scales[i])
            rounded.append(((codes * self.scales[i] / self.units[i]).astype(w.dtype), b))
        return tuple(rounded)

    def output(self, index: int, a: Real) -> Real:
        """Return the nearest of the levels of layer `index`'s outputs; ReLU spreads them up to the largest seen."""
        if self.output_bits is None:
            return a
        self.peaks[index] = max(self.peaks[index], float(a.max(initial=0.0)))
        self.lows[index] = min(self.lows[index], float(a.min(initial=0.0)))
        # Around 0 a tanh leaves one code out, so that its levels are even.
        levels = 2 ** self.output_bits[index] - (2 if self.activations[index] == "tanh" else 1)
        width = self.peaks[index] - self.lows[index]
        step = a.dtype.type(width / levels) if width else a.dtype.type(1)
        return np.asarray(np.rint(a / step) * step)


def _least_squares_scale(w: Real, codes: Real, scale: Float64) -> Float64:
    """Return sum(w q) / sum(q q), over the matrix or each column as `scale` is; the old one where all codes are 0."""
    # Not damped, as in E15: one number for many weights; and a negative one would turn codes into their opposites.
    axis = 0 if scale.ndim else None
    square = np.sum(codes * codes, axis=axis, dtype=np.float64)
    product = np.sum(w * codes, axis=axis, dtype=np.float64)
    fits = (square > 0) & (product > 0)
    return np.asarray(np.where(fits, product / np.where(fits, square, 1.0), scale))
