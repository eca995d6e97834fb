"""The numbers of a tensor: every type and every way to store them is the same array."""

from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in.external import Folder
from npquant.interop.onnx_in.messages import read_tensor
from npquant.interop.onnx_in.tensors import TensorReader
from npquant.interop.onnx_in.wire import Reader
from tests.interop.onnx_in.models import TYPES, field, tensor, varint


def decoded(data: Any) -> Any:
    """Decode TensorProto bytes."""
    reader = Reader("net")
    return TensorReader(reader, Folder(None, "net")).array(read_tensor(memoryview(data), reader, "tensor"), "w")


@pytest.mark.parametrize("dtype", sorted(TYPES))
def test_array_of_raw_data_is_the_array(dtype: Any) -> None:
    """Little-endian raw bytes of each type come back bit for bit."""
    array = np.random.default_rng(5).integers(0, 2 if dtype == "bool" else 90, (3, 4)).astype(dtype)
    got = decoded(tensor("w", array))
    assert got.dtype == array.dtype and got.shape == (3, 4)
    np.testing.assert_array_equal(got, array)


def packed(number: Any, values: Any, dtype: Any) -> Any:
    """Return a typed field of varints, or of words for floats."""
    if np.dtype(dtype).kind == "f":
        return field(number, np.asarray(values, dtype).tobytes())
    return field(number, b"".join(varint(int(v)) for v in values))


@pytest.mark.parametrize(
    ("kind", "number", "values", "want"),
    [
        (1, 4, [1.5, -2.0], np.float32([1.5, -2.0])),
        (11, 10, [1.5, -2.0], np.float64([1.5, -2.0])),
        (3, 5, [-1, 127], np.int8([-1, 127])),
        (2, 5, [0, 255], np.uint8([0, 255])),
        (6, 5, [-(2**31), 5], np.int32([-(2**31), 5])),
        (7, 7, [-(2**63), 5], np.int64([-(2**63), 5])),
        (13, 11, [2**64 - 1, 5], np.uint64([2**64 - 1, 5])),
        (10, 5, [0x3C00, 0xC000], np.float16([1.0, -2.0])),
        (16, 5, [0x3F80, 0xC000], np.float32([1.0, -2.0])),
        (22, 5, [0x2F], np.int8([-1, 2])),
        (21, 5, [0x2F], np.uint8([15, 2])),
        (26, 5, [0b0110], np.int8([-2, 1])),
    ],
)
def test_array_of_typed_fields_is_the_array(kind: Any, number: Any, values: Any, want: Any) -> None:
    """float_data, int32_data and the others hold the same numbers as raw_data would."""
    wide = {4: "<f4", 10: "<f8"}.get(number, "int64")
    got = decoded(tensor("w", np.zeros(2, np.float32), kind=kind, raw=b"", extra=packed(number, values, wide)))
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def test_array_of_unpacked_floats_is_the_array() -> None:
    """Old writers give a key to each number of a repeated field."""
    extra = field(4, 1.5) + field(4, -2.0)
    np.testing.assert_array_equal(decoded(tensor("w", np.zeros(2, np.float32), raw=b"", extra=extra)), [1.5, -2.0])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (tensor("w", np.zeros(2, np.float32), raw=b"1234567"), "takes 8 bytes, not 7"),
        (tensor("w", np.zeros(2, np.float32), raw=b""), "holds 0 numbers"),
        (tensor("w", np.zeros(2, np.float32), kind=99), "type 99"),
        (tensor("w", np.zeros(2, np.float32), kind=8), "type 8"),
        (tensor("w", np.zeros(2, np.float32), dims=[-1, -2]), "has the shape"),
        (tensor("w", np.zeros(2, np.float32), dims=[2**62, 2**62]), "has the shape"),
        (tensor("w", np.zeros(2, np.float32), dims=[2**39, 2**39]), "takes 1208925819614629174706176 bytes"),
        (tensor("w", np.zeros(2, np.float32), dims=[1] * 9), "has the shape"),
        (tensor("w", np.zeros(2, np.int8), raw=b"", extra=packed(5, [1, 300], "int64")), "numbers outside INT8"),
        (tensor("w", np.zeros(2, np.int8), raw=b"", extra=packed(7, [1, 3], "int64")), "another type's field"),
        (tensor("w", np.zeros(2, np.float32), raw=b"", extra=field(4, b"1234567")), "cut off"),
        (tensor("w", np.zeros(2, np.float32), extra=field(3, b"")), "in segments"),
    ],
)
def test_array_refuses_numbers_that_do_not_fit_type_and_shape(data: Any, problem: Any) -> None:
    """Too few bytes, too many, unknown types and shapes beyond any memory: one error that names the tensor."""
    with pytest.raises(FormatError, match=f"net: tensor 'w': .*{problem}"):
        decoded(data)
