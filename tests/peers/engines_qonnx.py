"""QONNX's Quant node under its own executor: float32 arrays in, the real values of the codes out."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams

PACKAGE = "qonnx"
STUDIED_VERSION = "1.0.0"
EXTRA = "engines"
# The mode of each record.
MODES = {
    "qonnx": "ROUND",
    "qonnx_ceil": "CEIL",
    "qonnx_floor": "FLOOR",
    "qonnx_up": "UP",
    "qonnx_down": "DOWN",
    "qonnx_half_up": "HALF_UP",
    "qonnx_half_down": "HALF_DOWN",
}


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def quantize_dequantize(
    x: NDArray[np.float32], *, y: QuantParams, bits: int, narrow: bool, mode: str
) -> NDArray[np.float32]:
    """Run one Quant node; it is signed where y has negative codes."""
    from onnx import TensorProto, helper
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.util.basic import qonnx_make_model

    attributes = {"signed": int(y.qmin < 0), "narrow": int(narrow), "rounding_mode": mode}
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], domain="qonnx.custom_op.general", **attributes)
    numbers = {"s": float(y.scale), "z": float(y.zero_point), "b": float(bits)}
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in numbers.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(x.shape)) for name in ("x", "y")]
    graph = helper.make_graph([node], "quant", ends[:1], ends[1:], initializer=constants)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(execute_onnx(ModelWrapper(qonnx_make_model(graph)), {"x": x})["y"])
