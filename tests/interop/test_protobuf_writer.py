"""What the protobuf writer writes is what the format's own library writes and reads."""

import numpy as np
import pytest

from npquant.interop.protobuf_writer import content, integer, repeated, single, varint


def test_varint_takes_seven_bits_a_byte() -> None:
    """Zero is one byte, 2^63 - 1 nine, and a negative number its 64-bit complement."""
    assert varint(0) == b"\x00"
    assert varint(127) == b"\x7f"
    assert varint(128) == b"\x80\x01"
    assert varint(2**63 - 1) == b"\xff" * 8 + b"\x7f"
    assert varint(-2) == b"\xfe" + b"\xff" * 8 + b"\x01"


def test_content_of_text_is_its_bytes_in_utf8() -> None:
    """Text and bytes are one kind of field."""
    assert content(3, "\u00e4") == content(3, b"\xc3\xa4") == b"\x1a\x02\xc3\xa4"


@pytest.mark.peer
def test_fields_are_those_of_the_library() -> None:
    """An attribute written here is read by onnx, and serialized by it to the same bytes."""
    onnx = pytest.importorskip("onnx")
    for value in (0, 1, 300, 2**62, -1, -(2**63)):
        ours = content(1, "n") + integer(3, value) + integer(20, 2)
        theirs = onnx.AttributeProto.FromString(ours)
        assert (theirs.name, theirs.i, theirs.SerializeToString()) == ("n", value, ours)
    ours = content(1, "x") + single(2, 1 / 6) + integer(20, 1)
    assert onnx.AttributeProto.FromString(ours).f == np.float32(1 / 6)
    ours = repeated(1, ("a", "", "b")) + content(2, "y") + content(4, "Sum")
    assert list(onnx.NodeProto.FromString(ours).input) == ["a", "", "b"]
    assert onnx.NodeProto.FromString(ours).SerializeToString() == ours
