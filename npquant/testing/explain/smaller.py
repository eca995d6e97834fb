"""How large a case is, and the same case with less in it: fewer rows, outputs, inputs.

Legend: case what a backend got wrong; layer one of its layers, i which; keep indices along one axis; row (K,) the codes
of one row of input, or its index; bias int64 codes. An input that goes folds its product into the bias: the accumulator
stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import frexp
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Case, Layer
from npquant.testing.solve import INT32_MAX, INT32_MIN

Keep = list[int] | NDArray[Any]
# Of more things than this, single ones are left out at the ends only.
FEW: Final = 16


def measure(case: Case) -> tuple[int, ...]:
    """Return how much there is to a case, the weightiest part first: what a candidate must be less of.

    Context, layers, operand elements; then those that are no zero points; parameters; the bits of all numbers."""
    layers = case.model.layers
    context = len(case.earlier) + (case.neighbour is not None) + case.same_buffer
    context += (case.x_layout != "c") + (case.w_layout != "c")
    elements = case.elements + sum(int(codes.size) for codes in case.earlier)
    if case.neighbour is not None:
        elements += sum(int(layer.w_q.size) for layer in case.neighbour.layers)
    params = sum(_weight(p) for layer in layers for p in (layer.x, layer.w, layer.y))
    params += sum(layer.activation != "none" for layer in layers)
    if case.op == "quantize":
        with np.errstate(all="ignore"):
            busy, bits = int(np.count_nonzero(case.x_q)), sum(_float_bits(float(v)) for v in case.x_q.flat)
        return context, len(layers), elements, busy, params, bits, 0
    values = [centred(case.x_q, layers[0].x)] + [centred(layer.w_q, layer.w) for layer in layers]
    values += [layer.bias.astype(np.int64) for layer in layers if layer.bias is not None]
    busy = sum(int(np.count_nonzero(v)) for v in values)
    size = sum(int(np.abs(v).sum()) for v in values)
    bits = sum(int(np.ceil(np.log2(np.abs(v) + 1.0)).sum()) for v in values)
    return context, len(layers), elements, busy, params, bits, size


def key(case: Case) -> tuple[Any, ...]:
    """Return what tells candidates of one case apart: all numbers and where they lie."""
    arrays: list[Any] = [case.x_q, *case.earlier]
    for layer in case.model.layers:
        arrays += [layer.w_q, layer.bias]
        arrays += [np.asarray(v) for p in (layer.x, layer.w, layer.y) for v in (p.scale, p.zero_point)]
    numbers = tuple(None if a is None else (a.shape, a.tobytes()) for a in arrays)
    activations = tuple(layer.activation for layer in case.model.layers)
    shapes = None if case.neighbour is None else tuple(layer.w_q.shape for layer in case.neighbour.layers)
    return numbers, activations, shapes, case.x_layout, case.w_layout, case.same_buffer


def _weight(p: Any) -> int:
    return (
        2 * int(np.ndim(p.scale) > 0)
        + 8 * int(np.count_nonzero(p.zero_point))
        + sum(_float_bits(float(s)) for s in np.ravel(p.scale))
    )


def _float_bits(value: float) -> int:
    """Return the bits of a float's odd part and of its exponent: 0 for 0 and 1."""
    if not np.isfinite(value) or value == 0:
        return 0 if value == 0 else 1
    mantissa, exponent = frexp(abs(value))
    whole = int(mantissa * 2**53)
    odd = whole // (whole & -whole)
    return 2 * (odd.bit_length() - 1) + abs(exponent - 1)


def centred(codes: NDArray[Any], p: Any) -> Int64:
    """Return codes less the zero point of their parameters p, int64; a zero point that is no integer is cut."""
    return np.asarray(codes.astype(np.int64) - np.asarray(p.zero_point, np.float64).astype(np.int64))


def chunks(n: int) -> Iterator[NDArray[np.int64]]:
    """Yield what to keep of n things: all but a half, a quarter ... one; of many, single ones only at the ends."""
    size, every = (n + 1) // 2, np.arange(n)
    while size and n > 1:
        starts = range(0, n, size) if size > 1 or n <= FEW else (0, n - 1)
        for start in starts:
            yield np.delete(every, np.s_[start : start + size])
        size = 0 if size == 1 else (size + 1) // 2


def with_layer(case: Case, layer: Layer, i: int = 0) -> Case:
    """Return the case with a layer in the place of its layer i."""
    layers = case.model.layers
    return replace(case, model=replace(case.model, layers=(*layers[:i], layer, *layers[i + 1 :])))


def bias_codes(layer: Layer) -> Int64:
    """Return the bias of a layer as int64 (N,); zeros where there is none."""
    n = layer.w_q.shape[1]
    return np.zeros(n, np.int64) if layer.bias is None else layer.bias.astype(np.int64)


def folded(layer: Layer, row: NDArray[Any], keep: Keep) -> Int64:
    """Return the bias that keeps the accumulators of a row (K,) when only some inputs stay; it may leave int32."""
    x, w = centred(row, layer.x), centred(layer.w_q, layer.w)
    return np.asarray(bias_codes(layer) + x @ w - x[keep] @ w[keep])


def biased(case: Case, layer: Layer, bias: Int64, i: int = 0) -> Iterator[Case]:
    """Yield the case with a layer of another bias as its layer i, if the bias fits int32."""
    if not bias.size or (bias.min() >= INT32_MIN and bias.max() <= INT32_MAX):
        yield with_layer(case, replace(layer, bias=bias.astype(np.int32)), i)


def keep_rows(case: Case, keep: Keep) -> Case:
    """Return the case on some rows."""
    return replace(case, x_q=case.x_q[keep])


def keep_columns(case: Case, keep: Keep) -> Case:
    """Return the case with some outputs of its last layer; a neighbour of that width keeps the same ones."""
    layer = case.model.layers[-1]
    n = layer.w_q.shape[1]
    cut = with_layer(case, columns(layer, keep), len(case.model.layers) - 1)
    if case.neighbour is not None and case.neighbour.layers[-1].w_q.shape[1] == n:
        other = case.neighbour.layers[-1]
        layers = (*case.neighbour.layers[:-1], columns(other, keep))
        cut = replace(cut, neighbour=replace(case.neighbour, layers=layers))
    return cut


def columns(layer: Layer, keep: Keep) -> Layer:
    """Return a layer with some of its outputs."""
    w: Any = layer.w
    if w.per_channel:
        scale = w.scale[keep] if np.ndim(w.scale) else w.scale
        zero = w.zero_point[keep] if np.ndim(w.zero_point) else w.zero_point
        w = QuantParams(scale, zero, w.qmin, w.qmax)
    bias = None if layer.bias is None else _cut(layer.bias, keep, layer)
    return replace(layer, w_q=layer.w_q[:, keep], w=w, bias=bias)


def _cut(bias: NDArray[Any], keep: Any, layer: Layer) -> NDArray[Any]:
    """Return the kept part of a bias; one of the wrong length stays as wrong as it is."""
    n, short = layer.w_q.shape[1], len(bias) - layer.w_q.shape[1]
    return bias[keep] if not short else np.resize(bias, max(len(np.arange(n)[keep]) + short, 0))


def keep_inputs(case: Case, row: int, keep: Keep) -> Iterator[Case]:
    """Yield the case with some inputs of its first layer, the others folded into the bias, everywhere in its
    sequence."""
    layer = case.model.layers[0]
    k = layer.w_q.shape[0]
    cut = replace(
        case,
        x_q=case.x_q[:, keep],
        earlier=tuple(codes[:, keep] if codes.shape[1] == k else codes for codes in case.earlier),
    )
    if case.neighbour is not None:
        first = case.neighbour.layers[0]
        layers = (replace(first, w_q=first.w_q[keep]), *case.neighbour.layers[1:])
        cut = replace(cut, neighbour=replace(case.neighbour, layers=layers))
    bias = folded(layer, case.x_q[row], keep) if len(case.x_q) else bias_codes(layer)
    yield from biased(cut, replace(layer, w_q=layer.w_q[keep]), bias)
