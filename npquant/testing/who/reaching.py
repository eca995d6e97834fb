"""Rows of input that take one output of a layer to a wanted sum of products, its weights being what they are.

Legend: d (K,) one output's weight codes less their zero point; u (R, K) input codes less theirs, each in [low, high];
wanted (R,) sums that u @ d is to reach; rng a Generator."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.testing.case import Layer, checked

# Weights of which two are moved together to close what is left, and how far one of them is moved.
PAIR: Final = 10
REACH: Final = 128


def centred_weights(layer: Layer) -> Int64:
    """Return w_q - zw, int64 (K, N)."""
    return np.asarray(layer.w_q.astype(np.int64) - np.asarray(layer.w.zero_point, np.int64))


def centred_interval(layer: Layer) -> tuple[int, int]:
    """Return the interval of x_q - zx."""
    return layer.x.qmin - int(layer.x.zero_point), layer.x.qmax - int(layer.x.zero_point)


def reachable_interval(d: Int64, low: int, high: int) -> tuple[Int64, Int64]:
    """Return the smallest and the largest sum of each column of d (K, N).

    >>> reachable_interval(np.array([[2], [-3]]), -1, 10)
    (array([-32]), array([23]))
    """
    ends = np.stack([d * low, d * high])
    return ends.min(axis=0).sum(axis=0), ends.max(axis=0).sum(axis=0)


def rows_reaching(
    d: Int64, low: int, high: int, wanted: Int64, rng: np.random.Generator
) -> tuple[Int64, NDArray[np.bool_]]:
    """Return rows u (R, K) and where they reach their sums: from random rows, the largest weights first, then in pairs.

    Where a row is said to reach, u @ d is the sum exactly; where it is not, another row may.

    >>> u, reached = rows_reaching(np.array([5, 3]), -100, 100, np.array([1, 7]), np.random.default_rng(0))
    >>> (u @ [5, 3]).tolist(), reached.tolist()
    ([1, 7], [True, True])
    """
    u = rng.integers(low, high + 1, (len(wanted), len(d)))
    rest = np.asarray(wanted, np.int64) - u @ d
    order = np.argsort(-np.abs(d), kind="stable")
    order = order[d[order] != 0]
    for k in order:
        # Toward zero, so that the rest keeps its sign and falls below |d[k]| unless u[k] meets an end.
        step = np.sign(rest) * np.sign(d[k]) * (np.abs(rest) // abs(int(d[k])))
        moved = np.clip(u[:, k] + step, low, high)
        rest = rest - (moved - u[:, k]) * d[k]
        u[:, k] = moved
    for row in np.flatnonzero(rest):
        rest[row] = _close(u[row], d, int(rest[row]), low, high, order)
    return u, rest == 0


def _close(u: Int64, d: Int64, rest: int, low: int, high: int, order: Int64) -> int:
    """Move two inputs together, in place, so that the sum grows by rest; return what is left, 0 or rest."""
    values = np.unique(np.abs(d[order]), return_index=True)[1]
    few = order[values[:PAIR]]
    for i in few:
        a = np.arange(max(-REACH, low - u[i]), min(REACH, high - u[i]) + 1)
        for j in few:
            if i == j:
                continue
            b, over = np.divmod(rest - a * d[i], d[j])
            fits = (over == 0) & (u[j] + b >= low) & (u[j] + b <= high)
            if fits.any():
                best = int(np.argmax(fits))
                u[i], u[j] = u[i] + a[best], u[j] + b[best]
                return 0
    return rest


def as_codes(layer: Layer, u: Int64) -> NDArray[np.integer]:
    """Return input codes of centred ones."""
    x = checked(layer.x)
    return np.asarray((u + int(x.zero_point)).astype(x.dtype))
