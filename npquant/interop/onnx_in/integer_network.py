"""Tokens of a quantized file to an IntegerMLP: grids where values are rounded to codes, products between them.

A QuantizeLinear, a Clip of its codes and the DequantizeLinear behind it are one grid. Then a layer is

    grid x, product, [clamp], grid y                     requantized once
    grid x, product, [clamp], grid pre, steps, grid y    twice: the steps between two grids are a table of codes
    grid x, product, [relu]                              at the end of the file: real outputs

Legend: tokens what the walk found, in order; walk the walk; profile the arithmetic; items grids and the tokens between
them; at the place in items; x the grid that a layer reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.constants import codes_of
from npquant.interop.onnx_in.door import door, output_ends
from npquant.interop.onnx_in.grids import Grid, Item, grids
from npquant.interop.onnx_in.tensors import INT32, type_name
from npquant.interop.onnx_in.tokens import Lookup, Product, Token
from npquant.interop.onnx_in.values import Walk
from npquant.interop.steps import Activation, Affine, Clip, Head
from npquant.kernels.activation_bounds import CLAMPS
from npquant.kernels.qparams import QuantParams
from npquant.nn.activations import activate
from npquant.profiles.codes_to_codes import activation
from npquant.profiles.operators import dequantize, quantize
from npquant.profiles.record import Profile

# A bias that says its own scale must have sx sw, rounded to float32 once or twice on the way (2^-24 each).
_SCALE_TOLERANCE: Final = 2.0**-22


@dataclass(slots=True)
class _Parser:
    """The layers so far, and the place in the items."""

    walk: Walk
    items: list[Item]
    profile: Profile
    at: int = 0
    layers: list[IntegerLayer] = field(default_factory=list)
    head: str = "none"
    outputs: Grid | None = None
    rounded: Grid | None = None  # the grid that the head writes
    relabelled: QuantParams | None = None  # the file's own output codes, where they are others than the head's

    def take(self, *kinds: type[Any]) -> Any:
        """Return the next item if it is of one of these kinds, and step past it; else None."""
        if self.at < len(self.items) and isinstance(self.items[self.at], kinds):
            self.at += 1
            return self.items[self.at - 1]
        return None


def integer_network(walk: Walk, tokens: Sequence[Token], profile: Profile) -> Imported:
    """Return the network; FormatError, naming the node, where a layer is no such chain."""
    items, codes_in, codes_out = grids(walk, tokens)
    given = None
    if codes_in and len(items) > 1 and isinstance(items[0], Grid) and isinstance(items[1], Grid):
        given = items.pop(0).params  # type: ignore[union-attr]  # codes of another kind, as at the door of TFLite files
    parser = _Parser(walk, items, profile)
    entered = door(walk, items, profile)
    parser.at = entered.taken
    x: Grid | None = entered.grid
    while (product := parser.take(Product)) is not None:
        if x is None:
            walk.refuse(product.place, "takes real values that are not quantized: partly quantized (mixed) files")
        x = _layer(parser, x, product)
    if not parser.layers:
        where = items[min(parser.at, len(items) - 1)].place
        walk.refuse(where, "stands before the first product with quantized weights")
    real = parser.items[parser.at :] if not codes_out else []
    offset, factor, taken = output_ends(walk, real, parser.layers[-1].shape[1])
    parser.at += taken
    _end(parser, codes_out=codes_out)
    try:
        model = IntegerMLP(tuple(parser.layers), entered.params, entered.offset, profile, offset, factor)
    except (ValueError, TypeError, OverflowError) as error:
        walk.refuse("", str(error))
    if parser.rounded is not None and model.output_params is None and not codes_out:
        walk.note(f"{parser.rounded.place}: rounds what the head makes of real outputs; left out")
    behind = None if parser.rounded is None else parser.rounded.params
    outputs = (parser.relabelled or behind or model.output_params) if codes_out else None
    if parser.relabelled is None and codes_out:
        behind = None
    inputs = (given or entered.params) if codes_in else None
    return Imported(model, parser.head, tuple(walk.notes), "onnx", inputs, outputs, behind)


def _layer(parser: _Parser, x: Grid, product: Product) -> Grid | None:
    """One layer, and the grid that the next one reads."""
    clamp = parser.take(Clip)
    pre = parser.take(Grid)
    if pre is None:
        _append_layer(parser, product, x, None, _name(parser, clamp))
        return None
    target, name = _clamped(parser, pre, clamp)
    steps = []
    while (step := parser.take(Clip, Activation, Lookup)) is not None:
        steps.append(step)
    y = parser.take(Grid)
    if y is not None:
        # Between two grids everything is a table, read at every code that the first clamp leaves.
        table = _table(parser, steps, _bounded(parser, target, name, pre.place), y)
        _append_layer(parser, product, x, y.params, "table", _bounded(parser, target, name, pre.place), table)
        return Grid(y.place, y.params)
    last = parser.at == len(parser.items) or isinstance(parser.items[parser.at], Head)
    if steps and last and isinstance(steps[-1], Activation) and len(steps) == 1 and steps[0].name == "sigmoid":
        parser.head = "logistic"
        parser.walk.note(f"{steps[0].place}: the sigmoid behind the last layer was split off as the head 'logistic'")
    elif steps:
        # A relu of dequantized codes is max(q, z): the same clamp, made before or behind the rounding.
        if len(steps) != 1 or name != "identity" or (low_high := _bounds(steps[0])) != (0.0, inf):
            parser.walk.refuse(steps[0].place, "stands behind DequantizeLinear; a Relu, or a QuantizeLinear after it")
        del low_high
        name = "relu"
    if name == "identity" and not last and target.zero_point == target.qmin:
        parser.walk.note("no Relu stands in the file where outputs end at the zero point: the clamp is the activation")
    _append_layer(parser, product, x, target, name)
    return Grid(pre.place, target)


def _bounds(step: Clip | Activation | Lookup) -> tuple[float, float] | None:
    return (step.low, step.high) if isinstance(step, Clip) else None


def _name(parser: _Parser, clamp: Clip | None) -> str:
    """The activation of a layer with real outputs."""
    if clamp is None:
        return "identity"
    if _bounds(clamp) != (0.0, inf):
        parser.walk.refuse(clamp.place, "clips real outputs that are not quantized; a Relu is read")
    return "relu"


def _clamped(parser: _Parser, grid: Grid, clamp: Clip | None) -> tuple[QuantParams, str]:
    """The grid and the activation of a clamp before it: one of those with a name, or a narrower interval."""
    if clamp is None:
        return grid.params, "identity"
    for name, bounds in CLAMPS.items():
        if bounds == _bounds(clamp):
            return grid.params, name
    p = grid.params
    # Rounding is monotonic: the code of a clamped value is the clamped code.
    low, high = (int(quantize(np.array(v, np.float32), p, parser.profile)) for v in (clamp.low, clamp.high))
    try:
        return QuantParams(p.scale, p.zero_point, low, high), "identity"
    except ValueError as error:
        parser.walk.refuse(clamp.place, str(error))


def _bounded(parser: _Parser, params: QuantParams, name: str, place: str) -> QuantParams:
    """The same parameters, with the interval that the activation leaves open."""
    if name == "identity":
        return params
    low, high = parser.profile.activation_bounds(name, params)
    try:
        return QuantParams(params.scale, params.zero_point, low, high)
    except ValueError as error:
        parser.walk.refuse(place, str(error))


def _table(parser: _Parser, steps: Sequence[Clip | Activation | Lookup], pre: QuantParams, y: Grid) -> NDArray[Any]:
    """The code of y for each code of pre, as the profile's engine computes them."""
    profile, params = parser.profile, y.params
    q = np.arange(pre.qmin, pre.qmax + 1).astype(pre.dtype)
    try:
        if [getattr(step, "name", "") for step in steps] == ["sigmoid"] and profile.activation_codes is not None:
            return np.asarray(activation("sigmoid", q, x=pre, y=params, profile=profile)).astype(params.dtype)
        values = dequantize(q, pre, profile)
        for step in steps:
            values = _stepped(parser, step, values)
        return np.asarray(quantize(values, params, profile)).astype(params.dtype)
    except (ValueError, TypeError) as error:
        parser.walk.refuse(y.place if not steps else steps[0].place, str(error))


def _stepped(parser: _Parser, step: Clip | Activation | Lookup, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """One step on real values: clips are exact, other functions correctly rounded to float32 (but for ties)."""
    if isinstance(step, Clip):
        return np.clip(values, np.float32(step.low), np.float32(step.high))
    if isinstance(step, Lookup):
        return np.asarray(step.values[np.rint(values / step.params.scale).astype(np.int64) - step.least])
    parser.walk.note(
        f"{step.place}: its table is of correctly rounded values; an engine's own function may give another code where "
        "one lies within its error of a half"
    )
    return np.asarray(activate(step.name, values.astype(np.float64)).astype(np.float32))


def _append_layer(
    parser: _Parser,
    product: Product,
    x: Grid,
    y: QuantParams | None,
    name: str,
    pre: QuantParams | None = None,
    table: NDArray[Any] | None = None,
) -> None:
    """Add a layer; every disagreement of its parameters is an error at its product."""
    if product.alpha != 1.0 or product.beta != 1.0:
        parser.walk.refuse(product.place, f"has alpha {product.alpha} and beta {product.beta}; 1 on quantized data")
    w_q, scale, zero, (low, high) = codes_of(parser.walk, product.place, product.w, turned=product.turned)
    try:
        w = QuantParams(scale, zero, low, high)
        bias = _bias(parser, product, x.params, w)
        parser.layers.append(IntegerLayer(w_q.astype(w.dtype), bias, x.params, w, y, name, pre, table))
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, ValueError) and hasattr(error, "place"):
            raise
        parser.walk.refuse(product.place, str(error))


def _bias(parser: _Parser, product: Product, x: QuantParams, w: QuantParams) -> NDArray[np.int32]:
    """int32 codes of scale sx sw: the file's own, or a float bias as the engine quantizes it."""
    n = product.shape[1]
    if product.b is None:
        return np.zeros(n, np.int32)
    b = product.b
    if b.scale is None and b.type == INT32:
        return b.array.astype(np.int32)
    if b.scale is None:
        parser.walk.note(f"{product.place}: its float bias was quantized by the scales of its input and weights")
        codes = np.broadcast_to(parser.profile.quantize_bias(b.real(), x.scale, w.scale), n)
        if not np.isfinite(b.real()).all():
            parser.walk.refuse(product.place, "its bias holds NaN or infinity")
        return codes.astype(np.int32)
    _check_bias(parser, product, b, x, w)
    return b.array.astype(np.int32)


def _check_bias(parser: _Parser, product: Product, b: Const, x: QuantParams, w: QuantParams) -> None:
    assert b.scale is not None
    wanted = np.asarray(x.scale, np.float64) * np.asarray(w.scale, np.float64)
    given = b.scale.astype(np.float64).reshape(-1)
    off = (
        np.abs(given - wanted) > _SCALE_TOLERANCE * wanted
        if given.size in (1, np.size(wanted)) or np.size(wanted) == 1
        else np.array(True)
    )
    if b.code_type != INT32 or np.any(off) or (b.zero is not None and np.any(b.zero)):
        parser.walk.refuse(
            product.place,
            f"its bias is {type_name(b.code_type)} by other parameters than INT32, scale of input times weights",
        )


def _end(parser: _Parser, *, codes_out: bool) -> None:
    """What stands behind the last layer: a head, and a grid behind it."""
    if (head := parser.take(Head)) is not None:
        parser.head = head.kind
        parser.walk.note(f"{head.place}: the {head.kind} behind the last layer was split off as the head")
    elif parser.head == "none" and parser.layers[-1].y is None:
        act = parser.take(Activation)
        if act is not None and act.name != "sigmoid":
            parser.walk.refuse(act.place, "stands behind real outputs; a Relu, Sigmoid or Softmax is read there")
        if act is not None:
            parser.head = "logistic"
            parser.walk.note(f"{act.place}: the sigmoid behind the last layer was split off as the head 'logistic'")
    if parser.head != "none":
        parser.rounded = parser.take(Grid)
        if codes_out and parser.rounded is not None and (last := parser.take(Grid)) is not None:
            parser.relabelled = last.params
    if parser.rounded is not None and parser.profile.softmax_codes is None and parser.head == "softmax":
        parser.walk.note(
            f"{parser.rounded.place}: codes of the softmax are rounded from float32; where onnxruntime fuses it to "
            "QLinearSoftmax, its integer table may give one code less"
        )
    if parser.at < len(parser.items):
        rest = parser.items[parser.at]
        says = "scales or shifts between two quantizers" if isinstance(rest, Affine) else "has no place there"
        parser.walk.refuse(
            rest.place,
            f"{says}: npquant reads quantized layers of a product, its bias, an activation and a QuantizeLinear; "
            "quantize after pre-processing (onnxruntime.quantization.shape_inference.quant_pre_process)",
        )
