"""Random integer networks of every kind that other people's files hold: the cases of several tests."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get

INTERVALS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
# Profiles, and the kinds of codes and weights that each runs.
RUNS = {
    "npquant": ("int8", "uint8", "int16"),
    "ort": ("int8", "uint8"),
    "litert_ref_2025": ("int8", "uint8", "int16"),
    "ruy_x86": ("int8", "uint8", "int16"),
    "xnnpack_fp32": ("int8", "uint8"),
    "tflm": ("int8", "int16"),
    "ort_pair16": ("int8", "uint8"),
    "fbgemm": ("int8", "uint8"),
}


def params(rng: np.random.Generator, kind: str, scale: float, *, whole: bool = True) -> QuantParams:
    """Per-tensor parameters of a kind of codes: all of the type, or a part of it that no narrower type holds."""
    low, high = INTERVALS[kind]
    if not whole:
        low += int(rng.integers(0, (high - low) // 8)) if kind != "uint8" else 0
        high -= int(rng.integers(0, (high - low) // 8))
    zero = 0 if kind == "int16" else int(rng.integers(low, high + 1))
    return QuantParams(scale * rng.uniform(0.5, 2), zero, low, high)


def layer(
    rng: np.random.Generator, x: QuantParams, shape: tuple[int, int], kind: str, last: bool, profile: str
) -> IntegerLayer:
    """A layer that reads x, writes codes of a kind or, if last, perhaps its accumulators; a table now and then."""
    asymmetric = profile in ("npquant", "ort", "onnx_ref") and rng.random() < 0.5
    w_kind = "uint8" if asymmetric and rng.random() < 0.5 else "int8"
    low, high = INTERVALS[w_kind]
    per_channel = rng.random() < 0.5
    w_zero = int(rng.integers(low, high + 1)) if asymmetric else low + 128
    w = QuantParams(rng.uniform(0.01, 0.02, shape[1]) if per_channel else 0.015, w_zero, low, high)
    w_q = rng.integers(low, high + 1, shape).astype(w_kind)
    wide = x.dtype == np.int16
    bias_type = "int64" if wide and profile != "npquant" and rng.random() < 0.5 else "int32"
    bias = rng.integers(-3000, 3000, shape[1]).astype(bias_type)
    end = float(x.scale) * 0.015 * 60 * max(shape[0], 2) ** 0.5
    choice = rng.random()
    if last and choice < 0.35:
        return IntegerLayer(w_q, bias, x, w, None, str(rng.choice(["identity", "relu"])))
    if choice < 0.65:
        pre = params(rng, "int16" if wide else kind, end, whole=rng.random() < 0.5)
        y = params(rng, kind, end)
        table = rng.integers(y.qmin, y.qmax + 1, pre.qmax - pre.qmin + 1).astype(y.dtype)
        return IntegerLayer(w_q, bias, x, w, y, "table", pre, table)
    y = params(rng, "int16" if wide else kind, end, whole=rng.random() < 0.5)
    return IntegerLayer(w_q, bias, x, w, y, str(rng.choice(["identity", "relu", "relu6"])))


def network(seed: int, profile: str) -> IntegerMLP:
    """A network of one to three layers for a profile, of kinds that its engine runs."""
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(RUNS[profile]))
    widths = rng.integers(1, 9, int(rng.integers(2, 5)))
    x = first = params(rng, kind, 0.05, whole=rng.random() < 0.7)
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        layers.append(layer(rng, x, (int(k), int(n)), kind, i == len(widths) - 2, profile))
        x = layers[-1].y or x
        if x.dtype != np.int16 and kind == "int16":  # a table left the 16 bits
            kind = x.dtype.name
    return IntegerMLP(tuple(layers), first, profile=get(profile))


def codes(net: IntegerMLP, rows: int, seed: int) -> NDArray[Any]:
    """Input codes of a network, its ends among them."""
    p, rng = net.input_params, np.random.default_rng(seed)
    drawn = rng.integers(p.qmin, p.qmax + 1, (rows, net.n_inputs))
    ends = rng.choice([p.qmin, p.qmax], drawn.shape)
    return np.where(rng.random(drawn.shape) < 0.2, ends, drawn).astype(p.dtype)
