"""Integer networks as TFLite can hold them, of any type, width and activation."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get

INTERVALS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
TABLES = {"sigmoid": (1 / 256, -128), "tanh": (1 / 128, 0)}


def network(
    rng: np.random.Generator,
    sizes: Sequence[int],
    activations: Sequence[str],
    *,
    dtype: str = "int8",
    bits: int = 8,
    per_channel: bool = False,
) -> IntegerMLP:
    """A network of random weights whose codes use most of their interval."""
    x = first = params(rng, dtype, float(rng.uniform(0.01, 0.05)))
    layers = []
    for (k, n), activation in zip(pairwise(sizes), activations, strict=True):
        w_q, w = weights(rng, k, n, dtype, bits, per_channel)
        # Outputs within a few units of 0, so that a head has something to say.
        reach = np.sqrt(k) * (x.qmax - x.qmin) / 4 * (w.qmax - w.qmin) / 4
        w = QuantParams(
            np.asarray(w.scale) * (2 / reach / float(x.scale) / float(np.mean(w.scale))), w.zero_point, w.qmin, w.qmax
        )
        y = params(rng, dtype, 2 / (x.qmax - x.qmin) * float(rng.uniform(3, 6)))
        pre = None
        if activation in TABLES:
            scale, zero_point = TABLES[activation]
            pre, y = params(rng, dtype, 8 / 256), QuantParams(scale, zero_point, -128, 127)
        bias = rng.integers(-int(reach), int(reach) + 1, n).astype(np.int64 if dtype == "int16" else np.int32)
        layers.append(IntegerLayer(w_q, bias, x, w, y, activation, pre))
        x = y
    return IntegerMLP(tuple(layers), first, profile=get("litert_ref_2025"))


def params(rng: np.random.Generator, dtype: str, scale: float) -> QuantParams:
    """All codes of a type, around any zero point; 16-bit codes have 0."""
    qmin, qmax = INTERVALS[dtype]
    return QuantParams(scale, 0 if dtype == "int16" else int(rng.integers(qmin, qmax + 1)), qmin, qmax)


def weights(
    rng: np.random.Generator, k: int, n: int, dtype: str, bits: int, per_channel: bool
) -> tuple[np.ndarray, QuantParams]:
    """Weight codes of all their interval: -128 too."""
    scale = rng.uniform(0.005, 0.02, n if per_channel else None)
    if dtype == "uint8":
        return rng.integers(0, 256, (k, n)).astype(np.uint8), QuantParams(scale, int(rng.integers(90, 160)), 0, 255)
    half = 2 ** (bits - 1)
    return rng.integers(-half, half, (k, n)).astype(np.int8), QuantParams(scale, 0, -half, half - 1)


def inputs(rng: np.random.Generator, model: IntegerMLP, rows: int) -> np.ndarray:
    """Input codes of all their interval."""
    p = model.input_params
    return rng.integers(p.qmin, p.qmax + 1, (rows, model.n_inputs)).astype(p.dtype)
