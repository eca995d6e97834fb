"""Read the container of an integer network (N1 to N7).

Legend: data the whole container; name what to call it in a message.
"""

from __future__ import annotations

import zlib
from collections import Counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.codec.byte_fields import ByteReader
from npquant.codec.integer_stream import decode_integers
from npquant.codec.weight_stream import FORMS, decode_weights
from npquant.files.container.layout import (
    ACTIVATIONS,
    INTEGER_MLP,
    MAGIC,
    OFFSETS,
    VERSION,
    VERSION_WITH_FACTS,
    WIDE,
    WIDE_WITH_ENDS,
    WITH_ENDS,
    Part,
    allowed_steps,
    decoding_steps,
    find_profile,
    warn_of_numerics,
)
from npquant.files.container.params import decode_params
from npquant.files.facts import Facts, decode_facts
from npquant.files.format_error import FormatError
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.lookup import FUNCTIONS
from npquant.kernels.qparams import QuantParams
from npquant.profiles.npquant import NPQUANT

_KINDS: Final = (INTEGER_MLP, WITH_ENDS, WIDE, WIDE_WITH_ENDS)


def decode_container(data: bytes, name: str = "bytes") -> tuple[IntegerMLP, tuple[Part, ...], Facts | None]:
    """N1 to N7. Decode an integer network, what each byte is for, in the order of the file, and what it knows of data.

    Nothing in data is trusted: the network's accumulator bounds are proven anew. The parts' bytes sum to the length.
    FormatError, naming the layer and the field, if the bytes are damaged, of another version, or describe no network.

    >>> from npquant.files.container.encode import encode_container
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> model, parts, facts = decode_container(encode_container(IntegerMLP((layer,), p)))
    >>> parts[-2]
    Part(name='weights', layer=0, encoding='dense6', n_bytes=4)
    """
    if data[:3] != MAGIC or len(data) < 9:
        raise FormatError(name, "header", f"not an npquant container: it does not start with {MAGIC!r}")
    if data[3] not in (VERSION, VERSION_WITH_FACTS) or data[4] not in _KINDS:
        found = f"container version {data[3]}, kind {data[4]}"
        raise FormatError(name, "header", f"{found}: this npquant reads versions 1 and 2, kinds 1 to 4")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise FormatError(
            name, "", "the CRC-32 at the end is not that of the content; the file is damaged, get it anew"
        )
    decoder = _Decoder(data)
    try:
        return decoder.decode()
    except (ValueError, OverflowError) as error:
        raise FormatError(name, decoder.place, f"does not describe an IntegerMLP: {error}") from error


class _Decoder:
    """Read N1 from front to back, keeping count of what the bytes were for."""

    def __init__(self, data: bytes) -> None:
        self._reader, self._version = ByteReader(data[:-4]), data[3]
        self._with_ends = self._reader.take(5)[4] in (WITH_ENDS, WIDE_WITH_ENDS)
        self._wide = data[4] in (WIDE, WIDE_WITH_ENDS)
        self._counted = 0
        self._parts: Counter[tuple[str, int | None, str]] = Counter()
        self._steps = allowed_steps(len(data))
        self.place = "header"  # what is being read, for the error that says where

    def decode(self) -> tuple[IntegerMLP, tuple[Part, ...], Facts | None]:
        """Read all of it."""
        reader = self._reader
        numerics = reader.text()
        profile = find_profile(reader.text() or NPQUANT.name)
        inputs, layers = reader.varint(), reader.varint()
        if decoding_steps(inputs, 1) > self._steps:
            raise ValueError(f"{inputs} inputs are too many for so short a file (N6)")
        self._count("header")
        self.place = "input offset"
        offset = self._end(inputs)
        self.place = "input parameters"
        input_params = x = self._params(inputs)
        if np.ndim(x.scale):
            x = QuantParams(self._floats("<f4", 1)[0], x.zero_point, x.qmin, x.qmax)
            self._count("scales")
        read = []
        for number in range(layers):
            read.append(self._layer(number, inputs, x))
            inputs, x = read[-1].shape[1], read[-1].output
        self.place = "output ends"
        ends = (self._end(inputs), self._end(inputs)) if self._with_ends else (None, None)
        facts = self._facts() if self._version == VERSION_WITH_FACTS else None
        self.place = "end"
        if reader.left:
            raise ValueError(f"{reader.left} bytes follow the last layer")
        model = IntegerMLP(tuple(read), input_params, offset, profile, *ends)
        self._parts["checksum", None, ""] = 4
        warn_of_numerics(numerics, profile)
        return model, tuple(Part(*key, n_bytes) for key, n_bytes in self._parts.items()), facts

    def _count(self, name: str, layer: int | None = None, encoding: str = "") -> None:
        """Attribute the bytes read since the last count."""
        self._parts[name, layer, encoding] += self._reader.at - self._counted
        self._counted = self._reader.at

    def _floats(self, dtype: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self._reader.take(count * np.dtype(dtype).itemsize), dtype)

    def _end(self, size: int) -> NDArray[np.float64] | None:
        """Read N2: an offset, or factors."""
        form = self._reader.byte()
        if form >= len(OFFSETS):
            raise ValueError(f"unknown form {form} of an offset or of factors")
        with np.errstate(invalid="ignore"):  # of a signalling NaN, which the network refuses like any other
            end = self._floats(OFFSETS[form], size).astype(np.float64) if form else None
        self._count("offset")
        return end

    def _layer(self, number: int, inputs: int, x: QuantParams) -> IntegerLayer:
        """Read N4."""
        reader, layer = self._reader, f"layer {number}"
        self.place = layer
        outputs, activation = reader.varint(), reader.byte()
        if inputs < 1 or outputs < 1 or activation >= len(ACTIVATIONS):
            raise ValueError(f"shape ({inputs}, {outputs}) with activation {activation} is none")
        self._steps -= decoding_steps(inputs, outputs)
        if self._steps < 0:
            raise ValueError(f"shape ({inputs}, {outputs}) is too large for so short a file (N6)")
        name = ACTIVATIONS[activation]
        self.place = f"{layer}, parameters"
        w, y = self._params(outputs, number), self._params(1, number)
        pre = self._params(1, number) if name in FUNCTIONS else None
        self.place = f"{layer}, biases"
        bias: NDArray[Any] = decode_integers(reader.take(reader.varint()), outputs)
        if self._wide and x.dtype == np.int16:
            low = decode_integers(reader.take(reader.varint()), outputs)
            if low.min() < 0 or low.max() >= 1 << 16:
                raise ValueError("the lower 16 bits of a bias are none; the data is damaged")
            bias = np.left_shift(bias.astype(np.int64), 16) + low
        self._count("biases", number)
        self.place = f"{layer}, weights"
        form = reader.byte()
        if form >= len(FORMS):
            raise ValueError(f"unknown form {form} of weights")
        stream = reader.take(reader.varint())
        w_q = decode_weights(FORMS[form], stream, (inputs, outputs), w.zero_point)
        self._count("weights", number, FORMS[form])
        self.place = layer
        return IntegerLayer(w_q, bias, x, w, y, name, pre)

    def _facts(self) -> Facts:
        """Read N7."""
        self.place = "facts"
        facts = decode_facts(self._reader)
        self._count("facts")
        return facts

    def _params(self, channels: int, layer: int | None = None) -> QuantParams:
        """Read N5."""
        return decode_params(self._reader, channels, lambda name: self._count(name, layer))
