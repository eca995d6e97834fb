"""A case as text that makes it again: Python literals, and C initializers.

Legend: case any case; codes an array, name what it is called; p quantization parameters; each array is written with
its type, so that nothing is left to defaults."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Case, Layer, Model, RawParams

C_TYPES: Final = (
    ("int8", "int8_t"),
    ("uint8", "uint8_t"),
    ("int32", "int32_t"),
    ("float32", "float"),
    ("int16", "int16_t"),
)
# Numbers on a line of an initializer.
PER_LINE: Final = 16


def array_literal(codes: NDArray[Any]) -> str:
    """Return an array as an expression; what is larger than 4,096 elements and of one value is written as `full`.

    >>> array_literal(np.array([[1, -2]], np.int8))
    'np.array([[1, -2]], np.int8)'
    >>> array_literal(np.zeros((0, 3), np.int8))
    'np.zeros((0, 3), np.int8)'
    """
    if not codes.size:
        return f"np.zeros({codes.shape}, np.{codes.dtype})"
    if codes.size > 8 and np.all(codes == codes.flat[0]):
        return f"np.full({codes.shape}, {_number(codes.flat[0])}, np.{codes.dtype})"
    return f"np.array({_nested(codes)}, np.{codes.dtype})"


def _nested(codes: NDArray[Any]) -> str:
    return _number(codes) if not codes.ndim else "[" + ", ".join(_nested(part) for part in codes) + "]"


def _number(value: Any) -> str:
    """Return a number as a literal: floats by their shortest decimals, NaN and infinities by name."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not np.isfinite(plain):
        return "np.nan" if np.isnan(plain) else "np.inf" if plain > 0 else "-np.inf"
    return repr(plain)


def params_literal(p: Any) -> str:
    """Return quantization parameters as an expression, checked or not."""
    scale = array_literal(np.asarray(p.scale)) if np.ndim(p.scale) else f"np.float32({_number(p.scale)})"
    zero = array_literal(np.asarray(p.zero_point)) if np.ndim(p.zero_point) else _number(p.zero_point)
    name = "RawParams" if isinstance(p, RawParams) else "QuantParams"
    return f"{name}({scale}, {zero}, {p.qmin}, {p.qmax})"


def layer_literal(layer: Layer) -> str:
    """Return a layer as an expression."""
    bias = "None" if layer.bias is None else array_literal(layer.bias)
    params = ",\n    ".join(params_literal(p) for p in (layer.x, layer.w, layer.y))
    return f"Layer(\n    {array_literal(layer.w_q)},\n    {bias},\n    {params},\n    {layer.activation!r},\n)"


def model_literal(model: Model) -> str:
    """Return a model as an expression."""
    return f"Model(({', '.join(layer_literal(layer) for layer in model.layers)},), {model.profile!r})"


def case_literal(case: Case) -> str:
    """Return a case as an expression over Case, Layer, Model, QuantParams, RawParams and np."""
    extra = "".join(
        f", {name}={value!r}"
        for name, value, usual in (
            ("op", case.op, "linear"),
            ("status", case.status, "valid"),
            ("x_layout", case.x_layout, "c"),
            ("w_layout", case.w_layout, "c"),
            ("same_buffer", case.same_buffer, False),
        )
        if value != usual
    )
    if case.earlier:
        extra += ", earlier=(" + ", ".join(array_literal(codes) for codes in case.earlier) + ",)"
    if case.neighbour is not None:
        extra += f", neighbour={model_literal(case.neighbour)}"
    return f"Case({model_literal(case.model)}, {array_literal(case.x_q)}{extra}, tags={case.tags!r})"


def c_array(name: str, codes: NDArray[Any]) -> str:
    """Return an array as a C99 definition in row order; one without elements gets one that is not used.

    >>> c_array("x_q", np.array([[1, -2]], np.int8))
    'const int8_t x_q[2] = {1, -2}; /* 1 x 2 */'
    """
    kind = dict(C_TYPES).get(codes.dtype.name, "int32_t")
    numbers = [_c_number(value) for value in codes.ravel()] or ["0"]
    lines = [", ".join(numbers[i : i + PER_LINE]) for i in range(0, len(numbers), PER_LINE)]
    body = lines[0] if len(lines) == 1 else "\n    " + ",\n    ".join(lines) + "\n"
    shape = " x ".join(str(n) for n in codes.shape)
    return f"const {kind} {name}[{len(numbers)}] = {{{body}}}; /* {shape} */"


def _c_number(value: Any) -> str:
    """Return a number as a C99 constant: floats in hexadecimal, so that no digit is lost."""
    plain = value.item()
    if isinstance(plain, float):
        if np.isnan(plain):
            return "NAN"
        return f"{plain.hex()}f" if np.isfinite(plain) else "INFINITY" if plain > 0 else "-INFINITY"
    # The lowest int32 has no constant of its own: 2147483648 is no int.
    return "(-2147483647 - 1)" if plain == -(2**31) else str(plain)


def c_params(name: str, p: QuantParams | RawParams) -> list[str]:
    """Return parameters as C99 definitions: scales and zero points."""
    scale, zero = np.atleast_1d(np.asarray(p.scale, np.float32)), np.atleast_1d(np.asarray(p.zero_point, np.int32))
    return [c_array(f"{name}_scale", scale), c_array(f"{name}_zero_point", zero)]
