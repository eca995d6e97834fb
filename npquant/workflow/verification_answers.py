"""What npquant expects of a runtime, and whose arithmetic it is where the answers are others.

Legend: found an `Imported`, model its integer network; x (B, K) inputs as its artefact takes them, kind of the
artefact; answered (B, C) what the runtime gave.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import FloatMLP
from npquant.profiles import get, names
from npquant.testing.divergence import Divergence, compare_profiles
from npquant.testing.who.identification import identify
from npquant.workflow.float_bound import float_bound, head_bound

# Rows that a search for a wrong rule looks at, those with a difference first.
_ROWS: Final = 64


# onnxruntime makes uint8 of int8 activations, and then sums pairs in int16 on an x86 without VNNI.
_PAIRS: Final = "ort_pair16"
PAIRS_SAY: Final = (
    "uint8 x int8 is summed in pairs of int16 on this processor, an x86 without VNNI; weights within [-64, 64] "
    "or of uint8 are not"
)


class Expected(NamedTuple):
    """The answers (B, C), and how far from them a float answer may be: None for byte for byte."""

    values: NDArray[Any]
    bound: Float64 | None


def expected_of(found: Imported, x: NDArray[Any], kind: str) -> Expected:
    """Codes and dequantized codes byte for byte; float networks and float heads to within a bound."""
    if isinstance(found.model, FloatMLP):
        return Expected(*float_bound(found.model, x, found.head))
    if kind in ("c", "readmemh") and isinstance(found.model, IntegerMLP):
        return Expected(found.model.run(x), None)
    values = found.run(x)
    if found.head == "none" or found.outputs is not None or values.dtype.kind != "f":
        return Expected(values, None)
    logits = dataclasses.replace(found, head="none").run(x).astype(np.float64)
    return Expected(values, head_bound(logits, np.zeros_like(logits), found.head))


def explained(found: Imported, x: NDArray[Any], answered: NDArray[Any], kind: str) -> dict[str, Any]:
    """The fields of a `Verification` that explain answers: profiles, where they part from found's, or wrong rules."""
    model = found.model
    if isinstance(model, FloatMLP):
        return {}
    profiles = tuple(name for name in names() if name != model.profile.name and _gives(found, x, answered, kind, name))
    if isinstance(model, DynamicMLP):
        return {"explained_by": profiles}
    if kind == "onnx" and _PAIRS not in profiles:
        unsigned = Imported(
            as_uint8(model), found.head, found.notes, kind, _raised(found.inputs), _raised(found.outputs), found.behind
        )
        raised_x, raised_y = _raised_codes(x), _raised_codes(answered)
        if _gives(unsigned, raised_x, raised_y, kind, _PAIRS):
            return {"explained_by": (_PAIRS,), "divergence": _divergence(unsigned, raised_x, _PAIRS)}
    if profiles:
        fields = {"explained_by": profiles, "divergence": _divergence(found, x, profiles[0])}
        return fields if found.inputs is not None else {**fields, "input_codes": _door(model, x, profiles[0])}
    return {"suspected": _suspects(found, x, answered, kind)}


def _raised_codes(values: NDArray[Any]) -> NDArray[Any]:
    return (values.astype(np.int16) + 128).astype(np.uint8) if values.dtype == np.int8 else values


def as_uint8(model: IntegerMLP) -> IntegerMLP:
    """The same network with every int8 code of inputs and outputs 128 higher, as uint8.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[3]], np.int8), np.zeros(1, np.int32), p, p, p, "relu")
    >>> as_uint8(IntegerMLP((layer,), p)).run(np.array([[130]], np.uint8))
    array([[131]], dtype=uint8)
    """
    layers = []
    for layer in model.layers:
        pre, y, table = _raised(layer.pre), _raised(layer.y), layer.code_table
        activation = layer.activation if table is None else "table"
        if table is not None and table.dtype == np.int8:
            table = (table.astype(np.int16) + 128).astype(np.uint8)
        layers.append(
            IntegerLayer(layer.w_q, layer.bias, _raised(layer.x) or layer.x, layer.w, y, activation, pre, table)
        )
    return dataclasses.replace(
        model, layers=tuple(layers), input_params=_raised(model.input_params) or model.input_params
    )


def _raised(params: QuantParams | None) -> QuantParams | None:
    if params is None or params.dtype != np.int8:
        return params
    return QuantParams(params.scale, np.asarray(params.zero_point) + 128, params.qmin + 128, params.qmax + 128)


def _gives(found: Imported, x: NDArray[Any], answered: NDArray[Any], kind: str, profile: str) -> bool:
    try:
        model = dataclasses.replace(found.model, profile=get(profile))  # type: ignore[arg-type]
        other = dataclasses.replace(found, model=model)
        return bool(np.array_equal(expected_of(other, x, kind).values, answered))
    except (ValueError, TypeError, OverflowError):
        return False  # its engine refuses the network


def _door(model: IntegerMLP, x: NDArray[Any], profile: str) -> int:
    """How many real inputs become other codes under another profile."""
    return int((model.encode(x) != dataclasses.replace(model, profile=get(profile)).encode(x)).sum())


def _divergence(found: Imported, x: NDArray[Any], profile: str) -> Divergence | None:
    """Where the two profiles part, on the real values of the same inputs."""
    model = found.model
    if not isinstance(model, IntegerMLP) or model.output_params is None:
        return None
    real = x
    if found.inputs is not None:
        if found.inputs != model.input_params:
            return None
        steps = x - np.asarray(found.inputs.zero_point, np.float64)
        real = steps * np.asarray(found.inputs.scale, np.float64)
        real = real if model.input_offset is None else real + model.input_offset
    return compare_profiles(model, real, model.profile, profile)


def _suspects(found: Imported, x: NDArray[Any], answered: NDArray[Any], kind: str) -> tuple[str, ...]:
    """Rules of the catalogue that give every answer of the last layer, its inputs being those that npquant expects."""
    model = found.model
    if not isinstance(model, IntegerMLP) or found.head != "none":
        return ()
    layer = model.layers[-1]
    if layer.y is None or layer.code_table is not None:
        return ()
    if found.inputs not in (None, model.input_params) or found.outputs not in (None, layer.y):
        return ()
    wrong = (expected_of(found, x, kind).values != answered).any(axis=1)
    rows = np.argsort(~wrong, kind="stable")[:_ROWS]
    codes = model.encode(x[rows]) if found.inputs is None else x[rows]
    if found.outputs is None and kind not in ("c", "readmemh"):
        steps = np.rint(answered[rows].astype(np.float64) / np.float64(layer.y.scale))
        y_q = (steps + int(layer.y.zero_point)).astype(np.int64)
    else:
        y_q = answered[rows].astype(np.int64)
    try:
        if len(model.layers) > 1:
            before = dataclasses.replace(model, layers=model.layers[:-1])
            codes = before.run(codes)
        told = identify(codes, layer.w_q, layer.bias, y_q, x=layer.x, w=layer.w, y=layer.y, activation=layer.activation)
    except (ValueError, TypeError):
        return ()
    return tuple(f"{candidate.label}: {candidate.says}" for candidate in told.possible)
