"""A case as plain data that JSON holds, and back: every bit of every number is kept, but for the payload of a NaN.

Legend: case any case; data what `as_data` returned; integers are numbers, real values C99 hexadecimal text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Case, Layer, Model, Params, RawParams


def as_data(case: Case) -> dict[str, Any]:
    """Return the case as dictionaries, lists, numbers and text."""
    return {
        "op": case.op,
        "status": case.status,
        "tags": list(case.tags),
        "model": _model_data(case.model),
        "x_q": _array_data(case.x_q),
        "x_layout": case.x_layout,
        "w_layout": case.w_layout,
        "earlier": [_array_data(codes) for codes in case.earlier],
        "neighbour": None if case.neighbour is None else _model_data(case.neighbour),
        "same_buffer": case.same_buffer,
    }


def from_data(data: dict[str, Any]) -> Case:
    """Return the case of such data; ValueError if it is none.

    >>> p = QuantParams(0.1, 3, -128, 127)
    >>> layer = Layer(np.array([[2]], np.int8), None, p, p, p)
    >>> case = Case(Model((layer,), "ort"), np.array([[1]], np.int8), tags=("tie",))
    >>> as_data(from_data(as_data(case))) == as_data(case)
    True
    """
    try:
        return Case(
            _model(data["model"]),
            _array(data["x_q"]),
            data["op"],
            data["status"],
            data["x_layout"],
            data["w_layout"],
            tuple(_array(codes) for codes in data["earlier"]),
            None if data["neighbour"] is None else _model(data["neighbour"]),
            bool(data["same_buffer"]),
            tuple(data["tags"]),
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"this is no case: {type(error).__name__}: {error}") from error


def _model_data(model: Model) -> dict[str, Any]:
    layers = [
        {
            "w_q": _array_data(layer.w_q),
            "bias": None if layer.bias is None else _array_data(layer.bias),
            "x": _params_data(layer.x),
            "w": _params_data(layer.w),
            "y": _params_data(layer.y),
            "activation": layer.activation,
        }
        for layer in model.layers
    ]
    return {"profile": model.profile, "layers": layers}


def _model(data: dict[str, Any]) -> Model:
    layers = tuple(
        Layer(
            _array(layer["w_q"]),
            None if layer["bias"] is None else _array(layer["bias"]),
            _params(layer["x"]),
            _params(layer["w"]),
            _params(layer["y"]),
            layer["activation"],
        )
        for layer in data["layers"]
    )
    return Model(layers, data["profile"])


def _params_data(p: Params) -> dict[str, Any]:
    return {
        "checked": isinstance(p, QuantParams),
        "scale": _array_data(np.asarray(p.scale)),
        "zero_point": _array_data(np.asarray(p.zero_point)),
        "qmin": int(p.qmin),
        "qmax": int(p.qmax),
    }


def _params(data: dict[str, Any]) -> Params:
    scale, zero = _array(data["scale"]), _array(data["zero_point"])
    made = QuantParams if data["checked"] else RawParams
    return made(scale if scale.ndim else scale[()], zero if zero.ndim else zero[()], data["qmin"], data["qmax"])


def _array_data(values: NDArray[Any]) -> dict[str, Any]:
    real = values.dtype.kind == "f"
    numbers = [_hexadecimal(float(v)) for v in values.ravel()] if real else values.ravel().tolist()
    return {"dtype": values.dtype.name, "shape": list(values.shape), "values": numbers}


def _array(data: dict[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(data["dtype"])
    values = data["values"]
    numbers = [float.fromhex(v) for v in values] if dtype.kind == "f" else values
    return np.array(numbers, dtype).reshape(data["shape"])


def _hexadecimal(value: float) -> str:
    return ("-nan" if np.signbit(value) else "nan") if value != value else value.hex()
