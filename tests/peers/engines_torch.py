"""PyTorch's 8-bit quantization on the CPU: NumPy arrays in, NumPy arrays out.

Legend: B batch, K contracted depth, N outputs; a pair (scale, zero_point) stands for a tensor's
affine map. Weights come as (K, N) and are packed as torch wants them, (N, K).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

PACKAGE = "torch"
STUDIED_VERSION = "2.13.0"
EXTRA = "torch"
ENGINES = ("fbgemm", "x86", "qnnpack", "onednn")

Affine = tuple[ArrayLike, ArrayLike]
Codes = NDArray[Any]


def installed_version() -> str:
    """Return the version of the installed engine, without its build tag."""
    return version(PACKAGE).partition("+")[0]


def available_engines() -> tuple[str, ...]:
    """Return the quantized engines of ENGINES that this build and this machine run."""
    import torch

    supported = torch.backends.quantized.supported_engines
    return tuple(name for name in ENGINES if name in supported)


def quantize_per_tensor(x: NDArray[np.float32], *, y: Affine, dtype: str) -> Codes:
    """Run torch.quantize_per_tensor."""
    import torch

    with _quiet():
        q = torch.quantize_per_tensor(_t(x), float(y[0]), int(y[1]), _quantized_dtype(dtype))
        return _n(q.int_repr())


def quantize_per_channel(x: NDArray[np.float32], *, y: Affine, dtype: str, axis: int) -> Codes:
    """Run torch.quantize_per_channel along `axis`."""
    import torch

    with _quiet():
        q = torch.quantize_per_channel(
            _t(x), _t(np.asarray(y[0])), _t(np.asarray(y[1], np.int64)), axis, _quantized_dtype(dtype)
        )
        return _n(q.int_repr())


def dequantize_per_tensor(x_q: Codes, *, x: Affine) -> NDArray[np.float32]:
    """Run torch.dequantize on codes with one scale."""
    import torch

    with _quiet():
        q = torch._make_per_tensor_quantized_tensor(_t(x_q), float(x[0]), int(x[1]))
        return _n(q.dequantize())


def clamp(name: str, x_q: Codes, *, x: Affine, engine: str) -> Codes:
    """Run a stand-alone clamp on codes, relu, relu6 or hardtanh to [-1, 1], which keeps the input's scale."""
    import torch

    with _quiet(), _quantized_engine(engine):
        q = torch._make_per_tensor_quantized_tensor(_t(x_q), float(x[0]), int(x[1]))
        if name == "relu6":
            return _n(torch.ops.quantized.relu6(q, False).int_repr())
        done = torch.relu(q) if name == "relu" else torch.nn.functional.hardtanh(q, -1.0, 1.0)
        return _n(done.int_repr())


def operators() -> tuple[str, ...]:
    """Return the names of torch.ops.quantized."""
    import torch

    names = {schema.name for schema in torch._C._jit_get_all_schemas()}
    return tuple(sorted(name.partition("::")[2] for name in names if name.startswith("quantized::")))


def linear(
    x_q: NDArray[np.uint8],
    w_q: NDArray[np.int8],
    bias: NDArray[np.float32] | None,
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    engine: str,
    relu: bool = False,
) -> NDArray[np.uint8]:
    """Run torch.ops.quantized.linear; several weight scales mean per channel, bias is float."""
    import torch

    with _quiet(), _quantized_engine(engine):
        packed = torch.ops.quantized.linear_prepack(_weight(w_q, w), None if bias is None else _t(bias))
        x_t = torch._make_per_tensor_quantized_tensor(_t(x_q), float(x[0]), int(x[1]))
        op = torch.ops.quantized.linear_relu if relu else torch.ops.quantized.linear
        return _n(op(x_t, packed, float(y[0]), int(y[1])).int_repr())


def linear_dynamic(
    x: NDArray[np.float32],
    w_q: NDArray[np.int8],
    bias: NDArray[np.float32] | None,
    *,
    w: Affine,
    engine: str,
    relu: bool = False,
    reduce_range: bool = False,
) -> NDArray[np.float32]:
    """Run torch.ops.quantized.linear_dynamic; several weight scales mean per channel."""
    import torch

    with _quiet(), _quantized_engine(engine):
        packed = torch.ops.quantized.linear_prepack(_weight(w_q, w), None if bias is None else _t(bias))
        op = torch.ops.quantized.linear_relu_dynamic if relu else torch.ops.quantized.linear_dynamic
        return _n(op(_t(x), packed, reduce_range))


def _weight(w_q: NDArray[np.int8], w: Affine) -> Any:
    """Make the quantized weight (N, K), per tensor or per channel of axis 0."""
    import torch

    codes = _t(w_q.T)
    if np.ndim(w[0]) == 0:
        return torch._make_per_tensor_quantized_tensor(codes, float(w[0]), int(w[1]))
    scale = _t(np.asarray(w[0], np.float64))
    zero_point = _t(np.broadcast_to(np.asarray(w[1], np.int64), np.shape(w[0])))
    return torch._make_per_channel_quantized_tensor(codes, scale, zero_point, 0)


@contextmanager
def _quantized_engine(name: str) -> Iterator[None]:
    """Select a quantized engine, and put the former one back."""
    import torch

    former = torch.backends.quantized.engine
    torch.backends.quantized.engine = name
    try:
        yield
    finally:
        torch.backends.quantized.engine = former


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out torch's notices that eager quantization is on its way out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _quantized_dtype(name: str) -> Any:
    """Return torch's quantized type for uint8 or int8."""
    import torch

    return {"uint8": torch.quint8, "int8": torch.qint8}[name]


def _t(array: NDArray[Any]) -> Any:
    """Make a tensor of a contiguous copy, which torch may write to."""
    import torch

    return torch.from_numpy(np.array(array, order="C"))


def _n(tensor: Any) -> NDArray[Any]:
    return np.asarray(tensor.numpy())
