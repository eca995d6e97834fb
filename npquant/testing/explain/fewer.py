"""Less of a case: fewer layers, rows, columns, inputs, neurons, calls; what goes is quiet or folded into a bias.

Legend: case what a backend got wrong, at row and column of its output; each function yields candidates, of which none
need fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from npquant.profiles import get
from npquant.testing.case import Case, expected_of_layer
from npquant.testing.explain.smaller import (
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
    """Yield what to keep of n things: some alone, then all but a part, when asked for: 60,000 would fill 28 GB."""
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
