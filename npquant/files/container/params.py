"""Quantization parameters as bytes (N5).

Legend: params the parameters; reader where their bytes stand, nothing in which is trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.codec.byte_fields import ByteReader, varint, zigzag
from npquant.codec.integer_stream import decode_integers, encode_integers
from npquant.kernels.qparams import QuantParams

_INTERVALS: Final = (
    None,
    *((-(1 << (b - 1)), (1 << (b - 1)) - 1) for b in range(2, 9)),
    *((1 - (1 << (b - 1)), (1 << (b - 1)) - 1) for b in range(2, 9)),
)


def encode_params(params: QuantParams) -> bytes:
    """N5. Write params: 5 bytes for one scale, an interval of 2 to 8 bits and a zero point at 0 or its lower end.

    >>> encode_params(QuantParams(0.5, -128, -128, 127)).hex(" ")
    '5c 00 00 00 3f'
    """
    interval = (params.qmin, params.qmax)
    form = _INTERVALS.index(interval) if interval in _INTERVALS else 0
    zero_points = np.atleast_1d(params.zero_point).tolist()
    several = np.ndim(params.zero_point) > 0
    zero = 2 if several or zero_points[0] not in (0, params.qmin) else int(zero_points[0] != 0)
    fields = [bytes([(np.ndim(params.scale) > 0) | several << 1 | form << 2 | zero << 6])]
    fields += [zigzag(end) for end in interval if form == 0]
    fields += [zigzag(point) for point in zero_points if zero == 2]
    scale = np.asarray(params.scale, "<f4")
    return b"".join(fields) + (_encode_scales(scale) if scale.ndim else scale.tobytes())


def decode_params(reader: ByteReader, channels: int, count: Callable[[str], None]) -> QuantParams:
    """N5. Read the parameters that stand next, arrays of which have `channels` items; ValueError if the bytes are none.

    count is called with "parameters" and with "scales" when the bytes of either have been read.

    >>> decode_params(ByteReader(bytes.fromhex("5c0000003f")), 1, print)
    parameters
    scales
    QuantParams(scale=0.5, zero_point=-128, qmin=-128, qmax=127)
    """
    head = reader.byte()
    form, zero = head >> 2 & 15, head >> 6
    interval = _INTERVALS[form] if form < len(_INTERVALS) else None
    if zero > 2 or (form and interval is None) or (head & 2 and zero != 2):
        raise ValueError(f"quantization parameters start with {head}; the data is damaged")
    qmin, qmax = (reader.zigzag(), reader.zigzag()) if interval is None else interval
    points = channels if head & 2 else 1
    if points > reader.left:
        raise ValueError(f"{points} zero points do not stand in {reader.left} bytes")
    stored = [reader.zigzag() for _ in range(points)] if zero == 2 else [(0, qmin)[zero]]
    count("parameters")
    scale = _decode_scales(reader, channels) if head & 1 else np.frombuffer(reader.take(4), "<f4")[0]
    count("scales")
    return QuantParams(scale, stored if head & 2 else stored[0], qmin, qmax)


def _encode_scales(scales: NDArray[np.float32]) -> bytes:
    """Write the bits of the least scale, and by how much those of the others exceed them."""
    # Scales of a layer share most of their exponents. Positive floats have the order of their bits, which lie in
    # [2^23, 2^31), so that the differences are int32.
    bits = scales.view("<i4")
    excess = encode_integers((bits - bits.min()).astype(np.int32))
    return bytes(bits.min().tobytes()) + varint(len(excess)) + excess


def _decode_scales(reader: ByteReader, channels: int) -> NDArray[np.float32]:
    """Undo `_encode_scales`."""
    least = int.from_bytes(reader.take(4), "little")
    bits = least + decode_integers(reader.take(reader.varint()), channels).astype(np.int64)
    if bits.min() < 0 or bits.max() >= 1 << 31:
        raise ValueError("a scale is no positive float32; the data is damaged")
    return bits.astype("<i4").view("<f4")
