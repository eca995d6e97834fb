"""How a layer's weights lie in flash: a byte a weight, fewer bits a weight, or the nonzero ones alone.

Legend: K contracted depth, N outputs; c (K, N) centred weights w_q - zw; u the codes as stored, c = u - base; bits the
width of u; base () or (N,); zx the input's zero point, X the largest magnitude of an input code. A neuron is a row.

    acc = sum_k (x_q - zx) c + bias = sum_k x_q u - base sum_k x_q + constant,    constant = bias - zx sum_k c

bytes    int8 u; base is 0 wherever c has 8 bits
packed   unsigned u of `bits` bits, least significant first, a row padded to whole bytes; base = -min c, of the layer or
         of each neuron (a mirrored grid keeps one code more than its bits hold, but no neuron uses both ends: W5)
sparse   c != 0 alone: distance from the one before (a byte; a zero weight bridges more than 255) and int8 c
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.integer.layer import IntegerLayer

_MAX_GAP: Final = 255


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """Hold the weights of a layer as a program stores them."""

    form: str  # bytes, packed, sparse
    bits: int
    codes: NDArray[np.integer]  # (N, K) int8; (N, row bytes) uint8; (entries,) int8
    base: Int64  # () or (N,)
    constant: Int64  # (N,)
    wide: bool  # a sum on the way may leave int32, so it is kept in int64
    gaps: NDArray[np.uint8] | None = None  # (entries,): sparse alone
    counts: NDArray[np.int64] | None = None  # (N,) entries of each neuron: sparse alone

    @property
    def n_bytes(self) -> int:
        """Bytes of the weights and of all that finding them takes; biases apart."""
        extra = self.base.size if self.base.ndim else 0
        if self.counts is None or self.gaps is None:
            return self.codes.size + extra
        return self.codes.size + self.gaps.size + 2 * self.counts.size


def store_weights(layer: IntegerLayer, pack: bool = True) -> StoredWeights:
    """Choose the shortest of the forms; the byte a weight where pack is False, or nothing is shorter.

    Packed are weights of four bits and less, and those for which fewer than eight bits were asked.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p, w = QuantParams(0.5, 0, -128, 127), np.array([[-1, 0, 1, 1]], np.int8).T
    >>> found = store_weights(IntegerLayer(w, np.array([7], np.int32), p, QuantParams(0.5, 0, -1, 1), p, "relu"))
    >>> found.form, found.bits, found.codes, found.base
    ('packed', 2, array([[164]], dtype=uint8), array(1))
    """
    forms = [_bytes(layer)]
    if pack:
        forms.append(_packed(layer))
        if forms[0].base.ndim == 0 and not forms[0].base and layer.shape[0] < 2**16:
            forms.append(_sparse(layer))
    return min(forms, key=lambda form: form.n_bytes)


def _bytes(layer: IntegerLayer) -> StoredWeights:
    c = _centred(layer)
    if c.min() >= -128 and c.max() <= 127:
        return _stored(layer, "bytes", 8, c.astype(np.int8).T, np.int64(0), c)
    # Nine bits of w_q - zw: the codes themselves, uint8 ones lowered by 128, and the zero point beside the sum.
    lowered = 128 if layer.w_q.dtype == np.uint8 else 0
    u = layer.w_q.astype(np.int64) - lowered
    return _stored(layer, "bytes", 8, u.astype(np.int8).T, np.asarray(layer.w.zero_point, np.int64) - lowered, u)


def _packed(layer: IntegerLayer) -> StoredWeights:
    c = _centred(layer)
    whole, own = c.min(), c.min(axis=0)
    bits, own_bits = int(c.max() - whole).bit_length(), int((c - own).max()).bit_length()
    base = -own if own_bits < bits else -whole
    bits = max(1, min(bits, own_bits))
    if bits > 4 and (layer.weight_bits > 7 or bits > 7):
        return _bytes(layer)
    u = c + base
    places = (u.T[:, :, np.newaxis] >> np.arange(bits)) & 1  # (N, K, bits), least significant first
    rows = np.packbits(places.reshape(len(u.T), -1).astype(np.uint8), axis=1, bitorder="little")
    return _stored(layer, "packed", bits, rows, np.asarray(base, np.int64), u)


def _sparse(layer: IntegerLayer) -> StoredWeights:
    c = _centred(layer)
    gaps: list[int] = []
    codes: list[int] = []
    counts: list[int] = []
    for column in c.T:
        before, first = 0, len(codes)
        for k in np.flatnonzero(column):
            gap = int(k) - before
            while gap > _MAX_GAP:
                gaps.append(_MAX_GAP)
                codes.append(0)
                gap -= _MAX_GAP
            gaps.append(gap)
            codes.append(int(column[k]))
            before = int(k)
        counts.append(len(codes) - first)
    stored = _stored(layer, "sparse", 8, np.array(codes, np.int8), np.int64(0), c)
    return StoredWeights(
        stored.form, 8, stored.codes, stored.base, stored.constant, stored.wide,
        np.array(gaps, np.uint8), np.array(counts, np.int64),
    )  # fmt: skip


def _centred(layer: IntegerLayer) -> Int64:
    return layer.w_q.astype(np.int64) - np.asarray(layer.w.zero_point, np.int64)


def _stored(
    layer: IntegerLayer, form: str, bits: int, codes: NDArray[np.integer], base: Int64 | np.int64, u: Int64
) -> StoredWeights:
    constant = layer.bias.astype(np.int64) - int(layer.x.zero_point) * _centred(layer).sum(axis=0)
    largest = max(abs(layer.x.qmin), abs(layer.x.qmax))
    # Magnitudes added up bound every partial sum, whatever the order: constant, products, and base times the sum of x.
    worst = np.abs(constant) + largest * (np.abs(u).sum(axis=0) + np.abs(base) * len(u))
    wide = bool((worst > 2**31 - 1).any())
    return StoredWeights(form, bits, np.ascontiguousarray(codes), np.asarray(base), constant, wide)
