"""One call of a C function by the ABI of npquant_backend.h, its operands under watch.

Legend: o the operands of one layer; x (B, K), w (K, N), y (B, N) as they lie in memory; poison a byte that y is filled
with first.
"""

from __future__ import annotations

import ctypes
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.testing import backend as kinds
from npquant.testing.adapters.guarded import POISONS, Watched, row_strides, watched
from npquant.testing.adapters.operands import Operands
from npquant.testing.backend import BackendFault

TYPES: Final = MappingProxyType({"int8": 1, "uint8": 2})
OK, REJECTED, DECLINED = 0, 1, 2
_INT32: Final = ctypes.POINTER(ctypes.c_int32)
_FLOAT: Final = ctypes.POINTER(ctypes.c_float)


class LayerStruct(ctypes.Structure):
    """npquant_layer, field by field."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("size", "rows", "depth", "outputs", "x_type", "w_type", "y_type")),
        *((name, ctypes.c_int32) for name in ("x_zero", "y_zero", "low", "high")),
        *((name, ctypes.c_float) for name in ("x_scale", "y_scale")),
        *((name, ctypes.c_void_p) for name in ("x", "w", "y")),
        *((name, ctypes.c_int64) for name in ("x_row", "x_column", "w_row", "w_column", "y_row", "y_column")),
        *((name, _INT32) for name in ("w_zero", "multiplier", "shift")),
        ("w_scale", _FLOAT),
        ("bias", _INT32),
    ]


def call_function(function: Any, o: Operands) -> Codes:
    """Return the codes that a C function writes for a layer.

    ValueError where it rejects, NotImplementedError where it declines, BackendFault for another status, for a write
    outside y, for a write to an operand, and for elements of y that it leaves alone: these hold the poison, whichever
    it is. So the function is called again, with another poison, only where an answer holds the first."""
    y = _called(function, o, POISONS[0])
    suspects = y.view(np.uint8) == POISONS[0]
    if suspects.any():
        # A right answer may be the poison by chance; then it stands there again, and not the other poison.
        again = _called(function, o, POISONS[1])
        unwritten = np.argwhere(suspects & (again.view(np.uint8) == POISONS[1]))
        if len(unwritten):
            first = tuple(int(i) for i in unwritten[0])
            raise BackendFault(kinds.LEFT_UNWRITTEN, f"{len(unwritten)} of {y.size} elements, the first at {first}")
    return y


def _called(function: Any, o: Operands, poison: int) -> Codes:
    # Who takes inputs with gaps between rows gets such an output too.
    gap = 0 if o.x_q.flags.c_contiguous else 5
    y = watched(o.shape, row_strides(o.shape, gap), o.y_type, poison)
    x = watched(o.x_q.shape, o.x_q.strides, o.x_q.dtype, POISONS[0], o.x_q)
    w = watched(o.w_q.shape, o.w_q.strides, o.w_q.dtype, POISONS[0], o.w_q)
    rows = [_watched_row(row) for row in (o.w_zero, o.m, o.e, o.w_scale, o.bias)]
    layer = _filled(o, x.view, w.view, y.view, rows)
    status = function(ctypes.byref(layer))
    if y.outside_changed() or any(laid.outside_changed() for laid in (x, w, *rows)):
        place = "y" if y.outside_changed() else "an operand"
        raise BackendFault(kinds.WROTE_OUTSIDE, f"bytes beside {place} differ after the call")
    if x.inside_changed():
        raise BackendFault(kinds.CHANGED_INPUT, "x differs after the call")
    if any(laid.inside_changed() for laid in (w, *rows)):
        raise BackendFault(kinds.CHANGED_MODEL, "the weights, or what stands for each output, differ after the call")
    if status == REJECTED:
        raise ValueError("the function returned 1")
    if status == DECLINED:
        raise NotImplementedError("the function returned 2")
    if status != OK:
        raise BackendFault(kinds.JUNK, f"the function returned {status}; 0 is done, 1 rejected, 2 declined")
    return np.ascontiguousarray(y.view)


def _watched_row(row: NDArray[Any]) -> Watched:
    return watched(row.shape, row.strides, row.dtype, POISONS[0], row)


def _filled(o: Operands, x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], rows: list[Watched]) -> LayerStruct:
    addresses = (x.ctypes.data, w.ctypes.data, y.ctypes.data)
    return LayerStruct(
        ctypes.sizeof(LayerStruct),
        *o.x_q.shape,
        o.shape[1],
        *(TYPES[codes.dtype.name] for codes in (x, w, y)),
        *(o.x_zero, o.y_zero, o.low, o.high, o.x_scale, o.y_scale),
        *addresses,
        *(*x.strides, *w.strides, *y.strides),
        *(laid.view.ctypes.data_as(_FLOAT if laid.view.dtype == np.float32 else _INT32) for laid in rows),
    )


def function_of(library: str, symbol: str) -> Any:
    """Return the function of a shared library; OSError if it cannot be loaded, AttributeError if it has no such
    symbol."""
    function = getattr(ctypes.CDLL(library), symbol)
    function.restype = ctypes.c_int
    return function
