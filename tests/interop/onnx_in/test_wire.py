"""The wire format: what protocol buffers say, and nothing that costs more than the file is long."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in.wire import MAX_FIELDS, Reader
from tests.interop.onnx_in.models import field, varint


def fields(data: Any) -> Any:
    """Read all fields of one message."""
    return [(n, v if isinstance(v, int) else bytes(v)) for n, _, v in Reader("net").read(memoryview(data), "here")]


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=20)))))
def test_read_gives_back_what_was_written(message: str) -> None:
    """Every list of fields comes back in order, numbers and bytes alike."""
    assert fields(b"".join(field(number, value) for number, value in message)) == message  # type: ignore[str-unpack]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_varints_are_the_integers_that_were_packed(values: Any) -> None:
    """A packed field holds each integer of 64 bits, negative ones as two's complement."""
    packed = b"".join(varint(v) for v in values)
    assert Reader("net").varints(memoryview(packed), "here").tolist() == values


def test_varints_longer_than_a_part_do_not_depend_on_where_it_ends() -> None:
    """A field is decoded in parts of 2^18 bytes; a number across the end of one is the same number."""
    values = np.arange(200_000) * 300
    packed = b"".join(varint(int(v)) for v in values)
    assert len(packed) > 2 << 18
    np.testing.assert_array_equal(Reader("net").varints(memoryview(packed), "here"), values)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x08", "ends inside a number"),
        (b"\x08" + b"\xff" * 11, "longer than ten bytes"),
        (b"\x0a\x05abc", "is 5 bytes long where 3 are left"),
        (b"\x0a" + varint(2**64 - 1), "bytes long where 0 are left"),
        (b"\x0d\x00", "is 4 bytes long where 1 are left"),
        (b"\x0b\x0c", "wire type 3"),
    ],
)
def test_read_refuses_what_is_cut_off_or_of_no_wire_type(data: Any, problem: Any) -> None:
    """A value that does not end inside its message is an error with file and place."""
    with pytest.raises(FormatError, match=f"net: here: .*{problem}"):
        fields(data)


def test_read_bounds_the_number_of_fields() -> None:
    """Two bytes a field make many objects of a short file; more than MAX_FIELDS are refused."""
    with pytest.raises(FormatError, match="more than 50000 fields"):
        fields(b"\x08\x00" * (MAX_FIELDS + 1))


def test_text_must_be_utf8_and_values_of_their_kind() -> None:
    """Names that are no text, numbers for bytes and bytes for numbers are refused."""
    reader = Reader("net")
    for ask, value in ((reader.text, memoryview(b"\xff")), (reader.bytes, 3), (reader.integer, memoryview(b"a"))):
        with pytest.raises(FormatError, match="net: here"):
            ask(value, "here")
