"""Plainer numbers in a case of one layer: parameters without zero points and channels, small sums, codes and values.

Legend: case what a backend got wrong, at row and column of its output; each function yields candidates, of which none
need fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Case
from npquant.testing.explain.smaller import FEW, bias_codes, biased, centred, chunks, folded, with_layer

SMALL_SUMS: Final = (0, 1, -1, 3, -3, 2, -2)


def plain_parameters(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield the case without activation, zero points, channels; with scales of powers of two, then 1/2 and small
    sums."""
    if len(case.model.layers) > 1:
        return
    layer = case.model.layers[0]
    x, w, y = layer.x, layer.w, layer.y
    yield with_layer(case, replace(layer, activation="none"))
    one = _one_channel(w, column)
    zeroed = [_zeroed(p) for p in (x, one, y)]
    moved = _shifted(case.x_q, x, zeroed[0]), _shifted(layer.w_q, w, zeroed[1])
    m = float(x.scale) * float(np.ravel(one.scale)[0]) / float(y.scale)
    for power in (0.5, 2.0 ** round(log2(m)) if m > 0 else 1.0, 1.0):
        p = [replace(q, scale=np.float32(s)) for q, s in zip(zeroed, (1.0, power, 1.0), strict=True)]
        bare = replace(layer, w_q=moved[1], x=p[0], w=p[1], y=p[2], activation="none")
        cut = with_layer(replace(case, x_q=moved[0]), bare)
        yield cut
        if power == 0.5:
            yield from small_sums(cut, row, column)
    yield with_layer(case, replace(layer, w=one))
    for power in (0.5, 2.0 ** round(log2(m)) if m > 0 else 1.0):
        p = [replace(q, scale=np.float32(s)) for q, s in zip((x, one, y), (1.0, power, 1.0), strict=True)]
        cut = with_layer(case, replace(layer, x=p[0], w=p[1], y=p[2]))
        yield cut
        yield from small_sums(cut, row, column)
    yield with_layer(case, replace(layer, w=replace(w, scale=_powers(w.scale))))
    yield with_layer(case, replace(layer, y=_zeroed(y)))
    yield with_layer(replace(case, x_q=moved[0]), replace(layer, x=_zeroed(x)))
    yield with_layer(case, replace(layer, w=_zeroed(w), w_q=_shifted(layer.w_q, w, _zeroed(w))))


def _powers(scale: Any) -> Any:
    return np.exp2(np.round(np.log2(np.asarray(scale, np.float64)))).astype(np.float32)


def _one_channel(w: Any, column: int) -> Any:
    """Return per-channel parameters as the scalars of one channel."""
    if not w.per_channel:
        return w
    pick = [np.ravel(v)[column if np.ndim(v) else 0] for v in (w.scale, w.zero_point)]
    return QuantParams(pick[0], int(pick[1]), w.qmin, w.qmax)


def _zeroed(p: Any) -> Any:
    return replace(p, zero_point=np.zeros_like(p.zero_point) if np.ndim(p.zero_point) else 0)


def _shifted(codes: NDArray[Any], old: Any, new: Any) -> NDArray[Any]:
    """Return codes that mean under new what they meant under old, as far as the interval goes."""
    moved = centred(codes, old) + np.asarray(new.zero_point, np.int64)
    return np.asarray(np.clip(moved, new.qmin, new.qmax).astype(codes.dtype))


def small_sums(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield biases that make the output's accumulator small."""
    layer = case.model.layers[0]
    if not len(case.x_q):
        return
    acc = folded(layer, case.x_q[row], [])[column]
    for wanted in SMALL_SUMS:
        bias = bias_codes(layer)
        bias[column] += wanted - acc
        yield from biased(case, layer, bias)


def small_numbers(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield smaller biases, then smaller codes one at a time: with the accumulator kept by the bias, and without."""
    if len(case.model.layers) > 1:
        return
    layer = case.model.layers[0]
    bias = bias_codes(layer)
    yield from biased(case, layer, 0 * bias)
    yield from small_sums(case, row, column)
    for j in range(len(bias)) if len(bias) <= FEW else (column,):
        for value in (0, int(bias[j]) // 2 if bias[j] > 0 else -(-int(bias[j]) // 2), int(bias[j] - np.sign(bias[j]))):
            less = bias.copy()
            less[j] = value
            yield from biased(case, layer, less)
    if case.elements > FEW or not len(case.x_q):
        return
    for i, k in np.ndindex(*case.x_q.shape):
        for code in _nearer(int(case.x_q[i, k]), int(layer.x.zero_point)):
            x_q = case.x_q.copy()
            x_q[i, k] = code
            kept = bias + folded(layer, case.x_q[row], []) - folded(layer, x_q[row], [])
            yield from biased(replace(case, x_q=x_q), layer, kept)
            yield replace(case, x_q=x_q)
    zeros = np.broadcast_to(np.asarray(layer.w.zero_point), bias.shape)
    for k, j in np.ndindex(*layer.w_q.shape):
        for code in _nearer(int(layer.w_q[k, j]), int(zeros[j])):
            w_q = layer.w_q.copy()
            w_q[k, j] = code
            lighter = replace(layer, w_q=w_q)
            kept = bias + folded(layer, case.x_q[row], []) - folded(lighter, case.x_q[row], [])
            yield from biased(case, lighter, kept)
            yield with_layer(case, lighter)


def _nearer(code: int, zero: int) -> list[int]:
    """Return codes between a code and its zero point: the zero point, one beside it, half way."""
    away = code - zero
    tried = (0, 1 if away > 0 else -1, int(away / 2))
    return [zero + d for d in dict.fromkeys(tried) if abs(d) < abs(away)]


def simpler_values(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield, of real values to be quantized, the one alone, all but a part, scale 1 with the value scaled along, zero
    point 0."""
    p = case.model.layers[0].x
    if case.x_q.size > 1:
        yield replace(case, x_q=case.x_q[[row]])
    for keep in chunks(case.x_q.size):
        yield replace(case, x_q=case.x_q[keep])
    plain = [_zeroed(p), p]
    with np.errstate(all="ignore"):
        for q in plain:
            for power in (1.0, 0.5, 2.0 ** round(log2(float(p.scale)))):
                values = (case.x_q.astype(np.float64) / float(p.scale) * power).astype(np.float32)
                yield _requantized(replace(case, x_q=values), replace(q, scale=np.float32(power)))
        yield _requantized(case, plain[0])
        for digits in (0, 1, 2, 4):
            yield replace(case, x_q=np.round(case.x_q * np.float32(2.0**digits)) / np.float32(2.0**digits))


def _requantized(case: Case, p: Any) -> Case:
    return with_layer(case, replace(case.model.layers[0], x=p, w=p, y=p))
