"""Exercise of the fifth chapter: the backward pass of one layer of clipped ReLU.

Legend: x (B, K), w (K, N), b (N,) of the layer, da (B, N) the gradient of the loss by its outputs; small binary
fractions, so that floats compute every sum exactly, and none that puts a pre-activation on a kink."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from npquant.arrays import Float64
from npquant.testing.exercises.mark import Exercise


def _layer_gradient(x: Float64, w: Float64, b: Float64, da: Float64) -> Float64:
    """F3, F2: dw[k,n] = sum_r x[r,k] da[r,n] f'(z[r,n]), entry by entry."""
    rows, depth, outputs = range(len(x)), range(len(w)), range(len(b))
    exact = {name: np.vectorize(Fraction, otypes=[object])(v) for name, v in (("x", x), ("w", w), ("b", b), ("da", da))}
    z = [[sum((exact["x"][r, k] * exact["w"][k, n] for k in depth), exact["b"][n]) for n in outputs] for r in rows]
    return np.array(
        [
            [float(sum(exact["x"][r, k] * exact["da"][r, n] * (0 < z[r][n] < 1) for r in rows)) for n in outputs]
            for k in depth
        ]
    )


def _whole(*shape: int) -> st.SearchStrategy[Any]:
    """Draw an array of integers of a shape."""
    size = int(np.prod(shape))
    return st.lists(st.integers(-3, 3), min_size=size, max_size=size).map(lambda n: np.reshape(n, shape) * 1.0)


def _layers(size: tuple[int, int, int]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Draw the arguments of a layer of (B, K, N); a bias of whole and a quarter leaves z between the kinks."""
    rows, depth, outputs = size
    bias = _whole(outputs).map(lambda n: n + 0.25)
    return st.tuples(_whole(rows, depth), _whole(depth, outputs), bias, _whole(rows, outputs))


EXERCISES: Final = (
    Exercise(
        "layer_gradient",
        "layer_gradient(x, w, b, da): dw of a = clip(x w + b, 0, 1), from da = dL/da",
        st.tuples(*[st.integers(1, 3)] * 3).flatmap(_layers),
        _layer_gradient,
        ((np.ones((1, 1)), np.zeros((1, 1)), np.array([1.25]), np.ones((1, 1))),),
    ),
)
