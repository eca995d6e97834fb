"""Apache TVM's relax.quantize and relax.dequantize, compiled by LLVM: NumPy arrays in, NumPy arrays out."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams

PACKAGE = "apache-tvm"
STUDIED_VERSION = "0.27.0.post1"
EXTRA = "engines"


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def quantize(x: NDArray[np.float32], *, y: QuantParams) -> NDArray[Any]:
    """Run relax.quantize; a per-channel y goes along the last axis."""
    return _run("quantize", x, y, x.dtype.name, y.dtype.name)


def dequantize(q: NDArray[Any], *, x: QuantParams) -> NDArray[Any]:
    """Run relax.dequantize."""
    return _run("dequantize", q, x, q.dtype.name, "float32")


def _run(operator: str, operand: NDArray[Any], params: QuantParams, takes: str, gives: str) -> NDArray[Any]:
    import tvm

    machine = _compiled(operator, operand.shape, params.per_channel, takes, gives)
    scale = np.asarray(params.scale, np.float32)
    zero = np.asarray(np.broadcast_to(params.zero_point, scale.shape), params.dtype)
    inputs = (tvm.runtime.tensor(np.array(a, order="C")) for a in (operand, scale, zero))
    return np.asarray(machine["main"](*inputs).numpy())


@cache
def _compiled(operator: str, shape: tuple[int, ...], each: bool, takes: str, gives: str) -> Any:
    """Compile one operator for one shape; the scale and the zero point are inputs."""
    import tvm
    from tvm import relax
    from tvm.script import relax as script

    numbers = (shape[-1],) if each else ()
    codes = gives if operator == "quantize" else takes
    of = {"x": (shape, takes), "s": (numbers, "float32"), "z": (numbers, codes)}
    builder = relax.BlockBuilder()
    inputs = [relax.Var(name, script.Tensor(size, kind)) for name, (size, kind) in of.items()]
    with builder.function("main", inputs):
        with builder.dataflow():
            made = getattr(relax.op, operator)(*inputs, axis=len(shape) - 1, out_dtype=gives)
            out = builder.emit_output(builder.emit(made))
        builder.emit_func_output(out)
    return relax.VirtualMachine(tvm.compile(builder.get(), target="llvm"), tvm.cpu())
