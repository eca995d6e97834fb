"""All that a program needs of a network, as integers: what the C source and the memory image are written from.

Legend: model an IntegerMLP; pack whether a weight may take less than a byte; low, high (N,) the ends of a
layer's accumulators (C7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.integer.accumulator import accumulator_interval
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.c99.requantization import Requantization, requantization
from npquant.interop.c99.stored_weights import StoredWeights, store_weights


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """Hold one layer in integers."""

    layer: IntegerLayer
    weights: StoredWeights
    low: Int64
    high: Int64
    bits: int  # that hold every accumulator
    requantization: Requantization | None  # None: the layer gives its accumulators
    table: NDArray[np.integer] | None  # R12: the output code of each code of the pre-activation, from qmin on

    @property
    def x_type(self) -> str:
        """The C type of the input codes."""
        return f"{self.layer.x.dtype.name}_t"

    @property
    def y_type(self) -> str:
        """The C type of the output codes, or of the accumulators."""
        return f"{self.layer.bias.dtype.name if self.layer.y is None else self.layer.y.dtype.name}_t"

    @property
    def y_bytes(self) -> int:
        """Bytes of an output."""
        return (self.layer.bias.dtype if self.layer.y is None else self.layer.y.dtype).itemsize

    @property
    def n_bytes(self) -> int:
        """Bytes of the layer's constants."""
        n = self.layer.shape[1]
        channels = 0
        if self.requantization is not None and self.requantization.multiplier.ndim:
            wide = 8 if self.requantization.rule == "float64" else 4
            channels = n * (wide + 1 + int(bool(self.requantization.left.any())))
        table = 0 if self.table is None else self.table.nbytes
        return self.weights.n_bytes + (8 if self.weights.wide else 4) * n + channels + table


def plan(model: IntegerMLP, pack: bool = True) -> tuple[LayerPlan, ...]:
    """Plan every layer; TypeError if model is no IntegerMLP, ValueError if its arithmetic has no integer form."""
    if not isinstance(model, IntegerMLP):
        raise TypeError(f"a program in integers needs an IntegerMLP, got {type(model).__name__}: quantize it first")
    found = []
    for layer, bits in zip(model.layers, model.accumulator_bits, strict=True):
        low, high = accumulator_interval(layer)
        rounding = requantization(layer, model.profile, low, high)
        found.append(LayerPlan(layer, store_weights(layer, pack), low, high, bits, rounding, layer.code_table))
    return tuple(found)
