"""The numbers of a TensorProto: raw bytes, typed fields, packed nibbles, or a file beside the model.

Legend: tensor the message; name what it is called in errors; count the elements its shape asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.onnx_in.external import Folder
from npquant.interop.onnx_in.messages import Tensor, quoted
from npquant.interop.onnx_in.wire import BYTES, EIGHT, FOUR, Field, Reader

# TensorProto.DataType of onnx 1.23.2: name, dtype in memory, bits in raw_data, typed field that may hold it instead.
TYPES: Final = MappingProxyType(
    {
        1: ("FLOAT", np.float32, 32, 4),
        2: ("UINT8", np.uint8, 8, 5),
        3: ("INT8", np.int8, 8, 5),
        4: ("UINT16", np.uint16, 16, 5),
        5: ("INT16", np.int16, 16, 5),
        6: ("INT32", np.int32, 32, 5),
        7: ("INT64", np.int64, 64, 7),
        9: ("BOOL", np.bool_, 8, 5),
        10: ("FLOAT16", np.float16, 16, 5),
        11: ("DOUBLE", np.float64, 64, 10),
        12: ("UINT32", np.uint32, 32, 11),
        13: ("UINT64", np.uint64, 64, 11),
        16: ("BFLOAT16", np.float32, 16, 5),
        21: ("UINT4", np.uint8, 4, 5),
        22: ("INT4", np.int8, 4, 5),
        25: ("UINT2", np.uint8, 2, 5),
        26: ("INT2", np.int8, 2, 5),
    }
)
FLOATS: Final = (1, 10, 11, 16)
FLOAT, DOUBLE, INT32, INT64, BFLOAT16 = 1, 11, 6, 7, 16
# The closed interval of the codes of each type that quantized files use.
CODES: Final = MappingProxyType(
    {
        2: (0, 255),
        3: (-128, 127),
        4: (0, 65535),
        5: (-32768, 32767),
        6: (-(2**31), 2**31 - 1),
        21: (0, 15),
        22: (-8, 7),
        25: (0, 3),
        26: (-2, 1),
    }
)


def type_name(number: int) -> str:
    """Return the name of the element type of that number, as ONNX spells it.

    >>> type_name(3), type_name(99)
    ('INT8', 'type 99')
    """
    return TYPES[number][0] if number in TYPES else f"type {number}"


@dataclass(frozen=True, slots=True)
class TensorReader:
    """Hold what decoding needs beside the tensor: the wire reader, and the folder of external data."""

    reader: Reader
    folder: Folder

    def array(self, tensor: Tensor, name: str) -> NDArray[Any]:
        """Return the tensor's numbers in its shape, a view of the file where it can be one.

        FormatError where type, shape and bytes do not agree.
        """
        place = f"tensor {quoted(name)}"
        if tensor.type not in TYPES:
            raise self.reader.error(place, f"has {type_name(tensor.type)}; npquant reads numbers up to 64 bits")
        if len(tensor.dims) > 8 or any(d < 0 or d >= 2**40 for d in tensor.dims):
            raise self.reader.error(place, f"has the shape {tensor.dims[:9]}")
        count = 1
        for d in tensor.dims:
            count *= d
        if tensor.segmented:
            raise self.reader.error(place, "is stored in segments")
        bits = TYPES[tensor.type][2]
        size = (count * bits + 7) // 8
        if tensor.is_external or tensor.external:
            flat = self._decoded(memoryview(self.folder.read(tensor.external, size, place)), tensor, count)
        elif tensor.raw is not None:
            if len(tensor.raw) != size:
                raise self.reader.error(
                    place, f"{type_name(tensor.type)} of shape {tensor.dims} takes {size} bytes, not {len(tensor.raw)}"
                )
            flat = self._decoded(tensor.raw, tensor, count)
        else:
            flat = self._typed(tensor, count, place)
        return flat.reshape(tensor.dims)

    def _decoded(self, raw: memoryview, tensor: Tensor, count: int) -> NDArray[Any]:
        _, dtype, bits, _ = TYPES[tensor.type]
        if bits < 8:
            return unpack(np.frombuffer(raw, np.uint8), tensor.type, count)
        if tensor.type == BFLOAT16:
            return widen_bfloat16(np.frombuffer(raw, "<u2"))
        if dtype is np.bool_:
            return np.asarray(np.frombuffer(raw, np.uint8) != 0)
        return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype, copy=False)

    def _typed(self, tensor: Tensor, count: int, place: str) -> NDArray[Any]:
        _, dtype, bits, wanted = TYPES[tensor.type]
        if any(number != wanted for number, _, _ in tensor.typed):
            raise self.reader.error(place, f"{type_name(tensor.type)} numbers stand in another type's field")
        values = self._values(tensor.typed, wanted, place)
        stored = -(-count * bits // 8) if bits < 8 else count
        if values.size != stored:
            raise self.reader.error(place, f"holds {values.size} numbers; its shape {tensor.dims} asks for {stored}")
        if bits < 8:
            return unpack((values & 255).astype(np.uint8), tensor.type, count)
        if tensor.type == BFLOAT16:
            return widen_bfloat16((values & 0xFFFF).astype("<u2"))
        if dtype is np.float16:
            return (values & 0xFFFF).astype(np.uint16).view(np.float16)
        if dtype in (np.float32, np.float64):
            return np.asarray(values)
        if dtype is np.uint64:
            return values.view(np.uint64)
        if dtype is np.bool_:
            return np.asarray(values != 0)
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if values.size and not (low <= values.min() and values.max() <= high):
            raise self.reader.error(place, f"holds numbers outside {type_name(tensor.type)}")
        return values.astype(dtype)

    def _values(self, fields: list[Field], number: int, place: str) -> NDArray[Any]:
        """One field's values, packed or one by one, in the order of the file."""
        float_word = {4: ("<f4", FOUR), 10: ("<f8", EIGHT)}.get(number)
        parts: list[NDArray[Any]] = [np.zeros(0, float_word[0] if float_word else np.int64)]
        for _, wire, value in fields:
            if float_word is None:
                if isinstance(value, int):
                    parts.append(np.array([self.reader.integer(value, place)], np.int64))
                else:
                    parts.append(self.reader.varints(value, place))
                continue
            dtype, word = np.dtype(float_word[0]), float_word[1]
            if isinstance(value, int) and wire == word:
                parts.append(np.frombuffer(value.to_bytes(dtype.itemsize, "little"), dtype))
            elif wire == BYTES and not isinstance(value, int) and len(value) % dtype.itemsize == 0:
                parts.append(np.frombuffer(value, dtype))
            else:
                raise self.reader.error(place, "its numbers are cut off, or of another width than their type")
        return parts[1] if len(parts) == 2 else np.concatenate(parts)


def unpack(raw: NDArray[np.uint8], kind: int, count: int) -> NDArray[Any]:
    """Return `count` codes of 4 or 2 bits, the lowest bits of a byte first; kind their element type, raw the bytes.

    >>> unpack(np.array([0x2F], np.uint8), 22, 2)
    array([-1,  2], dtype=int8)
    """
    _, dtype, bits, _ = TYPES[kind]
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = ((raw[:, None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(-1)[:count].astype(np.int16)
    if dtype is np.int8:
        codes -= (codes >> (bits - 1)) << bits
    return codes.astype(dtype)


def widen_bfloat16(patterns: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return bfloat16 patterns as the float32 they are the upper half of.

    >>> widen_bfloat16(np.array([0x3F80], np.uint16))
    array([1.], dtype=float32)
    """
    return (patterns.astype(np.uint32) << np.uint32(16)).view(np.float32)
