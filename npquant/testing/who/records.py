"""What a kernel was given and what it answered, as arrays or from a file: npz or JSON with the keys of `KEYS`.

Legend: x_q (B, K) input codes, w_q (K, N) weight codes, bias (N,) int32 codes, y_q (B, N) the answer; sx, sw, sy
scales, zx, zw, zy zero points; multiplier m and shift e where the kernel takes m 2^(e-31) in place of scales; found
maps keys to values, source names where they come from, in messages, as path does; activation a fused clamp by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.data.datasets import DEFAULT_MAX_BYTES
from npquant.files.archive import decode_npy, decode_zip, read_bounded
from npquant.kernels.activation_bounds import CLAMPS
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Layer, Params, RawParams

# Keys of a record, and what each holds. The first four must be there, and either the three scales or both of
# multiplier and shift.
KEYS: Final = MappingProxyType(
    {
        "x_q": "input codes, rows of K",
        "w_q": "weight codes, K rows of N",
        "y_q": "the kernel's answer, rows of N",
        "bias": "int32 codes, N; left out: none",
        "sx": "scale of the input",
        "sw": "scale of the weights, one number or N",
        "sy": "scale of the output",
        "multiplier": "m of m 2^(shift-31), one number or N, in place of the scales",
        "shift": "positive is a left shift",
        "zx": "zero point of the input; left out: 0",
        "zw": "zero point of the weights, one number or N; left out: 0",
        "zy": "zero point of the output; left out: 0",
        "x_type": "int8 or uint8; left out: the array's own type, or what its codes say",
        "w_type": "the same for the weights",
        "y_type": "the same for the output",
        "qmin": "lowest output code; left out: the type's",
        "qmax": "highest output code; left out: the type's",
        "activation": "none, relu, relu6, clipped_relu or relu_n1_to_1; left out: none",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One layer and what a kernel answered on some rows; fixed is its multiplier where it takes no scales."""

    layer: Layer
    x_q: Codes
    y_q: NDArray[np.integer[Any]]
    fixed: FixedMultiplier | None = None


def make_record(
    x_q: Any,
    w_q: Any,
    bias: Any,
    y_q: Any,
    x: Params,
    w: Params,
    y: Params,
    fixed: FixedMultiplier | None = None,
    activation: str = "none",
) -> Record:
    """Check operands against each other, ValueError or TypeError naming what does not fit, and bind them together.

    With a fixed multiplier the scales of x, w and y play no part: M = m 2^(e-31) stands as the weights' own scale, in
    float64, which holds it exactly."""
    if activation != "none" and activation not in CLAMPS:
        raise ValueError(f"there is no activation {activation!r}; known: none, {', '.join(CLAMPS)}")
    inputs, weights = integers("x_q", x_q, 2), integers("w_q", w_q, 2)
    if inputs.shape[1] != weights.shape[0]:
        raise ValueError(f"x_q has {inputs.shape[1]} columns and w_q {weights.shape[0]} rows; both are K")
    count = weights.shape[1]
    shifts = None if bias is None else integers("bias", bias, 1)
    if shifts is not None and shifts.shape != (count,):
        raise ValueError(f"the bias has {shifts.size} codes and w_q {count} columns; both are N")
    if shifts is not None and shifts.size and (shifts.min() < -(2**31) or shifts.max() >= 2**31):
        raise ValueError("the bias has codes outside int32")
    for name, codes, params in (("x_q", inputs, x), ("w_q", weights, w)):
        if codes.size and (codes.min() < params.qmin or codes.max() > params.qmax):
            raise ValueError(f"{name} has codes outside its interval [{params.qmin}, {params.qmax}]")
    if fixed is not None:
        one = np.float64(1.0)
        x, y = (RawParams(one, params.zero_point, params.qmin, params.qmax) for params in (x, y))
        real = np.asarray(fixed.multiplier, np.float64) * np.exp2(np.asarray(fixed.shift, np.float64) - 31)
        w = RawParams(real, w.zero_point, w.qmin, w.qmax)
    for name, value in (("scale", w.scale), ("zero point", w.zero_point)):
        if np.size(value) not in (1, count):
            raise ValueError(f"the weights have {np.size(value)} {name}s for {count} outputs; give 1 or {count}")
    bias32 = None if shifts is None else shifts.astype(np.int32)
    layer = Layer(weights.astype(w.dtype), bias32, x, w, y, activation)
    return Record(layer, inputs.astype(x.dtype), answers_of(y_q, (len(inputs), count), y), fixed)


def answers_of(y_q: Any, shape: tuple[int, int], y: Params) -> NDArray[np.integer[Any]]:
    """Return a kernel's answer in the output's type; ValueError if its shape is wrong or a code is outside [qmin,
    qmax] of y."""
    codes = integers("y_q", y_q, 2)
    if codes.shape != shape:
        raise ValueError(
            f"y_q has shape {codes.shape}; {shape} is due: a row for each of x_q, a column for each of w_q"
        )
    info = np.iinfo(y.dtype)
    if codes.size and (codes.min() < info.min or codes.max() > info.max):
        raise ValueError(f"y_q has codes outside {y.dtype}")
    return codes.astype(y.dtype)


def integers(name: str, value: Any, ndim: int) -> NDArray[np.int64]:
    """Return a value as int64 with ndim axes; whole floats are no codes: TypeError, under the name."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}; it must be integer codes")
    if array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}; it must have {ndim} ax{'is' if ndim == 1 else 'es'}")
    return array.astype(np.int64)


def read_record(path: str | Path) -> Record:
    """Read a record from an npz or a JSON file by its keys; other formats would be further branches here.

    OSError if it cannot be read; ValueError naming the key that is missing, unknown or wrong."""
    return record_of(read_keys(path), str(path))


def read_keys(path: str | Path) -> dict[str, Any]:
    """Return what a file holds, by key: arrays of an npz, values of a JSON object. ValueError if it is neither."""
    data = read_bounded(path, max_bytes=DEFAULT_MAX_BYTES)
    if data[:2] == b"PK":
        members = decode_zip(data, str(path), max_bytes=DEFAULT_MAX_BYTES)
        return {name.removesuffix(".npy"): decode_npy(content, f"{path}: {name}") for name, content in members.items()}
    try:
        found = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is neither an npz file nor JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(
            f"{path} holds a JSON {type(found).__name__}; an object with the keys {', '.join(KEYS)} is due"
        )
    return found


def record_of(found: Mapping[str, Any], source: str = "the record") -> Record:
    """Make a record of values by key; ValueError naming the key that is missing, unknown or wrong.

    >>> one = {"x_q": [[-1]], "w_q": [[5]], "y_q": [[-3]], "sx": 0.5, "sw": 0.5, "sy": 0.5}
    >>> record_of(one | {"w_type": "int8"}).y_q
    array([[-3]], dtype=int8)
    >>> record_of({"x_q": [[1]]})
    Traceback (most recent call last):
    ValueError: the record has no key 'w_q' (weight codes, K rows of N)
    """
    unknown = [name for name in found if name not in KEYS]
    if unknown:
        raise ValueError(f"{source} has a key {unknown[0]!r} that no record has; the keys are {', '.join(KEYS)}")
    fixed_form = "multiplier" in found or "shift" in found
    for name in ("x_q", "w_q", "y_q", *(("multiplier", "shift") if fixed_form else ("sx", "sw", "sy"))):
        if name not in found:
            raise ValueError(f"{source} has no key {name!r} ({KEYS[name]})")
    fixed = FixedMultiplier(_value(found["multiplier"]), _value(found["shift"])) if fixed_form else None
    x, w, y = (_params(found, letter, fixed_form, source) for letter in "xwy")
    return make_record(
        _value(found["x_q"]),
        _value(found["w_q"]),
        _value(found["bias"]) if "bias" in found else None,
        _value(found["y_q"]),
        x,
        w,
        y,
        fixed=fixed,
        activation=str(_value(found.get("activation", "none"))),
    )


def _value(given: Any) -> Any:
    """Return a value as an array or a Python number; a list without a regular shape is a ValueError."""
    array = np.asarray(given)
    return array.item() if array.ndim == 0 else array


def _params(found: Mapping[str, Any], letter: str, fixed_form: bool, source: str) -> QuantParams:
    """Read the quantization of x, w or y."""
    codes = integers(f"{letter}_q", _value(found[f"{letter}_q"]), 2)
    zero = _value(found.get(f"z{letter}", 0))
    info = np.iinfo(_code_type(found, letter, codes, np.asarray(zero), source))
    low, high = int(info.min), int(info.max)
    if letter == "y":
        low, high = int(_value(found.get("qmin", low))), int(_value(found.get("qmax", high)))
    try:
        return QuantParams(1.0 if fixed_form else _value(found[f"s{letter}"]), zero, low, high)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{source}, keys s{letter} and z{letter}: {error}") from error


def _code_type(found: Mapping[str, Any], letter: str, codes: NDArray[np.int64], zero: Any, source: str) -> str:
    """Say whether codes are int8 or uint8: by the key, by the array's type, or by codes that only one of them holds."""
    key = f"{letter}_type"
    own = np.asarray(found[f"{letter}_q"]).dtype.name
    given = str(_value(found[key])) if key in found else own
    if given in ("int8", "uint8"):
        return given
    if key in found:
        raise ValueError(f"{source}, key {key!r}: it is {given!r}; int8 or uint8 is due")
    low = min(codes.min(initial=0), int(np.min(zero)))
    high = max(codes.max(initial=0), int(np.max(zero)))
    if (low < 0) == (high > 127):
        raise ValueError(f"{source} needs the key {key!r}: codes in [{low}, {high}] do not say whether they are int8")
    return "int8" if low < 0 else "uint8"
