"""StableHLO's quantized operators and TOSA's RESCALE, compiled by IREE for this processor: NumPy arrays in and out.

Compiling costs much more than running, so that a module holds many functions: each is one operator with its scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams

PACKAGE = "iree-base-compiler"
STUDIED_VERSION = "3.13.0"
EXTRA = "engines"


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def compiled(functions: Sequence[str], dialect: str = "stablehlo") -> Any:
    """Compile functions named f0, f1, ... of one dialect, and load them."""
    import iree.compiler
    import iree.runtime

    options = ["--iree-llvmcpu-target-cpu=host"]
    source = "\n".join(functions)
    code = iree.compiler.compile_str(source, target_backends=["llvm-cpu"], input_type=dialect, extra_args=options)
    return iree.runtime.load_vm_flatbuffer(code, driver="local-sync")


def run(module: Any, i: int, *operands: NDArray[Any]) -> NDArray[Any]:
    """Run function i."""
    return np.asarray(getattr(module, f"f{i}")(*(np.ascontiguousarray(a) for a in operands)).to_host())


def quantized(params: QuantParams, storage: str = "i8", axis: int | None = None) -> str:
    """Write a quantized type; scales are written so that reading them back gives the same float64."""
    zeros = np.broadcast_to(params.zero_point, np.shape(params.scale))
    pairs = [f"{float(s)!r}:{int(z)}" for s, z in zip(np.ravel(params.scale), np.ravel(zeros), strict=True)]
    if axis is None:
        return f"!quant.uniform<{storage}:f32, {pairs[0]}>"
    return f"!quant.uniform<{storage}:f32:{axis}, {{{', '.join(pairs)}}}>"


def sums_type(scales: Sequence[float], axis: int | None) -> str:
    """Write the type of accumulators: int32 of the exact products of scales."""
    pairs = [f"{float(s)!r}:0" for s in scales]
    if axis is None:
        return f"!quant.uniform<i32:f32, {pairs[0]}>"
    return f"!quant.uniform<i32:f32:{axis}, {{{', '.join(pairs)}}}>"


def quantize(i: int, n: int, y: QuantParams) -> str:
    """Write uniform_quantize of n float32."""
    q = quantized(y)
    return f"""func.func @f{i}(%x: tensor<{n}xf32>) -> tensor<{n}xi8> {{
      %q = stablehlo.uniform_quantize %x : (tensor<{n}xf32>) -> tensor<{n}x{q}>
      %r = stablehlo.bitcast_convert %q : (tensor<{n}x{q}>) -> tensor<{n}xi8>
      return %r : tensor<{n}xi8>
    }}"""


def dequantize(i: int, n: int, x: QuantParams) -> str:
    """Write uniform_dequantize of n codes."""
    q = quantized(x)
    return f"""func.func @f{i}(%x: tensor<{n}xi8>) -> tensor<{n}xf32> {{
      %q = stablehlo.bitcast_convert %x : (tensor<{n}xi8>) -> tensor<{n}x{q}>
      %r = stablehlo.uniform_dequantize %q : (tensor<{n}x{q}>) -> tensor<{n}xf32>
      return %r : tensor<{n}xf32>
    }}"""


def requantize(i: int, n: int, before: str, y: QuantParams, storage: str) -> str:
    """Write uniform_quantize of n codes of the type `before`."""
    q = quantized(y)
    return f"""func.func @f{i}(%x: tensor<{n}x{storage}>) -> tensor<{n}xi8> {{
      %q = stablehlo.bitcast_convert %x : (tensor<{n}x{storage}>) -> tensor<{n}x{before}>
      %s = stablehlo.uniform_quantize %q : (tensor<{n}x{before}>) -> tensor<{n}x{q}>
      %r = stablehlo.bitcast_convert %s : (tensor<{n}x{q}>) -> tensor<{n}xi8>
      return %r : tensor<{n}xi8>
    }}"""


def requantize_channels(i: int, n: int, pairs: Sequence[tuple[QuantParams, QuantParams]]) -> str:
    """Write uniform_quantize of n codes in each channel, from one type to another."""
    channels = (
        QuantParams([p.scale for p in side], [p.zero_point for p in side], -128, 127)
        for side in zip(*pairs, strict=True)
    )
    (before, after), shape = (quantized(params, axis=1) for params in channels), f"{n}x{len(pairs)}"
    return f"""func.func @f{i}(%x: tensor<{shape}xi8>) -> tensor<{shape}xi8> {{
      %q = stablehlo.bitcast_convert %x : (tensor<{shape}xi8>) -> tensor<{shape}x{before}>
      %s = stablehlo.uniform_quantize %q : (tensor<{shape}x{before}>) -> tensor<{shape}x{after}>
      %r = stablehlo.bitcast_convert %s : (tensor<{shape}x{after}>) -> tensor<{shape}xi8>
      return %r : tensor<{shape}xi8>
    }}"""


def linear(i: int, shape: tuple[int, int, int], x: QuantParams, w: QuantParams, y: QuantParams, *, direct: bool) -> str:
    """Write a layer with a real bias: dot_general to int32, add, uniform_quantize; `direct` goes to int8 without it."""
    b, k, n = shape
    each = 1 if w.per_channel else None
    tx, tw, ty = quantized(x), quantized(w, axis=each), quantized(y)
    scales = np.float64(x.scale) * np.ravel(np.asarray(w.scale, np.float64))
    ts = sums_type(list(scales), each)
    cast = f"""%xq = stablehlo.bitcast_convert %x : (tensor<{b}x{k}xi8>) -> tensor<{b}x{k}x{tx}>
      %wq = stablehlo.bitcast_convert %w : (tensor<{k}x{n}xi8>) -> tensor<{k}x{n}x{tw}>"""
    dot = f"stablehlo.dot_general %xq, %wq, contracting_dims = [1] x [0] : (tensor<{b}x{k}x{tx}>, tensor<{k}x{n}x{tw}>)"
    out = f"""%r = stablehlo.bitcast_convert %y : (tensor<{b}x{n}x{ty}>) -> tensor<{b}x{n}xi8>
      return %r : tensor<{b}x{n}xi8>
    }}"""
    ends = f"(%x: tensor<{b}x{k}xi8>, %w: tensor<{k}x{n}xi8>"
    if direct:
        return f"""func.func @f{i}{ends}) -> tensor<{b}x{n}xi8> {{
      {cast}
      %y = {dot} -> tensor<{b}x{n}x{ty}>
      {out}"""
    wide = f"tensor<{b}x{n}x{ts}>"
    return f"""func.func @f{i}{ends}, %b: tensor<{b}x{n}xf32>) -> tensor<{b}x{n}xi8> {{
      {cast}
      %d = {dot} -> {wide}
      %c = stablehlo.uniform_quantize %b : (tensor<{b}x{n}xf32>) -> {wide}
      %a = stablehlo.add %d, %c : {wide}
      %y = stablehlo.uniform_quantize %a : ({wide}) -> tensor<{b}x{n}x{ty}>
      {out}"""
