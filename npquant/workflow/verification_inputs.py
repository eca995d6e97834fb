"""What a runtime is asked: drawn inputs, and those at the limits.

Legend: found an `Imported`, model its network; rows how many are drawn, beside those at the limits; rng draws them;
params the quantization of codes (B, K).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.kernels.qparams import QuantParams

# Of the first layer's outputs and of the inputs, how many get rows of their own.
_MOST: Final = 16


def inputs_for(found: Imported, rows: int, rng: np.random.Generator) -> NDArray[Any]:
    """Inputs as the artefact takes them: codes, or float32 (beside, on and beyond the codes of an integer network)."""
    model = found.model
    if not isinstance(model, IntegerMLP):
        return _real_rows(model.n_inputs, rows, rng)
    if found.inputs is not None:
        return code_rows(model, found.inputs, rows, rng)
    codes = code_rows(model, model.input_params, rows, rng)
    steps = codes - np.asarray(model.input_params.zero_point, np.float64)
    steps[-rows:] += rng.choice([0.0, 0.0, 0.5, -0.5, 0.3, 3.0], steps[-rows:].shape)  # the rows that are drawn
    real = steps * np.asarray(model.input_params.scale, np.float64)
    return (real if model.input_offset is None else real + model.input_offset).astype(np.float32)


def code_rows(model: IntegerMLP, params: QuantParams, rows: int, rng: np.random.Generator) -> Codes:
    """Codes of params: the limits, each input alone at a limit, the extremes of the first layer's sums; then drawn.

    >>> from npquant.integer.layer import IntegerLayer
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[1], [-1]], np.int8), np.zeros(1, np.int32), p, p, p, "identity")
    >>> code_rows(IntegerMLP((layer,), p), p, 0, np.random.default_rng(0))[-2:].tolist()
    [[127, -128], [-128, 127]]
    """
    k, low, high = model.n_inputs, params.qmin, params.qmax
    zero = int(np.asarray(params.zero_point).ravel()[0])
    made = [np.full((1, k), code) for code in (low, high, zero)]
    for code in (low, high):
        alone = np.full((min(k, _MOST), k), zero)
        np.fill_diagonal(alone, code)
        made.append(alone)
    weights = model.layers[0].centred_weights[:, :_MOST].T
    made += [np.where(weights > 0, high, low), np.where(weights > 0, low, high)]
    made.append(rng.integers(low, high + 1, (rows, k)))
    return np.concatenate(made).astype(params.dtype)


def _real_rows(k: int, rows: int, rng: np.random.Generator) -> NDArray[np.float32]:
    drawn = rng.normal(size=(rows, k)) * 10.0 ** rng.uniform(-2, 1, (rows, 1))
    alone = np.eye(k)[:_MOST]
    return np.concatenate([np.zeros((1, k)), np.ones((1, k)), -np.ones((1, k)), alone, -alone, drawn]).astype(
        np.float32
    )
