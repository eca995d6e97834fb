"""Flatbuffers of our own: what is written is read again, and nothing outside the file is."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.files.format_error import FormatError
from npquant.interop.flatbuffer import Numbers, Scalar, root_table, write_flatbuffer
from tests.interop.mutations import judge

TREE = {
    0: Scalar("I", 3),
    1: Scalar("b", -5),
    2: "words",
    3: Numbers(np.array([1, -2, 3], np.int64), 8),
    5: [{0: Scalar("q", -(2**40))}, {1: "second"}],
    7: {0: Scalar("Q", 2**63), 1: Scalar("b", 1), 2: Scalar("f", 0.5)},
}


def test_write_flatbuffer_is_read_again() -> None:
    """Every kind of field comes back; absent ones are their default, and vectors of nothing are empty."""
    found = root_table(write_flatbuffer(TREE, b"TEST"), "file")
    assert (found.scalar(0, "I"), found.scalar(1, "b"), found.string(2)) == (3, -5, "words")
    np.testing.assert_array_equal(found.numbers(3, "i8"), [1, -2, 3])
    assert found.item(5, 0).scalar(0, "q") == -(2**40)
    assert found.item(5, 1).string(1) == "second"
    inner = found.table(7)
    assert inner is not None
    assert (inner.scalar(0, "Q"), inner.scalar(1, "b"), inner.scalar(2, "f")) == (2**63, 1, 0.5)
    assert (found.scalar(4, "i", 9), found.string(6), found.numbers(30, "f4").size, found.table(8)) == (9, "", 0, None)


def test_write_flatbuffer_aligns_what_it_writes() -> None:
    """Numbers stand at multiples of their own width, vectors at what is asked for: engines load them as they are."""
    for length in range(17):
        tree = {0: "x" * length, 1: Numbers(np.arange(3, dtype=np.uint8), 16), 2: {0: Scalar("Q", 7)}}
        found = root_table(write_flatbuffer(tree, b"TEST"), "file")
        assert found.vector(1, 1)[0] % 16 == 0
        inner = found.table(2)
        assert inner is not None
        where = inner.field(0, 8)
        assert where is not None
        assert where % 8 == 0


def test_flatbuffers_package_reads_the_same() -> None:
    """The format's own package finds the numbers where npquant wrote them."""
    table = pytest.importorskip("flatbuffers.table")
    encode = pytest.importorskip("flatbuffers.encode")
    packer = pytest.importorskip("flatbuffers.packer")
    data = bytearray(write_flatbuffer(TREE, b"TEST"))
    root = table.Table(data, encode.Get(packer.uoffset, data, 0))
    assert encode.Get(packer.uint32, data, root.Pos + root.Offset(4)) == 3
    assert root.String(root.Pos + root.Offset(8)) == b"words"
    assert root.VectorLen(root.Offset(10)) == 3


@given(st.binary(max_size=120), st.sampled_from(range(10)))
def test_table_reads_nothing_outside_any_bytes(data: bytes, slot: int) -> None:
    """Whatever the bytes are, a field is read inside them, or refused with the file's name."""

    def look(raw: bytes) -> object:
        found = root_table(raw, "any bytes")
        return found.scalar(slot, "Q"), found.numbers(slot, "i8").sum(), found.string(slot), found.item(slot, 0)

    judge(look, data, "any bytes")


@given(st.data())
def test_table_reads_nothing_outside_a_damaged_file(data: st.DataObject) -> None:
    """A good file with any four bytes changed gives numbers of the file, or the one error."""
    raw = bytearray(write_flatbuffer(TREE, b"TEST"))
    at = data.draw(st.integers(0, len(raw) - 4))
    raw[at : at + 4] = struct.pack("<I", data.draw(st.integers(0, 2**32 - 1)))

    def look(raw: bytes) -> object:
        found = root_table(raw, "damaged")
        inner = found.table(7)
        return found.numbers(3, "i8").copy(), found.item(5, 1).string(1), inner and inner.scalar(0, "Q")

    judge(look, bytes(raw), "damaged")


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (0, 2**32 - 1, "outside the file"),  # the root beyond the end
        (0, 0, "vtable"),  # the root on itself: its vtable would be what refers to it
    ],
)
def test_root_table_refuses_a_root_that_is_none(at: int, value: int, says: str) -> None:
    """A root outside the file, or one whose vtable is, is refused."""
    raw = bytearray(write_flatbuffer({0: Scalar("I", 3)}, b"TEST"))
    raw[at : at + 4] = struct.pack("<I", value)
    with pytest.raises(FormatError, match=says):
        root_table(bytes(raw), "file")


def test_item_refuses_a_negative_index_and_one_past_the_end() -> None:
    """An index is one of a vector's items, counted from 0."""
    found = root_table(write_flatbuffer(TREE, b"TEST"), "file")
    for index in (-1, 2, 2**31):
        with pytest.raises(FormatError, match="2 items"):
            found.item(5, index)
