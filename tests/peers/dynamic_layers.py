"""Float layers that sit where dynamic quantizers part: ties of their own codes, one-sided and empty ranges, any depth.

Legend: B batch, K contracted depth, N outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams
from tests.peers import adversarial

DEPTHS = (*adversarial.DEPTHS, 200, 300, 511, 768, 1000)


@dataclass(frozen=True, slots=True, eq=False)
class FloatLayer:
    """Real inputs (B, K), weight codes (K, N) with their quantization, real bias or None, relu or not."""

    x: NDArray[np.float32]
    w_q: NDArray[np.int8]
    w: QuantParams
    bias: NDArray[np.float32] | None
    relu: bool


def inputs(rng: np.random.Generator, b: int, k: int) -> NDArray[np.float32]:
    """Draw inputs of one size; near half of them at ties of a power of two, some rows one-sided, some all 0."""
    x = (rng.normal(rng.normal(), 1, (b, k)) * 10 ** rng.uniform(-4, 4)).astype(np.float32)
    if rng.random() < 0.4:
        step = 2.0 ** rng.integers(-10, 10)
        x = ((rng.integers(-100, 100, (b, k)) + 0.5) * step).astype(np.float32)
        x[:, 0] = rng.choice([-100, 127, 155]) * step
        if k > 1:
            x[:, 1] = rng.choice([155, -128, 100]) * step
    if rng.random() < 0.3:
        x = np.where(rng.random((b, k)) < 0.5, x, np.nextafter(x, np.float32(np.inf)))
    kind = rng.random()
    x = np.abs(x) if kind < 0.1 else -np.abs(x) if kind < 0.15 else x
    x[rng.random(b) < 0.05] = 0
    return np.asarray(x, np.float32)


def float_layers(seed: int, outputs: int, *, narrow: bool = False) -> Iterator[FloatLayer]:
    """Draw layers until so many outputs were asked for; a third of the weights are at the type's ends."""
    rng, drawn = np.random.default_rng(seed), 0
    while drawn < outputs:
        b, k, n = int(rng.integers(1, 60)), int(rng.choice(DEPTHS)), int(rng.integers(1, 130))
        w_q = adversarial.codes(rng, (k, n), "int8")
        low, high = (-8, 7) if narrow else (-128, 127)
        w_q = w_q >> 4 if narrow else w_q
        scale = 10 ** rng.uniform(-4, 0, n if rng.random() < 0.5 else ())
        bias = None if rng.random() < 0.3 else (rng.normal(0, 1, n) * 10 ** rng.uniform(-3, 3)).astype(np.float32)
        drawn += b * n
        w = QuantParams(scale, 0, low, high)
        yield FloatLayer(inputs(rng, b, k), w_q.astype(np.int8), w, bias, bool(rng.random() < 0.3))
