"""Whole linear layers out of adversarial operands, for the engines and for the profiles alike.

Legend: B batch, K contracted depth, N outputs, acc the accumulator that a layer is built to hit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npquant import QuantParams
from npquant.profiles.record import Profile
from tests.peers import adversarial

ACTIVATIONS = ("none", "relu", "relu6", "relu_n1_to_1")


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One quantized linear layer and the operands of one call."""

    x_q: NDArray[Any]
    w_q: NDArray[Any]
    bias: NDArray[Any] | None
    x: QuantParams
    w: QuantParams
    y: QuantParams
    activation: str = "none"

    def under(self, profile: str | Profile) -> NDArray[Any]:
        """Compute the layer with npquant."""
        import npquant

        result: NDArray[Any] = npquant.linear(
            self.x_q,
            self.w_q,
            self.bias,
            x=self.x,
            w=self.w,
            y=self.y,
            profile=profile,
            activation=self.activation,
        )
        return result

    def on(self, run: Callable[..., NDArray[Any]], **options: Any) -> NDArray[Any]:
        """Compute the layer with an engine's function of a `engines_*` module."""
        pairs = {"x": pair(self.x), "w": pair(self.w), "y": pair(self.y)}
        return run(self.x_q, self.w_q, self.bias, **pairs, **options)

    def __str__(self) -> str:
        shape = f"{self.x_q.dtype} {self.x_q.shape} x {self.w_q.dtype} {self.w_q.shape}"
        return f"{shape}, x={self.x}, w={self.w}, y={self.y}, activation={self.activation}"


def pair(params: QuantParams) -> tuple[ArrayLike, ArrayLike]:
    """Return (scale, zero point), which is all that an engine is told."""
    return params.scale, params.zero_point


def params(scale: ArrayLike, zero_point: ArrayLike, dtype: DTypeLike) -> QuantParams:
    """Make the parameters of codes that fill their type."""
    info = np.iinfo(dtype)
    return QuantParams(scale, zero_point, int(info.min), int(info.max))


def scales(
    rng: np.random.Generator, n: int, *, per_channel: bool
) -> tuple[np.float32, np.float32 | NDArray[np.float32], np.float32]:
    """Draw sx, sw, sy; per channel, each channel's M comes from a triple of its own."""
    sx, sw, sy = adversarial.scale_triples(rng, 1)[0]
    if not per_channel:
        return sx, sw, sy
    triples = adversarial.scale_triples(rng, n).astype(np.float64)
    m = triples[:, 0] * triples[:, 1] / triples[:, 2]
    return sx, (m * float(sy) / float(sx)).astype(np.float32), sy


def real_multipliers(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return M for each of the N outputs, only to aim accumulators with."""
    sx, sw, sy = (np.asarray(s, np.float64) for s in (sx, sw, sy))
    return np.broadcast_to(sx * sw / sy, n)


def injected(
    seed: int,
    count: int,
    n: int,
    *,
    codes: DTypeLike,
    weights: DTypeLike,
    per_channel: bool,
    activations: tuple[str, ...] = ("none",),
    output: DTypeLike | None = None,
) -> Iterator[Layer]:
    """Build layers whose bias is the accumulator: K = 1, one input of real value 0.

    All of int32 can be hit, one accumulator an output, and the output zero points visit the type.
    """
    rng = np.random.default_rng(seed)
    zeros = adversarial.zero_points(output or codes, count)
    for i in range(count):
        sx, sw, sy = scales(rng, n, per_channel=per_channel)
        acc = adversarial.accumulators(rng, real_multipliers(sx, sw, sy, n))
        zx = int(rng.choice(adversarial.zero_points(codes, 256)))
        yield Layer(
            np.full((1, 1), zx, codes),
            np.zeros((1, n), weights),
            acc,
            params(sx, zx, codes),
            params(sw, 0, weights),
            params(sy, int(zeros[i]), output or codes),
            activations[i % len(activations)],
        )


def through_products(seed: int, count: int, n: int, *, codes: DTypeLike, per_channel: bool) -> Iterator[Layer]:
    """Build layers whose products are the accumulator, for engines without an integer bias.

    Depths from 2 to 1100 reach 127**2 to 1.8e7; no pair of products saturates int16.
    """
    rng = np.random.default_rng(seed)
    zeros = adversarial.zero_points(codes, count)
    for i in range(count):
        depth = (2, 65, 130, 9, 300, 33, 17, 1100)[i % 8]
        sx, sw, sy = scales(rng, n, per_channel=per_channel)
        m = real_multipliers(sx, sw, sy, n)
        acc = adversarial.accumulators(rng, m, reach=127**2 * (depth - 1))
        x, w = adversarial.product_for(acc.astype(np.int64), depth)
        zx = int(rng.integers(0, 129)) if np.dtype(codes) == np.uint8 else -int(rng.integers(0, 129))
        yield Layer(
            (x + zx).astype(codes),
            w.astype(np.int8),
            None,
            params(sx, zx, codes),
            params(sw, 0, np.int8),
            params(sy, int(zeros[i]), codes),
        )


def products(
    seed: int,
    count: int,
    *,
    codes: DTypeLike,
    weights: DTypeLike,
    weight_zero_points: bool = False,
    activations: tuple[str, ...] = ("none",),
) -> Iterator[Layer]:
    """Build ordinary matrix products of every depth around the vector widths, with rails in them."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        depth = adversarial.DEPTHS[i % len(adversarial.DEPTHS)]
        rows, n = int(rng.integers(1, 9)), int(rng.integers(1, 70))
        sx, sw, sy = adversarial.scale_triples(rng, 1)[0]
        if i % 3:  # in range: a random product has a standard deviation of about 85**2 sqrt(K)
            sy = np.float32(float(sx) * float(sw) * 64 * depth**0.5)
        zx, zy = (int(z) for z in rng.choice(adversarial.zero_points(codes, 256), 2))
        zw = int(rng.choice(adversarial.zero_points(weights, 256))) if weight_zero_points else 0
        yield Layer(
            adversarial.codes(rng, (rows, depth), codes),
            adversarial.codes(rng, (depth, n), weights),
            rng.integers(-2000, 2000, n).astype(np.int32),
            params(sx, zx, codes),
            params(sw, zw, weights),
            params(sy, zy, codes),
            activations[i % len(activations)],
        )


def wide(
    seed: int,
    count: int,
    n: int,
    *,
    bias: str | None,
    per_channel: bool,
    activations: tuple[str, ...] = ("none",),
    weights: str = "int8",
) -> Iterator[Layer]:
    """Build layers of int16 codes and signed weights: their bias is the accumulator, or half of them products.

    Without a bias all are products. Accumulators stay within int32, or 2^47 with an int64 bias; zero points are 0.
    Weights are int8, int4 or int16.
    """
    interval = {"int4": (-8, 7), "int8": (-128, 127), "int16": (-(2**15), 2**15 - 1)}[weights]
    kind = "int16" if weights == "int16" else "int8"
    rng = np.random.default_rng(seed)
    largest = 2**47 if bias == "int64" else 2**31 - 1
    for i in range(count):
        sx, sw, sy = scales(rng, n, per_channel=per_channel)
        m = real_multipliers(sx, sw, sy, n)
        tie = np.rint((rng.integers(-33_000, 33_000, n) + 0.5) / m) + rng.integers(-1, 2, n)
        far = np.rint(rng.uniform(-largest, largest, n))
        acc = np.clip(np.where(rng.random(n) < 0.8, tie, far), -largest, largest).astype(np.int64)
        rows, depth = 1, 1
        x_q, w_q = np.zeros((rows, depth), np.int16), np.zeros((depth, n), kind)
        if bias is None or i % 2:
            rows, depth = int(rng.integers(1, 5)), (6, 31, 64, 300)[i % 4]
            x_q, w_q = adversarial.codes(rng, (rows, depth), "int16"), adversarial.codes(rng, (depth, n), kind)
            w_q = w_q if weights == kind else (w_q >> 4).astype(kind)
            sy = np.float32(float(sx) * float(np.max(sw)) * (interval[1] + 1) / 2 * depth**0.5) if i % 3 else sy
            acc = rng.integers(-(2**20), 2**20, n)
        yield Layer(
            x_q,
            w_q,
            None if bias is None else acc.astype(bias),
            params(sx, 0, "int16"),
            QuantParams(sw, 0, *interval),
            params(sy, 0, "int16"),
            activations[i % len(activations)],
        )
