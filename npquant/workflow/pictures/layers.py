"""What each layer holds and writes, in histograms of at most 64 bars, and what its accumulators reach.

Legend: floating the pruned float network that model, the integer one, stands for; x_q input codes of rows; values whole
numbers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.integer.accumulator import accumulator_interval
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP

BARS: Final = 64
_FINE: Final = 4  # bars of the float weights a code, where codes are few


def histogram(values: NDArray[Any], low: int, high: int) -> dict[str, Any]:
    """Count whole numbers in [low, high]: "low", "step" numbers a bar, "counts".

    >>> histogram(np.array([0, 0, 2]), -1, 2)
    {'low': -1, 'step': 1, 'counts': [0, 2, 0, 1]}
    """
    step = -(-(high - low + 1) // BARS)
    counts = np.bincount((values.reshape(-1).astype(np.int64) - low) // step, minlength=-(-(high - low + 1) // step))
    return {"low": low, "step": step, "counts": counts.tolist()}


def layer_pictures(floating: FloatMLP, model: IntegerMLP, x_q: NDArray[Any]) -> list[dict[str, Any]]:
    """Describe every layer: weights as stored and as they were, outputs of the rows, ends of the accumulators."""
    codes, told = x_q, []
    for number, (layer, acc) in enumerate(zip(model.layers, model.accumulators(x_q), strict=True)):
        low, high = accumulator_interval(layer)
        codes = run_layer_plain(layer, codes, model.profile)
        told.append(
            {
                **_weights(_in_steps(floating, model, number), layer),
                "outputs": _outputs(layer, codes),
                "accumulator": {
                    "low": int(low.min()),
                    "high": int(high.max()),
                    "seen_low": int(acc.min()),
                    "seen_high": int(acc.max()),
                },
            }
        )
    return told


def _in_steps(floating: FloatMLP, model: IntegerMLP, number: int) -> Float64:
    """Write a layer's float weights in steps of their neurons, with everything folded in that the codes hold."""
    dense, layer = floating.layers[number], model.layers[number]
    w = np.asarray(dense.w, np.float64) / (6 if dense.activation == "hard_sigmoid" else 1)
    if number == 0 and np.ndim(model.input_params.scale):
        w = w * np.asarray(model.input_params.scale, np.float64)[:, np.newaxis]
    if number == len(model.layers) - 1 and model.output_factor is not None:
        w = w / model.output_factor
    steps: Float64 = w / np.asarray(layer.w.scale, np.float64)
    return steps


def _weights(steps: Float64, layer: IntegerLayer) -> dict[str, Any]:
    c = layer.centred_weights
    low, high = int(c.min()), int(c.max())
    scales = np.atleast_1d(np.asarray(layer.w.scale, np.float64))
    return {
        "shape": list(layer.shape),
        "scale": [float(scales.min()), float(np.median(scales)), float(scales.max())],
        "codes": histogram(c, low, high),
        "floats": _fine_histogram(steps, low, high),
        "clipped": float(np.mean((steps < low - 0.5) | (steps > high + 0.5))),
        "zeros": float(np.mean(c == 0)),
    }


def _fine_histogram(steps: Float64, low: int, high: int) -> dict[str, Any]:
    """Count real weights from a step below the codes to one above, what lies beyond in the bars at the ends."""
    span = high - low + 3
    step = 1 / _FINE if span * _FINE <= 2 * BARS else -(-span // BARS)
    start, bars = low - 1.5, int(np.ceil(span / step))
    places = np.clip(np.floor((steps.reshape(-1) - start) / step), 0, bars - 1).astype(int)
    return {"low": start, "step": step, "counts": np.bincount(places, minlength=bars).tolist()}


def _outputs(layer: IntegerLayer, codes: NDArray[Any]) -> dict[str, Any] | None:
    """Describe the output codes of rows, and the real values of the lowest and the highest code."""
    if layer.y is None or np.ndim(layer.y.scale):
        return None
    low, high, scale, zero = layer.y.qmin, layer.y.qmax, float(layer.y.scale), int(layer.y.zero_point)
    return {
        "codes": histogram(codes, low, high),
        "range": [scale * (low - zero), scale * (high - zero)],
        "at_low": float(np.mean(codes == low)),
        "at_high": float(np.mean(codes == high)),
    }
