"""What the numerics version stands for: `npquant.numerics_version` is raised when any of these digests changes.

Legend: digest SHA-256 of the codes that a profile gives for a fixed, generated set of operands, operator by operator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.qparams import QuantParams
from npquant.profiles.codes_to_codes import activation, requantize_codes, softmax
from npquant.profiles.dynamic import dynamic_quantize
from npquant.profiles.operators import dequantize, quantize
from npquant.profiles.record import Profile
from npquant.testing.samples import REFUSED, codes_under, extremes, near_ties, realistic, uint8_shift, unless_refused
from npquant.testing.separating import SEPARATING_SET, answer


def golden_digest(profile: Profile) -> str:
    """Hash a profile's answers to a fixed set of accumulators, layers, real values and codes: 64 hexadecimal digits.

    The set comes from NumPy's PCG64 with a fixed seed, whose integers are stable across versions; floats are rounded to
    float32 scales. Requantization: 96 sets near ties and 32 realistic ones, 256 accumulators each, and the extremes.
    Layers: the first six of the separating set, so that a new profile's vector changes no digest. Then every operator
    on values and codes that the engine has: quantize and dequantize, activations, softmax, code to code, dynamic
    quantization. What is refused adds the word "refused".

    >>> from npquant.profiles import get
    >>> golden_digest(get("npquant")) == golden_digest(get("tosa_single"))
    False
    """
    rng = np.random.default_rng(20260101)
    digest = hashlib.sha256()
    for sample in [*near_ties(rng, 96, 256), *realistic(rng, 32, 256), *extremes()]:
        digest.update(_as_bytes(codes_under(profile, sample)))
    digest.update(repr([answer(profile, vector) for vector in SEPARATING_SET[:6]]).encode())
    for operation in _operations(profile, rng):
        digest.update(_as_bytes(unless_refused(operation)))
    return digest.hexdigest()


def _as_bytes(given: NDArray[np.generic] | None) -> bytes:
    return REFUSED.encode() if given is None else np.ascontiguousarray(given).tobytes()


def _operations(profile: Profile, rng: np.random.Generator) -> Iterator[Callable[[], NDArray[np.generic]]]:
    """Yield one call for each operator on values or codes, for three pairs of quantizations."""
    low, high = -128 + uint8_shift(profile), 127 + uint8_shift(profile)
    every = np.arange(low, high + 1).astype(np.int8 if low else np.uint8)
    for sx, sy in ((0.5, 0.25), (0.1, 1 / 256), (0.3, 0.7)):
        zx, zy = (int(z) for z in rng.integers(low, high + 1, 2))
        x, y = QuantParams(sx, zx, low, high), QuantParams(sy, zy, low, high)
        k = rng.integers(-300, 300, 509)
        real = np.concatenate([(k + 0.5) * np.float32(sy), rng.normal(0, 40 * sy, 512), [np.inf, -np.inf, 1e12, -1e12]])
        values, rows = real.astype(np.float32), rng.permutation(every)[:252].reshape(-1, 6)
        yield partial(quantize, values, y, profile)
        yield partial(dequantize, every, x, profile)
        yield partial(_dynamic_codes, values[:-4], profile)
        yield partial(requantize_codes, every, x=x, y=y, profile=profile)
        out, centred = QuantParams(1 / 256, low, low, high), QuantParams(1 / 128, low + 128, low, high)
        for name, to in (("relu", y), ("relu6", y), ("sigmoid", out), ("tanh", centred)):
            yield partial(activation, name, every, x=x, y=to, profile=profile)
        yield partial(softmax, rows, x=x, y=out, profile=profile)


def _dynamic_codes(values: NDArray[np.float32], profile: Profile) -> NDArray[np.generic]:
    return dynamic_quantize(values, profile=profile).codes
