"""Integer networks of every kind that a C program has a form for, made from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import npquant.profiles as profiles
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

INTEGER_PROFILES = (
    "npquant", "tflite_ref", "tflm", "tflite_single", "ruy_x86", "tflite_opt_2_14", "ruy_arm64", "tosa_single",
    "tosa_double", "tvm_upward", "tvm_tonearest", "xnnpack_rndnu", "nvdla",
)  # fmt: skip
FLOAT_PROFILES = ("litert_ref_2025", "ort", "xnnpack_fp32", "xnnpack_fp32_avx512", "gemmini_f32")


@dataclass(frozen=True)
class Kind:
    """Say what a network is like."""

    sizes: Sequence[int] = (20, 13, 10)
    bits: int = 8
    per_channel: bool = False
    profile: str = "npquant"
    activation: str = "relu"
    density: float = 1.0
    grid: str = "full"  # full, symmetric, mirrored, ternary
    weight_zero: int = 0


def network(kind: Kind, seed: int) -> IntegerMLP:
    """Make a network whose outputs take many codes."""
    rng = np.random.default_rng(seed)
    profile = profiles.get(kind.profile)
    x = first = QuantParams(0.05, _zero(rng, kind), -128, 127)
    layers = []
    for i, (k, n) in enumerate(zip(kind.sizes, kind.sizes[1:], strict=False)):
        last = i == len(kind.sizes) - 2
        w_q, w = _weights(rng, kind, k, n)
        activation = "identity" if last else kind.activation
        # A few standard deviations of the accumulator fill the code interval.
        spread = 70.0 * np.sqrt(np.mean((w_q - np.asarray(w.zero_point)) ** 2.0) * k) + 1
        target = QuantParams(0.05 * 0.01 * spread / 60, _zero(rng, kind), -128, 127)
        pre, y = None, target
        if activation in ("sigmoid", "tanh"):
            pre, y = target, QuantParams(1 / 256, -128, -128, 127)
            y = y if activation == "sigmoid" else QuantParams(1 / 128, 0, -128, 127)
        bias = rng.integers(-2000, 2000, n).astype(np.int32)
        layers.append(IntegerLayer(w_q, bias, x, w, y, activation, pre))
        x = y
    return IntegerMLP(tuple(layers), first, None, profile)


def _zero(rng: np.random.Generator, kind: Kind) -> int:
    return int(rng.integers(-128, 100)) if profiles.get(kind.profile).zero_points else 0


def _weights(rng: np.random.Generator, kind: Kind, k: int, n: int) -> tuple[np.ndarray, QuantParams]:
    half = 2 ** (kind.bits - 1)
    low, high = {"full": (-half, half - 1), "symmetric": (1 - half, half - 1), "mirrored": (-half, half)}.get(
        kind.grid, (-1, 1)
    )
    w_q = rng.integers(low, high, (k, n), endpoint=True).astype(np.int8)
    if kind.grid == "mirrored":
        for column in range(n):
            end = low if column % 2 else high
            w_q[w_q[:, column] == end, column] = 0
    w_q[rng.random((k, n)) >= kind.density] = 0
    scale = (rng.uniform(0.5, 1.5, n) * 0.01).astype(np.float32) if kind.per_channel else 0.01
    return w_q, QuantParams(scale, kind.weight_zero, low, high)


def input_codes(model: IntegerMLP, rows: int, seed: int) -> np.ndarray:
    """Draw input codes, the rails among them."""
    params = model.input_params
    x_q = np.random.default_rng(seed).integers(params.qmin, params.qmax, (rows, model.n_inputs), endpoint=True)
    x_q[:1], x_q[1:2] = params.qmin, params.qmax
    return x_q.astype(params.dtype)


def foreign_networks() -> dict[str, IntegerMLP]:
    """Networks as other people's files hold them: uint8 and int16 codes, tables of any step, no output quantization."""
    rng = np.random.default_rng(9)
    found = {}
    byte = QuantParams(0.05, 117, 0, 255)
    for profile in ("ort", "tflite_ref", "npquant"):
        unsigned = QuantParams(0.01, 128, 0, 255)
        first = _layer(rng, (20, 13), byte, unsigned, QuantParams(0.4, 3, 0, 255), "relu")
        found[f"uint8 {profile}"] = _chain(profile, byte, first, _layer(rng, (13, 10), first.y, unsigned, byte))
        last = _layer(rng, (13, 10), first.y, unsigned, None)
        found[f"accumulators {profile}"] = _chain(profile, byte, first, last)
    code, weights = QuantParams(0.05, -7, -128, 127), QuantParams(0.01, 0, -127, 127)
    pre = QuantParams(0.5, 4, -128, 127)
    table = rng.integers(-128, 128, 256).astype(np.int8)
    first = IntegerLayer(*_drawn(rng, (20, 13), weights, np.int32), code, weights, code, "table", pre, table)
    found["table"] = _chain("litert_ref_2025", code, first, _layer(rng, (13, 10), code, weights, pre))
    short = QuantParams(2e-4, 0, -32768, 32767)
    for profile, bias in (("tflm", np.int64), ("tflm", np.int32), ("litert_ref_2025", np.int64), ("ruy_x86", np.int32),
                          ("npquant", np.int32), ("npquant", np.int64)):  # fmt: skip
        out = QuantParams(1e-3, 0, -32768, 32767)
        first = _layer(rng, (20, 13), short, weights, out, "relu", bias)
        found[f"16x8 {profile} {bias.__name__}"] = _chain(
            profile, short, first, _layer(rng, (13, 10), out, weights, out, "identity", bias)
        )
    found["16x8 wide"] = _chain("tflm", short, _layer(rng, (3000, 4), short, weights, short, "identity", np.int64))
    found["16x8 npquant wide"] = _chain(
        "npquant", short, _layer(rng, (3000, 4), short, weights, short, "relu", np.int64)
    )
    wider = _layer(rng, (13, 10), QuantParams(0.05, 3, -128, 127), weights, short)
    found["8 to 16 to 8"] = _chain(
        "npquant",
        wider.x,
        wider,
        _layer(rng, (10, 12), short, weights, QuantParams(0.3, 7, -128, 127), "relu", np.int64),
    )
    found["16x8 accumulators"] = _chain(
        "tflm", short, _layer(rng, (3000, 4), short, weights, None, "identity", np.int64)
    )
    offset = QuantParams(0.01, -100, -128, 127)
    found["sums of 64 bits"] = _chain("npquant", short, _layer(rng, (560, 4), short, offset, short))
    wide_pre = QuantParams(1e-3, 0, -32768, 32767)
    table = np.linspace(-32768, 32767, 65536).astype(np.int16)
    made = IntegerLayer(*_drawn(rng, (20, 3), weights, np.int64), short, weights, short, "table", wide_pre, table)
    found["16x8 table"] = _chain("tflm", short, made)
    return found


def _chain(profile: str, x: QuantParams, *layers: IntegerLayer) -> IntegerMLP:
    return IntegerMLP(layers, x, None, profiles.get(profile))


def _drawn(
    rng: np.random.Generator, shape: tuple[int, int], w: QuantParams, bias: type
) -> tuple[np.ndarray, np.ndarray]:
    w_q = rng.integers(w.qmin, w.qmax, shape, endpoint=True).astype(w.dtype)
    return w_q, rng.integers(-9999, 9999, shape[1]).astype(bias)


def _layer(
    rng: np.random.Generator,
    shape: tuple[int, int],
    x: QuantParams,
    w: QuantParams,
    y: QuantParams | None,
    activation: str = "identity",
    bias: type = np.int32,
) -> IntegerLayer:
    return IntegerLayer(*_drawn(rng, shape, w, bias), x, w, y, activation)
