"""Exercise of the fifth chapter: the backward pass of one layer of clipped ReLU.

Legend: x (B, K), w (K, N), b (N,) of the layer, da (B, N) the gradient of the loss by its outputs; small binary
fractions, so that floats compute every sum exactly, and none that puts a pre-activation on a kink."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from npquant.arrays import Float64
from npquant.testing.exercises.mark import Exercise

_FACTORS: Final = (1.0, 2.0, 3.0, -1.0, -2.0, -3.0, 0.0)
_WEIGHTS: Final = (0.0, 1.0, 2.0, -1.0, -2.0)
# A quarter beside whole numbers: no pre-activation is 0 or 1.
_BIASES: Final = (0.25, 1.25, 2.25, -0.75, -1.75)


def _layer_gradient(x: Float64, w: Float64, b: Float64, da: Float64) -> Float64:
    """F3, F2: dw[k,n] = sum_r x[r,k] da[r,n] f'(z[r,n]), entry by entry."""
    dw = np.zeros_like(w)
    for r, n in np.ndindex(da.shape):
        z = sum(x[r, k] * w[k, n] for k in range(len(w))) + b[n]
        for k in range(len(w)):
            dw[k, n] += x[r, k] * da[r, n] * (0 < z < 1)
    return dw


def _array(values: tuple[float, ...], *shape: int) -> st.SearchStrategy[Any]:
    """Draw an array of a shape; the first of the values is the plainest."""
    size = int(np.prod(shape))
    return st.lists(st.sampled_from(values), min_size=size, max_size=size).map(lambda drawn: np.reshape(drawn, shape))


def _layers(size: tuple[int, int, int]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Draw the arguments of a layer of (B, K, N)."""
    rows, depth, outputs = size
    return st.tuples(
        _array(_FACTORS, rows, depth),
        _array(_WEIGHTS, depth, outputs),
        _array(_BIASES, outputs),
        _array(_FACTORS, rows, outputs),
    )


EXERCISES: Final = (
    Exercise(
        "layer_gradient",
        "layer_gradient(x, w, b, da): dw of a = clip(x w + b, 0, 1), from da = dL/da",
        st.tuples(*[st.integers(1, 2)] * 3).flatmap(_layers),
        _layer_gradient,
        ((np.ones((1, 1)), np.zeros((1, 1)), np.array([1.25]), np.ones((1, 1))),),
    ),
)
