"""Real inputs to codes, at the door of an integer network, and what its real outputs are at the far end.

Legend: B batch, K inputs, C outputs; x (B, K) real inputs, params their quantization, per-tensor or one scale a
feature, offset (K,) what is subtracted first; profile the network's arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Float64
from npquant.integer.fast_npquant import PART_ELEMENTS
from npquant.integer.layer import as_taken
from npquant.kernels.affine import quantize_into
from npquant.kernels.floating import to_float32
from npquant.kernels.qparams import QuantParams
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.operators import quantize
from npquant.profiles.record import Profile


def encode_inputs(x: ArrayLike, inputs: int, params: QuantParams, offset: Float64 | None, profile: Profile) -> Codes:
    """R1 of x - offset under params, in float64; another profile's own quantize of it, in float32, where it has one.

    R1 as well where the engine has no quantize, or none for codes of this type, and for a scale a feature, which none
    has at its door: then codes enter it ready-made. ValueError if x is not finite, or not of shape (B, inputs).

    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> encode_inputs([[1.25, -0.25]], 2, p, None, NPQUANT)
    array([[2, 0]], dtype=int8)
    """
    real = np.asarray(x)
    if real.ndim != 2 or real.shape[1] != inputs:
        raise ValueError(f"x has shape {real.shape}; it must be (B, {inputs}): one row an example")
    taken, raised = as_taken(params, profile)
    served = profile.quantize_codes is not None and taken.dtype.name in profile.quantize_types
    if profile is NPQUANT or params.per_channel or not served:
        return _encode_in_parts(real, params, offset)
    # Whole: where an engine rounds vectors of eight by another rule than the rest, the place of a value decides.
    return np.asarray((quantize(to_float32(_shifted(real, offset)), taken, profile) - raised).astype(params.dtype))


def _encode_in_parts(real: Codes, params: QuantParams, offset: Float64 | None) -> Codes:
    """R1, a few rows at a time: what float64 takes stays in the cache."""
    codes: Codes = np.empty(real.shape, params.dtype)
    rows = max(1, PART_ELEMENTS // max(1, real.shape[1]))
    for row in range(0, len(real), rows):
        quantize_into(_shifted(real[row : row + rows], offset), params, codes[row : row + rows])
    return codes


def _shifted(real: Codes, offset: Float64 | None) -> Float64:
    """Return finite x - offset in float64, a copy."""
    with np.errstate(invalid="ignore"):  # a signalling NaN is refused below, by name
        part = np.array(real, np.float64)
    if not np.isfinite(part).all():
        raise ValueError("x contains NaN or infinity, which have no code: remove or replace them")
    if offset is not None:
        part -= offset
    return part


def decode_outputs(real: Float32, factor: Float64 | None, offset: Float64 | None) -> Float32:
    """Return real dequantized outputs (B, C) times factor (C,) plus offset (C,), in float64, rounded to float32 once.

    >>> decode_outputs(np.array([[1.5, -1.0]], np.float32), np.array([2.0, 1.0]), np.array([0.0, 1000.0]))
    array([[  3., 999.]], dtype=float32)
    """
    if factor is None and offset is None:
        return real
    wide = real.astype(np.float64)
    if factor is not None:
        wide *= factor
    if offset is not None:
        wide += offset
    return wide.astype(np.float32)
