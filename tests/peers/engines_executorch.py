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


def linear(layer: Any) -> tuple[NDArray[Any], str]:
    """Run a static int8 layer of `tests.peers.layers` on the delegate; return its codes and the lowered graph."""
    import torch

    program, graph = _delegated(layer)
    x = dequantized(layer.x_q, layer.x)
    real = program[0].run_method("forward", (torch.from_numpy(x),))[0].numpy()
    steps = real.astype(np.float64) / np.float64(layer.y.scale) + int(layer.y.zero_point)
    return np.rint(steps).astype(layer.y.dtype), graph


def dequantized(q: NDArray[Any], x: QuantParams) -> NDArray[np.float32]:
    """Return real values that quantize to these codes."""
    return np.asarray((q.astype(np.float32) - np.float32(x.zero_point)) * x.scale)


def _delegated(layer: Any) -> tuple[Any, str]:
    """Lower one layer between quantize and dequantize to the delegate, and load it beside its buffer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from torch.ao.quantization.fx import _decomposed  # noqa: F401  # registers the operators

        ops = torch.ops.quantized_decomposed
        x, y = ((float(p.scale), int(p.zero_point), -128, 127, torch.int8) for p in (layer.x, layer.y))
        weight, scale = torch.from_numpy(layer.w_q.T.copy()), torch.from_numpy(np.array(layer.w.scale, np.float32))

        class Layer(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("weight", weight)
                self.register_buffer("scale", scale)
                self.register_buffer("zero", torch.zeros(scale.shape, dtype=torch.int64))
                self.bias = None if layer.bias is None else torch.nn.Parameter(torch.from_numpy(layer.bias.copy()))

            def forward(self, real: Any) -> Any:
                codes = ops.dequantize_per_tensor(ops.quantize_per_tensor(real, *x), *x)
                if layer.w.per_channel:
                    w = ops.dequantize_per_channel(self.weight, self.scale, self.zero, 0, -127, 127, torch.int8)
                else:
                    w = ops.dequantize_per_tensor(self.weight, float(layer.w.scale), 0, -127, 127, torch.int8)
                out = torch.nn.functional.linear(codes, w, self.bias)
                out = torch.relu(out) if layer.activation == "relu" else out
                return ops.dequantize_per_tensor(ops.quantize_per_tensor(out, *y), *y)

        return _lowered(Layer().eval(), torch.from_numpy(dequantized(layer.x_q, layer.x)))


def _lowered(module: Any, x: Any) -> tuple[Any, str]:
    """Export a module, give the delegate what its partitioner takes, and load it beside its buffer."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
        from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer

        lowered = to_edge_transform_and_lower(
            torch.export.export(module, (x,)),
            partitioner=[XnnpackPartitioner()],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        graph = str(lowered.exported_program().graph_module.code)
        program = lowered.to_executorch().buffer
        return (_load_for_executorch_from_buffer(program), program), graph


class Dynamic:
    """A float layer of int8 weights per channel, inputs quantized by a range that the graph takes at run time."""

    def __init__(
        self, w_q: NDArray[np.int8], w: QuantParams, bias: Any, *, rows: int, relu: bool, each_row: bool
    ) -> None:
        import torch

        self._eager = _dynamic_module(w_q, w, bias, relu=relu, each_row=each_row)
        self._program, self.graph = _lowered(self._eager, torch.zeros(rows, len(w_q)))

    def delegated(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the delegate."""
        import torch

        return np.asarray(self._program[0].run_method("forward", (torch.from_numpy(x),))[0].numpy())

    def eager(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the graph that was lowered, in torch."""
        import torch

        return np.asarray(self._eager(torch.from_numpy(x)).detach().numpy())


def _dynamic_module(w_q: NDArray[np.int8], w: QuantParams, bias: Any, *, relu: bool, each_row: bool) -> Any:
    """Write the graph of XNNPACKQuantizer's dynamic layer, or of one range a token, which is a row."""
    import torch
    from torch.ao.quantization.fx import _decomposed  # noqa: F401  # registers the operators

    ops, codes = torch.ops.quantized_decomposed, (-128, 127)
    scale = torch.from_numpy(np.array(w.scale, np.float32))

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.from_numpy(w_q.T.copy()))
            self.register_buffer("scale", scale)
            self.register_buffer("zero", torch.zeros(scale.shape, dtype=torch.int64))
            self.bias = None if bias is None else torch.nn.Parameter(torch.from_numpy(bias.copy()))

        def forward(self, x: Any) -> Any:
            if each_row:
                s, z = ops.choose_qparams_per_token_asymmetric(x, torch.int8)
                q = ops.quantize_per_token(x, s, z, *codes, torch.int8)
                q = ops.dequantize_per_token(q, s, z, *codes, torch.int8, torch.float32)
            else:
                s, z = ops.choose_qparams.tensor(x, *codes, 2.0**-23, torch.int8)
                q = ops.quantize_per_tensor.tensor(x, s, z, *codes, torch.int8)
                q = ops.dequantize_per_tensor.tensor(q, s, z, *codes, torch.int8)
            weight = ops.dequantize_per_channel(self.weight, self.scale, self.zero, 0, -127, 127, torch.int8)
            out = torch.nn.functional.linear(q, weight, self.bias)
            return torch.relu(out) if relu else out

    return Layer().eval()
