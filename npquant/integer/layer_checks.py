"""What must hold inside one integer layer: the types of its codes, their intervals, a table where there is one.

Legend: w_q, bias, x, w, y, activation, pre, table the fields of an IntegerLayer in the making; name what to call an
array in a message; codes an integer array, dtypes the NumPy names that it may have, ndim its axes; params a
quantization.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.kernels.activation_bounds import CLAMPS
from npquant.kernels.lookup import FUNCTIONS
from npquant.kernels.qparams import QuantParams

# Types of activations and of weights; the narrowest that holds an interval is the type of its codes.
CODE_TYPES: Final = ("int8", "uint8", "int16")
WEIGHT_TYPES: Final = ("int8", "uint8")
# Activations of a last layer without output quantization (R61).
REAL_ACTIVATIONS: Final = ("identity", "relu")
# The activation whose table is given with the layer.
GIVEN: Final = "table"


def frozen_codes(codes: NDArray[Any], name: str, dtypes: tuple[str, ...], ndim: int) -> NDArray[Any]:
    """Copy an integer array, contiguous and read-only, after checking dtype, rank and that it is not empty."""
    if not isinstance(codes, np.ndarray) or codes.dtype.name not in dtypes:
        raise TypeError(f"{name} has dtype {getattr(codes, 'dtype', type(codes))}; it must be {' or '.join(dtypes)}")
    if codes.ndim != ndim or codes.size == 0:
        raise ValueError(f"{name} has shape {codes.shape}; it must have {ndim} dimension(s), none of them empty")
    frozen = np.array(codes, order="C")
    frozen.flags.writeable = False
    return frozen


def frozen_table(table: Codes | None, pre: QuantParams | None, y: QuantParams | None) -> Codes | None:
    """Copy a table read-only, after checking that it has a code of y for each code of pre; None for none."""
    if table is None or pre is None or y is None:
        return None
    stored, entries = frozen_codes(table, "table", (y.dtype.name,), 1), pre.qmax - pre.qmin + 1
    if len(stored) != entries:
        raise ValueError(f"table has {len(stored)} entries; `pre` has {entries} codes: give one output code for each")
    if stored.min() < y.qmin or stored.max() > y.qmax:
        raise ValueError(f"table holds codes outside [{y.qmin}, {y.qmax}], the interval of y")
    return stored


def check_activation(activation: str, y: QuantParams | None, pre: QuantParams | None, table: Codes | None) -> None:
    """Refuse an unknown activation, and one without the parameters, or the table, that it needs."""
    reads_pre = activation in FUNCTIONS or activation == GIVEN
    if not reads_pre and activation not in CLAMPS:
        raise ValueError(f"unknown activation {activation!r}; known: {', '.join([*CLAMPS, *FUNCTIONS, GIVEN])}")
    if reads_pre != (pre is not None):
        raise ValueError(f"{activation!r} {'needs' if reads_pre else 'has no'} pre-activation parameters `pre`")
    if (activation == GIVEN) != (table is not None):
        raise ValueError(
            f"{activation!r} {'needs' if table is None else 'has no'} `table`, a code for each code of `pre`"
        )
    if y is None and activation not in REAL_ACTIVATIONS:
        known = " or ".join(REAL_ACTIVATIONS)
        raise ValueError(f"{activation!r} needs y; a layer without output quantization has {known}")
    if activation in FUNCTIONS and any(
        params is None or params.dtype not in (np.int8, np.int16) for params in (y, pre)
    ):
        raise ValueError(
            f"{activation!r} is a table of int8 or int16 codes; give others as activation {GIVEN!r} with the table"
        )


def check_activations_params(name: str, params: QuantParams | None) -> None:
    """Refuse a quantization of inputs, outputs or pre-activations that is not per-tensor, or of another type."""
    if params is None:
        return
    _check_type(name, params, CODE_TYPES)
    if params.per_channel:
        raise ValueError(f"{name} is per-channel; inputs and outputs of a layer are per-tensor")


def check_weights(w_q: Codes, w: QuantParams) -> None:
    """Refuse weight codes that are not those of w."""
    _check_type("w", w, WEIGHT_TYPES)
    if w_q.dtype != w.dtype:
        raise TypeError(f"w_q has dtype {w_q.dtype}; codes in [{w.qmin}, {w.qmax}] are {w.dtype}")
    outputs = w_q.shape[1]
    if w.per_channel and max(np.size(w.scale), np.size(w.zero_point)) != outputs:
        several = max(np.size(w.scale), np.size(w.zero_point))
        raise ValueError(f"w has {several} scales or zero points; give one, or {outputs}, one an output")
    if w_q.min() < w.qmin or w_q.max() > w.qmax:
        raise ValueError(f"w_q holds codes outside [{w.qmin}, {w.qmax}], its own interval")


def check_bias(bias: NDArray[Any], w_q: Codes, x: QuantParams) -> None:
    """Refuse a bias that is not one an output, or of 64 bits where inputs of 8 bits have int32 accumulators."""
    if bias.shape != w_q.shape[1:]:
        raise ValueError(f"bias has shape {bias.shape} and w_q {w_q.shape}: give one bias an output")
    if bias.dtype == np.int64 and x.dtype != np.int16:
        raise TypeError(f"bias has dtype int64; beside inputs of {x.dtype} it must be int32")


def _check_type(name: str, params: QuantParams, dtypes: tuple[str, ...]) -> None:
    if params.dtype.name not in dtypes:
        raise ValueError(
            f"{name} has codes in [{params.qmin}, {params.qmax}]; they must lie inside {' or '.join(dtypes)}"
        )
