"""Tune a quantized network: weight codes fixed, the scales and biases of all layers moved together, without labels.

Legend: R calibration rows, B rows of a batch, K inputs and N neurons of a layer, C outputs; q (K, N) codes less their
zero point, s (N,) scales, b (N,) biases; f activation; `network` an IntegerMLP; `logits` L (R, C), what the float
network gives on the rows; M logits of the integer network; `output` "softmax" or "identity": which of the two E25.

E24 (layer)     z = (x q) s exp(u) + b + t v,  t the root mean square of z on the rows;  x' = R2 of R1 of f(z)
E25 (loss)      mean_r sum_c p_c (log p_c - log softmax(M)_c),  p = softmax(L);  or mean_rc (M - L)^2
E26 (slope)     R1 is passed through (straight through) where it does not saturate

The latent variables u and v start at 0; Adam tunes them, and the integer network made of them has the last word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64, Real
from npquant.compression.chain.layer_codes import LayerCodes, bias_codes, rescale_for_bias
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import dequantize, quantize
from npquant.kernels.qparams import QuantParams
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.losses import kl_divergence, log_softmax
from npquant.nn.optimizers import AdamState, adam_step

# With fewer rows, 2 N latent variables a layer learn the rows and not the network.
LEAST_ROWS = 512
BATCH_ROWS = 128
LEARNING_RATE = 0.005
# exp(u) stays within these: a scale must stay a positive normal float32.
LARGEST_CHANGE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """One layer in real numbers: its codes, scales, biases, the size of its outputs, and their quantization."""

    q: Float64
    s: Float64
    b: Float64
    size: Float64
    activation: str
    y: QuantParams


@dataclass(frozen=True, slots=True, eq=False)
class _Trace:
    """What the backward pass of one layer needs."""

    sums: Float64
    a: Real
    inside: NDArray[np.bool_]


def tune_scales(
    network: IntegerMLP,
    rows: Float64,
    logits: ArrayLike,
    *,
    steps: int = 300,
    output: str = "softmax",
    rng: int | np.random.Generator | None = None,
) -> IntegerMLP:
    """E24 to E26: tune the scales and biases of a network towards the float network's logits.

    Returns a network with the same weight codes: the better of start and end on all rows, as the integer networks
    themselves measure it. A table reads its rounded pre-activation in the integer network; E24 leaves that rounding
    out. Codes of outputs, and so the ranges calibrated for them, stay as they are. `network` has one scale a neuron and
    npquant's own arithmetic, and is not modified; real outputs count by their factors; `rows` (R, K) are checked
    training rows, at least 512; `steps`, >= 0, are those of Adam, 128 rows each, in the order that `rng` gives.
    ValueError if there are fewer rows, shapes do not agree, or a scale is one for a whole layer.

    >>> from npquant.compression.rounding.rectified.network import quantize_rectified
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> rng = np.random.default_rng(0)
    >>> model = FloatMLP((DenseLayer(rng.normal(0, 2, (4, 3)), np.zeros(3), "identity"),))
    >>> x = rng.normal(0, 1, (600, 4))
    >>> tuned = tune_scales(quantize_rectified(model, x, 3), x, model.logits(x), steps=20, rng=0)
    >>> tuned.weight_bits
    (3,)
    """
    wanted = np.asarray(logits, np.float64)
    if len(rows) < LEAST_ROWS:
        raise ValueError(f"{len(rows)} rows are too few to polish on: give at least {LEAST_ROWS}, or leave it out")
    if wanted.shape != (len(rows), network.neurons[-1]) or steps < 0:
        shape = (len(rows), network.neurons[-1])
        raise ValueError(f"logits have shape {wanted.shape}, steps is {steps}; they must be {shape} and at least 0")
    if any(np.ndim(layer.w.scale) == 0 for layer in network.layers):
        raise ValueError("a layer has one scale for all its neurons: polish what is quantized per channel")
    whole, network = network, replace(network, output_offset=None, output_factor=None)
    wanted = (wanted - (0.0 if whole.output_offset is None else whole.output_offset)) / (
        1.0 if whole.output_factor is None else whole.output_factor
    )
    generator = np.random.default_rng(rng)
    first = network.layers[0].x
    x = (network.encode(rows).astype(np.float64) - int(first.zero_point)) * float(first.scale)
    stages = _stages(network, x)
    latent: Float64 = np.zeros(2 * sum(len(stage.s) for stage in stages))
    state = AdamState(np.zeros_like(latent), np.zeros_like(latent), 0)
    for step in range(steps):
        at = generator.integers(0, len(x), BATCH_ROWS)
        slope = _slope(stages, latent, x[at], wanted[at], output)
        rate = LEARNING_RATE * (1 - step / steps)
        moved, state = adam_step(latent, slope, state, learning_rate=rate, beta1=0.9, beta2=0.99, epsilon=1e-12)
        latent = np.asarray(moved, np.float64)
    tuned = _assembled(network, stages, latent)
    best = tuned if loss(tuned, rows, wanted, output) < loss(network, rows, wanted, output) else network
    return replace(whole, layers=best.layers)


def loss(network: IntegerMLP, x: ArrayLike, logits: ArrayLike, output: str) -> float:
    """E25: measure a network on rows x (R, K) against float logits: nats, or squared units of the logits.

    >>> from npquant.compression.rounding.rectified.network import quantize_rectified
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))
    >>> loss(quantize_rectified(model, np.eye(2), 8), np.eye(2), np.eye(2), "identity") < 1e-4
    True
    """
    found, wanted = network.logits(x), np.asarray(logits, np.float64)
    return kl_divergence(wanted, found) if output == "softmax" else float(np.mean(np.square(found - wanted)))


def _stages(network: IntegerMLP, x: Float64) -> list[_Stage]:
    """Take a network's layers to real numbers, and see how large their pre-activations are."""
    stages = []
    for layer in network.layers:
        s, scale = np.asarray(layer.w.scale, np.float64), float(layer.x.scale)
        q, b = layer.centred_weights.astype(np.float64), layer.bias * (scale * s)
        z = (x @ q) * s + b
        stages.append(
            _Stage(q, s, b, np.sqrt(np.mean(np.square(z), axis=0)) + scale * s, layer.activation, layer.output)
        )
        x = _rounded(np.asarray(ACTIVATIONS[layer.activation][0](z), np.float64), layer.output)[0]
    return stages


def _rounded(a: Float64, y: QuantParams) -> tuple[Float64, NDArray[np.bool_]]:
    """Return R2 of R1 of values, and where R1 does not saturate."""
    codes = quantize(a, y)
    return np.asarray(dequantize(codes, y), np.float64), (codes > y.qmin) & (codes < y.qmax)


def _changes(stages: list[_Stage], latent: Float64) -> list[tuple[Float64, Float64]]:
    """Return exp(u) and v of every layer."""
    ends = np.cumsum([len(stage.s) for stage in stages for _ in range(2)])[:-1]
    parts = np.split(latent, ends)
    return [
        (np.exp(np.clip(u, -LARGEST_CHANGE, LARGEST_CHANGE)), v) for u, v in zip(parts[::2], parts[1::2], strict=True)
    ]


def _slope(stages: list[_Stage], latent: Float64, x: Float64, logits: Float64, output: str) -> Float64:
    """Return the derivative of E25 by the latent variables, on some rows."""
    changes, traces = _changes(stages, latent), []
    for stage, (growth, shift) in zip(stages, changes, strict=True):
        sums = (x @ stage.q) * (stage.s * growth)
        a = ACTIVATIONS[stage.activation][0](sums + stage.b + stage.size * shift)
        x, inside = _rounded(np.asarray(a, np.float64), stage.y)
        traces.append(_Trace(sums, a, inside))
    da = np.exp(log_softmax(x)) - np.exp(log_softmax(logits)) if output == "softmax" else 2 * (x - logits) / x.shape[1]
    da, slopes = da / len(x), []
    for stage, (growth, _), trace in zip(stages[::-1], changes[::-1], traces[::-1], strict=True):
        dz = np.asarray(ACTIVATIONS[stage.activation][1](da * trace.inside, trace.a), np.float64)
        slopes += [(dz * stage.size).sum(axis=0), (dz * trace.sums).sum(axis=0)]
        da = (dz * (stage.s * growth)) @ stage.q.T
    return np.concatenate(slopes[::-1])


def _assembled(network: IntegerMLP, stages: list[_Stage], latent: Float64) -> IntegerMLP:
    """Make the integer network of E24."""
    layers = []
    for i, (layer, stage, (growth, shift)) in enumerate(
        zip(network.layers, stages, _changes(stages, latent), strict=True)
    ):
        params = QuantParams(stage.s * growth, layer.w.zero_point, layer.w.qmin, layer.w.qmax)
        w_q, w = rescale_for_bias(LayerCodes(layer.w_q, params, stage.b + stage.size * shift), layer.x, i)
        bias = bias_codes(stage.b + stage.size * shift, layer.x, w)
        layers.append(IntegerLayer(w_q, bias, layer.x, w, layer.y, layer.activation, layer.pre))
    return replace(network, layers=tuple(layers))
