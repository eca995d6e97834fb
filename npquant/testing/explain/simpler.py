"""Simpler forms of a case, one idea a function: what a shrinker proposes, from bold to small.

Legend: case what a backend got wrong, at row and column of its output; each function yields candidates, of which none
need fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from math import log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.testing.case import Case, expected_of_layer
from npquant.testing.explain.smaller import (
    FEW,
    Keep,
    bias_codes,
    biased,
    centred,
    chunks,
    columns,
    folded,
    keep_columns,
    keep_inputs,
    keep_rows,
    with_layer,
)

Simplify = Callable[[Case, int, int], Iterator[Case]]
SMALL_SUMS: Final = (0, 1, -1, 3, -3, 2, -2)


def alone(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield the output alone: one layer, one row, one column, no context, and one input or all of them."""
    bare = replace(case, earlier=(), neighbour=None, same_buffer=False, x_layout="c", w_layout="c")
    if len(case.model.layers) > 1:
        return
    if len(case.x_q):
        bare = keep_rows(bare, [row])
    bare = keep_columns(bare, [column])
    layer = bare.model.layers[0]
    if len(bare.x_q) and layer.w_q.shape[0] > 1:
        products = np.abs(centred(bare.x_q[0], layer.x) * centred(layer.w_q[:, 0], _scalar(layer.w)))
        yield from keep_inputs(bare, 0, [int(np.argmax(products))])
        yield from keep_inputs(bare, 0, [layer.w_q.shape[0] - 1])
    yield bare


def _scalar(p: Any) -> Any:
    """Return per-channel parameters of one channel as scalars."""
    if np.ndim(p.scale) or np.ndim(p.zero_point):
        return replace(p, scale=np.ravel(p.scale)[0], zero_point=int(np.ravel(p.zero_point)[0]))
    return p


def context(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield the case without earlier calls, neighbour, shared buffer or layout, all and one by one."""
    plain = replace(case, x_layout="c", w_layout="c")
    yield replace(plain, earlier=(), neighbour=None, same_buffer=False)
    yield plain
    yield replace(case, x_layout="c")
    yield replace(case, w_layout="c")
    yield replace(case, same_buffer=False)
    yield replace(case, neighbour=None)
    for i in range(len(case.earlier)):
        yield replace(case, earlier=case.earlier[:i] + case.earlier[i + 1 :])
    for i, codes in enumerate(case.earlier):
        for keep in _one_or_chunks(len(codes), 0):
            yield replace(case, earlier=(*case.earlier[:i], codes[keep], *case.earlier[i + 1 :]))


def fewer_layers(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield every shorter run of layers, the shortest first, each fed with the honest codes of those before it."""
    layers = case.model.layers
    inputs = [case.x_q]
    for layer in layers[:-1]:
        inputs.append(expected_of_layer(layer, inputs[-1], get(case.model.profile)))
    for length in range(1, len(layers)):
        for start in range(len(layers) - length + 1):
            model = replace(case.model, layers=layers[start : start + length])
            yield replace(case, model=model, x_q=inputs[start])


def fewer_rows(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield the row alone, the rows up to it, and all but a part."""
    if len(case.x_q) > 1:
        yield keep_rows(case, [row])
        yield keep_rows(case, np.arange(row + 1))
    for keep in chunks(len(case.x_q)):
        yield keep_rows(case, keep)


def fewer_columns(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield the column alone, the columns up to it, and all but a part."""
    n = case.model.layers[-1].w_q.shape[1]
    if n > 1:
        yield keep_columns(case, [column])
        yield keep_columns(case, np.arange(column + 1))
    for keep in chunks(n):
        yield keep_columns(case, keep)


def fewer_inputs(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield one input, and all but a part; what goes is folded into the bias."""
    k = case.model.layers[0].w_q.shape[0]
    if case.x_q.shape[1] != k:
        return
    for keep in _one_or_chunks(k, k - 1, 0) if k > 1 else ():
        yield from keep_inputs(case, row, keep)


def _one_or_chunks(n: int, *single: int) -> Iterator[Keep]:
    """Yield what to keep of n things: some alone, then all but a part, made as they are asked for: those of 60,000
    inputs would fill 28 GB.
    """
    yield from ([i] for i in single)
    yield from chunks(n)


def fewer_neurons(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield networks with fewer neurons between two layers; what goes is folded into the next layer's bias."""
    codes = case.x_q
    for i in range(len(case.model.layers) - 1):
        layer, after = case.model.layers[i], case.model.layers[i + 1]
        codes = expected_of_layer(layer, codes, get(case.model.profile))
        n = layer.w_q.shape[1]
        for keep in _one_or_chunks(n, 0) if n > 1 else ():
            narrow = with_layer(case, columns(layer, keep), i)
            yield from biased(narrow, replace(after, w_q=after.w_q[keep]), folded(after, codes[row], keep), i + 1)


def quiet(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield the case with inputs and weights set to their zero points: other rows, other columns, then the output's own
    with their products folded into the bias."""
    layer = case.model.layers[0]
    k, n = layer.w_q.shape
    x_zero, w_zero = np.asarray(layer.x.zero_point), np.broadcast_to(np.asarray(layer.w.zero_point), (n,))
    others = [j for j in range(n) if j != column]
    if others and len(case.model.layers) == 1:
        w_q, bias = layer.w_q.copy(), bias_codes(layer)
        bias[others] = 0
        yield from biased(case, layer, bias)
        w_q[:, others] = w_zero[others]
        yield from biased(case, replace(layer, w_q=w_q), bias)
    rest = [i for i in range(len(case.x_q)) if i != row]
    if rest:
        x_q = case.x_q.copy()
        x_q[rest] = x_zero
        yield replace(case, x_q=x_q)
    for keep in chain([np.arange(0)], chunks(k), [np.arange(k - 1)]) if k else ():
        drop = np.setdiff1d(np.arange(k), keep)
        x_q, w_q = case.x_q.copy(), layer.w_q.copy()
        x_q[:, drop], w_q[drop] = x_zero, w_zero
        bias = folded(layer, case.x_q[row], keep)
        yield from biased(replace(case, x_q=x_q), replace(layer, w_q=w_q), bias)
        yield from biased(replace(case, x_q=x_q), layer, bias)
        yield from biased(case, replace(layer, w_q=w_q), bias)


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


def fewer_of_illegal(case: Case, row: int, column: int) -> Iterator[Case]:
    """Yield illegal cases of one row, of fewer outputs and of less depth on both sides."""
    layer = case.model.layers[0]
    if len(case.x_q) > 1:
        yield case if not len(case.x_q) else keep_rows(case, [0])
    n, k = layer.w_q.shape[1], min(layer.w_q.shape[0], case.x_q.shape[1])
    for keep in _one_or_chunks(n, 0) if n > 1 else ():
        yield keep_columns(case, keep)
    for less in dict.fromkeys((k - 1, k // 2, 1)):
        if 0 < less < k + 1 and less:
            yield with_layer(replace(case, x_q=case.x_q[:, less:]), replace(layer, w_q=layer.w_q[less:]))


LINEAR: Final[tuple[Simplify, ...]] = (
    alone,
    context,
    fewer_layers,
    fewer_rows,
    fewer_columns,
    fewer_inputs,
    fewer_neurons,
    quiet,
    plain_parameters,
    small_numbers,
)
QUANTIZE: Final[tuple[Simplify, ...]] = (simpler_values,)
ILLEGAL: Final[tuple[Simplify, ...]] = (fewer_of_illegal,)


def ways(case: Case) -> tuple[Simplify, ...]:
    """Return the ways in which a case may be made simpler."""
    if case.status == "must_reject":
        return ILLEGAL
    return QUANTIZE if case.op == "quantize" else LINEAR
