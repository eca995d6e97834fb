"""One-dimensional operands for QUANTIZE and DEQUANTIZE, for the engines and the profiles alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike, NDArray

from npquant import QuantParams
from tests.peers import adversarial
from tests.peers.layers import params

# The last n mod 8 or mod 16 elements of a vector can follow a rule of their own.
_TAILS = tuple(range(17))


def to_quantize(seed: int, count: int, n: int, codes: DTypeLike) -> Iterator[tuple[NDArray[np.float32], QuantParams]]:
    """Draw about n ties, neighbours, rails and special values for each of `count` scales."""
    rng = np.random.default_rng(seed)
    zeros = adversarial.zero_points(codes, count)
    for i in range(count):
        scale = np.float32(2.0 ** -(i % 9)) if i % 3 == 0 else adversarial.scale_triples(rng, 1)[0, 0]
        drawn = adversarial.reals(rng, float(scale), int(zeros[i]), n + _TAILS[i % len(_TAILS)])
        x = np.concatenate([adversarial.special_reals(), drawn])
        rng.shuffle(x)
        yield x, params(scale, int(zeros[i]), codes)


def per_channel_to_quantize(
    seed: int, count: int, channels: int, codes: DTypeLike
) -> Iterator[tuple[NDArray[np.float32], QuantParams]]:
    """Draw columns of `to_quantize`, each with a scale and a zero point of its own."""
    rng = np.random.default_rng(seed)
    special = adversarial.special_reals()
    for _ in range(count):
        scale = adversarial.scale_triples(rng, channels)[:, 0]
        zeros = rng.permutation(adversarial.zero_points(codes, 256))[:channels]
        columns = [
            np.concatenate([special, adversarial.reals(rng, float(s), int(z), 240)])
            for s, z in zip(scale, zeros, strict=True)
        ]
        yield np.stack(columns, axis=1), params(scale, zeros, codes)


def to_dequantize(
    seed: int, count: int, codes: DTypeLike
) -> Iterator[tuple[NDArray[np.int8] | NDArray[np.uint8], QuantParams]]:
    """Draw every code, and up to 16 more so that all tails occur, for each of `count` scales."""
    rng = np.random.default_rng(seed)
    info = np.iinfo(codes)
    every = np.arange(info.min, info.max + 1)
    zeros = adversarial.zero_points(codes, count)
    for i in range(count):
        q = np.concatenate([every, rng.choice(every, _TAILS[i % len(_TAILS)])]).astype(codes)
        yield q, params(adversarial.scale_triples(rng, 1)[0, 0], int(zeros[i]), codes)
