"""Integer networks of every kind that an integer layer can hold in 8 bits, drawn so that ties and rails are met."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get


@dataclass(frozen=True)
class Kind:
    """Say what is drawn."""

    activations: Sequence[str] = ("relu", "identity")
    sizes: Sequence[int] = (33, 20, 17)
    weight_bits: int = 8
    code_bits: int = 8
    unsigned: bool = False
    per_channel: bool = False
    weight_zero_points: bool = False
    unsigned_weights: bool = False
    no_bias: bool = False
    features: bool = False
    offset: bool = False
    real_outputs: bool = False
    least_zero: bool = False  # relu's outputs have their zero at the least code


KINDS = {
    "plain": Kind(),
    "least_zero": Kind(("relu", "relu", "identity"), (64, 32, 16, 10), least_zero=True),
    "per_channel": Kind(("relu", "relu", "identity"), (64, 31, 8, 10), per_channel=True),
    "unsigned": Kind(("relu", "identity"), (64, 20, 10), unsigned=True, least_zero=True),
    "unsigned_weights": Kind(unsigned=True, unsigned_weights=True, per_channel=True),
    "weight_zero_points": Kind(weight_zero_points=True),
    "clamps": Kind(("relu6", "clipped_relu", "relu_n1_to_1", "identity"), (20, 20, 20, 20, 10)),
    "tables": Kind(("sigmoid", "tanh", "table", "identity"), (20, 20, 20, 20, 10)),
    "last_table": Kind(("relu", "tanh"), (20, 20, 10)),
    "four_bits": Kind(("relu", "relu", "identity"), (33, 20, 20, 10), weight_bits=4, code_bits=4, per_channel=True),
    "two_bits": Kind(("relu", "identity"), (33, 20, 10), weight_bits=2),
    "one_neuron": Kind(("relu", "relu", "identity"), (1, 1, 1, 1), no_bias=True),
    "pruned": Kind(("relu", "relu", "identity"), (9, 3, 1, 2)),
    "features": Kind(features=True, per_channel=True),
    "offset": Kind(offset=True),
    "features_and_offset": Kind(features=True, offset=True),
    "real_outputs": Kind(("relu", "identity"), real_outputs=True, per_channel=True),
    "real_relu": Kind(("relu", "relu"), real_outputs=True),
    "wide": Kind(("relu", "identity"), (3000, 4, 30)),
}


def network(kind: Kind, rng: np.random.Generator) -> IntegerMLP:
    """Draw a network of a kind, under profile "ort"."""
    x = first = params(kind, 0.02, rng)
    layers = []
    last = len(kind.activations) - 1
    for i, activation in enumerate(kind.activations):
        made = layer(kind, x, kind.sizes[i : i + 2], activation, rng, real=kind.real_outputs and i == last)
        layers.append(made)
        if made.y is not None:
            x = made.y
    inputs = first
    if kind.features:
        inputs = QuantParams(rng.uniform(0.01, 0.03, kind.sizes[0]), first.zero_point, first.qmin, first.qmax)
    offset = rng.normal(size=kind.sizes[0]) if kind.offset else None
    return IntegerMLP(tuple(layers), inputs, offset, get("ort"))


def layer(
    kind: Kind, x: QuantParams, shape: Sequence[int], activation: str, rng: np.random.Generator, *, real: bool
) -> IntegerLayer:
    """Draw a layer whose outputs use a good part of their interval, half of the time with scales that make ties."""
    depth, outputs = shape
    most = 2 ** (kind.weight_bits - 1) - 1
    w_q = rng.integers(-most - 1, most + 1, (depth, outputs)).astype(np.int8)
    n = outputs if kind.per_channel else ()
    ties = rng.random() < 0.5
    sw = 2.0 ** rng.integers(-9, -6, n) if ties else rng.uniform(0.001, 0.01, n)
    zw = rng.integers(-most, most, n) if kind.weight_zero_points else np.zeros(n, np.int64)
    w = QuantParams(sw, zw if n else int(zw), -most - 1, most)
    if kind.unsigned_weights:
        w_q, w = (w_q.astype(np.int16) + 128).astype(np.uint8), QuantParams(sw, np.asarray(zw) + 128, 0, 255)
    bias = np.zeros(outputs, np.int32) if kind.no_bias else rng.integers(-3000, 3000, outputs).astype(np.int32)
    step = float(np.mean(w.scale)) * float(x.scale) * np.sqrt(depth) * most * 75 * 4 / 2**kind.code_bits
    if ties:  # sw sx / sy is a power of two where sw is
        step = float(x.scale) * 2.0 ** np.round(np.log2(step / float(x.scale)))
    if activation in ("sigmoid", "tanh"):
        pre = QuantParams(1 / 32, int(rng.integers(-20, 20)), -128, 127)
        y = QuantParams(1 / 256, -128, -128, 127) if activation == "sigmoid" else QuantParams(1 / 128, 0, -128, 127)
        return IntegerLayer(w_q, bias, x, QuantParams(sw / 64, w.zero_point, w.qmin, w.qmax), y, activation, pre)
    y = params(kind, step, rng, least=kind.least_zero and activation == "relu")
    if activation == "table":
        table = rng.integers(y.qmin, y.qmax + 1, y.qmax - y.qmin + 1).astype(y.dtype)
        return IntegerLayer(w_q, bias, x, w, y, activation, y, table)
    return IntegerLayer(w_q, bias, x, w, None if real else y, activation)


def params(kind: Kind, scale: float, rng: np.random.Generator, *, least: bool = False) -> QuantParams:
    """Draw a quantization of the kind's type."""
    half = 2 ** (kind.code_bits - 1)
    low = 0 if kind.unsigned else -half
    return QuantParams(scale, low if least else int(rng.integers(low, low + 2 * half)), low, low + 2 * half - 1)


def real_inputs(model: IntegerMLP, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Draw float32 inputs around the codes, on their ties, and beyond them."""
    p = model.input_params
    steps = rng.integers(p.qmin - 3, p.qmax + 4, (rows, model.n_inputs)) - np.asarray(p.zero_point)
    steps = steps + rng.choice([0, 0, 0.5, -0.5, 0.3], steps.shape)
    real = steps * np.asarray(p.scale, np.float64)
    return (real if model.input_offset is None else real + model.input_offset).astype(np.float32)
