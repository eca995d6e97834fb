"""The method "auto": rows held out of calibration choose among the methods that draw nothing and take little time.

Legend: R calibration rows, a quarter of them held out; `rows` (R, K); `logits` (R, C) of the float network; `output`
"softmax" or "identity"; `make` takes a way to round and the numbers of rows, and quantizes the network on these.

Each peer has the settings that docs/peers.md found best, and both sides of the grid at 2 bits, as the rectified method
has. "rectified_even" is the rectified method with all d2 = 1 before the last layer. AdaRound is left out: it takes
several times as long as all others together, and draws.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.arrays import Float64, Indices
from npquant.compression.chain.integer_chain import LayerProblem, Quantized, Rounding
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.method_choice import MethodChoice, decide_method, divergence_by_row
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.gptq import gptq_layer
from npquant.compression.rounding.method_names import AUTO_METHODS
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.rectified.network import error_weights, rectified_codes
from npquant.compression.rounding.rounding_grid import better_side

HELD_OUT_SHARE: Final = 0.25
# With fewer rows held out a mean KL says nothing: then the first method is taken unasked.
LEAST_HELD_OUT: Final = 16


def candidates(output: str) -> MappingProxyType[str, Rounding]:
    """Return what "auto" chooses among, by name: the first stands unless another proves better.

    >>> tuple(candidates("softmax")) == AUTO_METHODS
    True
    """
    even = partial(_even_codes, output=output)
    peers = (
        partial(gptq_layer, resolve=True, damping=0.1),
        partial(gptq_layer, damping=0.3),
        nearest_layer,
    )
    sided = (partial(better_side, round_layer=peer) for peer in peers)
    roundings: tuple[Rounding, ...] = (partial(rectified_codes, output=output), even, *sided)
    return MappingProxyType(dict(zip(AUTO_METHODS, roundings, strict=True)))


def choose_by_held_out(
    rows: Float64, logits: Float64, output: str, make: Callable[[Rounding, Indices], Quantized]
) -> MethodChoice:
    """E30, E31: quantize by every candidate on three rows in four, and let the others choose.

    The rows held out are drawn with a seed of their own, so that the same rows in the same order give the same choice.

    >>> from npquant.compression.chain.integer_chain import quantize_by_layers
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> draw = np.random.default_rng(0)
    >>> model = FloatMLP((DenseLayer(draw.normal(0, 1, (4, 3)), np.zeros(3), "identity"),))
    >>> x = draw.normal(0, 1, (99, 4))
    >>> choice = choose_by_held_out(
    ...     x, model.logits(x), "softmax", lambda rounding, at: quantize_by_layers(model, x[at], 3, 8, rounding)
    ... )
    >>> choice.rows, [name for name, _ in choice.errors]
    (24, ['rectified', 'rectified_even', 'gptq_resolved', 'gptq', 'nearest'])
    """
    held_out, others = _split(len(rows))
    if len(held_out) < LEAST_HELD_OUT:
        return MethodChoice(AUTO_METHODS[0], AUTO_METHODS[0], 0, ())
    errors = {}
    for name, rounding in candidates(output).items():
        found = make(rounding, others).network.logits(rows[held_out])
        errors[name] = divergence_by_row(logits[held_out], found, output)
    return decide_method(errors)


def _even_codes(problem: LayerProblem, bits: Bits, output: str) -> LayerCodes:
    """E1 to E14 with all d2 = 1: errors of saturated rows count as all others, where they are larger than the ramp.

    At the last layer the weights are those of the outputs.
    """
    d2 = error_weights(problem, bits, output) if problem.last else np.ones_like(problem.z)
    return rectified_codes(problem, bits, d2)


def _split(rows: int) -> tuple[Indices, Indices]:
    """Return the numbers of the rows held out, and those of the others, each in order: rows may come sorted."""
    order = np.random.default_rng(0).permutation(rows)
    held_out = int(HELD_OUT_SHARE * rows)
    return np.sort(order[:held_out]), np.sort(order[held_out:])
