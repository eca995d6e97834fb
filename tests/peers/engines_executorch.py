"""ExecuTorch's portable quantize and dequantize, and its XNNPACK delegate: NumPy arrays in, NumPy arrays out."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams

PACKAGE = "executorch"
STUDIED_VERSION = "1.5.1"
EXTRA = "engines"


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def quantize(x: NDArray[np.float32], *, y: QuantParams) -> NDArray[Any]:
    """Run quantized_decomposed.quantize_per_tensor, whose scale and zero point are inputs."""
    return _run("quantize", x, y)


def dequantize(q: NDArray[Any], *, x: QuantParams) -> NDArray[Any]:
    """Run quantized_decomposed.dequantize_per_tensor."""
    return _run("dequantize", q, x)


def _run(operator: str, operand: NDArray[Any], params: QuantParams) -> NDArray[Any]:
    import torch

    module, _ = _compiled(operator, operand.size, params.dtype.name, params.qmin, params.qmax)
    numbers = (torch.tensor([float(params.scale)], dtype=torch.float64), torch.tensor([int(params.zero_point)]))
    return np.asarray(module.run_method("forward", (torch.from_numpy(operand.copy()), *numbers))[0].numpy())


@cache
def _compiled(operator: str, size: int, codes: str, qmin: int, qmax: int) -> Any:
    """Export one operator on `size` elements to the portable kernels, and load it."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        import executorch.kernels.quantized  # noqa: F401  # registers the out variants
        import torch
        from executorch.exir import EdgeCompileConfig, to_edge
        from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer

        kind = getattr(torch, codes)
        call = getattr(torch.ops.quantized_decomposed, f"{operator}_per_tensor").tensor

        class Operator(torch.nn.Module):
            def forward(self, x: Any, scale: Any, zero: Any) -> Any:
                return call(x, scale, zero, qmin, qmax, kind)

        operand = torch.zeros(size, dtype=torch.float32 if operator == "quantize" else kind)
        numbers = (torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.int64))
        exported = torch.export.export(Operator(), (operand, *numbers))
        edge = to_edge(exported, compile_config=EdgeCompileConfig(_check_ir_validity=False))
        program = edge.to_executorch().buffer
        return _load_for_executorch_from_buffer(program), program  # the module reads from the buffer while it lives
