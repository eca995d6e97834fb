"""Layers that the laws of the peers are tried on, and what codes make of them."""

import numpy as np
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes

Float64 = NDArray[np.float64]


def drawn_layer(seed: int) -> LayerProblem:
    """Draw a layer with correlated inputs, one of them dead."""
    rng = np.random.default_rng(seed)
    r, k, n = int(rng.integers(30, 60)), int(rng.integers(2, 14)), int(rng.integers(1, 5))
    x = np.abs(rng.normal(0, 1, (r, 3)) @ rng.normal(0, 1, (3, k)) + 0.3 * rng.normal(0, 1, (r, k)))
    x[:, 0] = 0.0
    w, b = rng.normal(0, 1, (k, n)), rng.normal(0, 1, n)
    return LayerProblem(w, b, x, x @ w + b, "clipped_relu", 0, False)


def layer_on_grid(seed: int, qmin: int, qmax: int) -> tuple[LayerProblem, Float64, Float64]:
    """Draw a layer whose weights are codes times a scale, with the codes and the scales."""
    problem = drawn_layer(seed)
    rng = np.random.default_rng(seed)
    q = rng.integers(qmin, qmax + 1, problem.w.shape).astype(np.float64)
    q[-1] = qmax  # the absmax scale is then this scale
    q[:-1] = np.maximum(q[:-1], -qmax)
    s = rng.uniform(0.1, 1, problem.w.shape[1]).astype(np.float32).astype(np.float64)  # type: ignore[attr-defined]
    w = s * q
    z = problem.x @ w + problem.b
    return LayerProblem(w, problem.b, problem.x, z, problem.activation, 0, False), q, s


def real_weights(codes: LayerCodes) -> Float64:
    """Return what the codes stand for."""
    return np.asarray(codes.w_q * np.asarray(codes.w.scale, np.float64))


def output_error(problem: LayerProblem, codes: LayerCodes) -> float:
    """Return the squared error of the pre-activations."""
    return float(np.square(problem.z - problem.x @ real_weights(codes) - codes.bias).sum())
