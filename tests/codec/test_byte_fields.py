"""Laws of the fields of a compact file (B1 to B3): read back, one form a number, never past the end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.codec.byte_fields import ByteReader, text, varint, zigzag


def law_reads_back(write: Any, read: Any, value: Any) -> None:
    reader = ByteReader(write(value) + b"rest")
    assert read(reader) == value and reader.take(4) == b"rest" and reader.left == 0


@given(
    st.integers(0, 2**35 - 1), st.integers(-(2**34), 2**34 - 1), st.text(st.characters(max_codepoint=127), max_size=200)
)
def test_fields_read_back(natural: Any, integer: Any, name: Any) -> None:
    """B1 to B3: what is written is read, and nothing behind it."""
    law_reads_back(varint, ByteReader.varint, natural)
    law_reads_back(zigzag, ByteReader.zigzag, integer)
    law_reads_back(text, ByteReader.text, name)


@pytest.mark.parametrize("value", [0, 127, 128, 2**14 - 1, 2**14, 2**28 - 1, 2**28, 2**35 - 1])
def test_varint_takes_a_byte_for_each_seven_bits(value: Any) -> None:
    """B1: the length is the bits divided by 7, rounded up, and at least 1; the law fails on eight bits a byte."""
    law_reads_back(varint, ByteReader.varint, value)
    assert len(varint(value)) == max(1, -(-value.bit_length() // 7))
    if value > 127:
        with pytest.raises((AssertionError, ValueError)):
            law_reads_back(lambda v: v.to_bytes(5, "little"), ByteReader.varint, value)


@given(st.binary(max_size=8))
def test_reader_has_one_form_a_number(data: Any) -> None:
    """A varint that is read is exactly what would be written, or it is refused; nothing is read past the end."""
    reader = ByteReader(data)
    try:
        value = reader.varint()
    except ValueError as error:
        assert "damaged" in str(error)
    else:
        assert varint(value) == data[: reader.at]


def test_fields_refuse_what_they_cannot_hold() -> None:
    """Negative numbers, numbers beyond 35 bits, text that is not ASCII, and a length beyond the end are refused."""
    for bad in (-1, 2**35):
        with pytest.raises(ValueError, match="a varint holds 0 to"):
            varint(bad)
    with pytest.raises(ValueError, match="ascii"):
        text("é")
    with pytest.raises(ValueError, match="ascii"):
        ByteReader(b"\x01\xff").text()
    with pytest.raises(ValueError, match="3 bytes are wanted at byte 0, 2 are left"):
        ByteReader(b"ab").take(3)
    with pytest.raises(ValueError, match="are left"):
        ByteReader(varint(2**35 - 1)).text()
