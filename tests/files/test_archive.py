"""Laws of the archive: what is written is read back, byte-reproducibly; what is hostile is refused, and bounded."""

import io
import os
import re
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.files.archive import decode_npy, decode_zip, encode_npy, encode_zip, read_bounded
from npquant.files.format_error import FormatError

DTYPES = st.sampled_from(["<f4", ">f4", "<f8", "|i1", "|u1", "<i2", ">i4", "<u8", "|b1", "<U3", "<f2"])
ARRAYS = st.tuples(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)).flatmap(
    lambda drawn: hnp.arrays(np.dtype(drawn[0]), drawn[1])
)
LIMIT = 1 << 16


def law_reads_back(encode: Any, decode: Any, array: Any) -> None:
    back = decode(encode(array), "a.npy")
    assert back.dtype == array.dtype.newbyteorder("=") and back.shape == array.shape
    assert back.tobytes() == array.astype(back.dtype).tobytes()


@given(ARRAYS)
def test_npy_reads_back_and_is_numpy_s_own(array: Any) -> None:
    """L4: values, NaN payloads, dtype and shape survive; NumPy reads what is written, and is read in both orders."""
    law_reads_back(encode_npy, decode_npy, array)
    theirs = np.load(io.BytesIO(encode_npy(array)), allow_pickle=False)
    assert theirs.shape == array.shape and theirs.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
    for layout in (array, np.array(array, order="F")):
        stream = io.BytesIO()
        np.save(stream, layout)
        law_reads_back(lambda _, stream=stream: stream.getvalue(), decode_npy, array)


@given(ARRAYS)
def test_encode_npy_depends_on_nothing_but_the_array(array: Any) -> None:
    """Byte order and memory order of an array leave no trace."""
    for other in (array.astype(array.dtype.newbyteorder(">")), np.array(array, order="F")):
        assert encode_npy(other) == encode_npy(array)


def test_npy_law_kills_wrong_ones() -> None:
    """The law fails on a reader that ignores the order, and on a writer that passes float32 on."""
    wide = np.array([[1.0, 2.0, 1 / 3], [4.0, 5.0, 6.0]])
    stream = io.BytesIO()
    np.save(stream, np.asfortranarray(wide))
    written = stream.getvalue().replace(b"'fortran_order': True, ", b"'fortran_order': False,")
    with pytest.raises(AssertionError):
        law_reads_back(lambda _: written, decode_npy, wide)
    with pytest.raises(AssertionError):
        law_reads_back(lambda array: encode_npy(array.astype(np.float32)), decode_npy, wide)


@pytest.mark.parametrize(
    "array",
    [np.array([None, 1], object), np.zeros(2, [("a", "i4")]), np.array(["2024-01-01"], "M8[D]"), np.zeros(1, "V3")],
)
def test_npy_refuses_what_is_not_numbers_or_text(array: Any) -> None:
    """Objects (pickles), records, dates and void are neither written nor read."""
    with pytest.raises(TypeError, match="not stored; convert"):
        encode_npy(array)
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    with pytest.raises(FormatError, match=r"^a\.npz: x\.npy: .*(refused|records)"):
        decode_npy(stream.getvalue(), "a.npz: x.npy")


@given(st.data())
def test_decode_npy_raises_nothing_but_the_one_error(data: st.DataObject) -> None:
    """Whatever is done to a file, it is an array or a FormatError that starts with its name."""
    content = bytearray(encode_npy(np.arange(6, dtype=np.int16).reshape(2, 3)))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[at] = byte
    content = bytes(content[: data.draw(st.integers(0, len(content)))])  # type: ignore[assignment]
    try:
        assert isinstance(decode_npy(content, "a.npy"), np.ndarray)
    except FormatError as error:
        assert str(error).startswith("a.npy: ")


def with_header(text: str, body: Any = b"") -> Any:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body  # type: ignore[operator]


@pytest.mark.parametrize(
    "content",
    [
        with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999999,), }\n"),
        with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1, " * 40 + b"), }\n", b"1234"),
        with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n", b"1234"),
        with_header(b"{'descr': '<f4', 'fortran_order': __import__('os').getcwd(), 'shape': (1,), }\n", b"1234"),
        with_header(b"{'descr': '<U99999', 'fortran_order': False, 'shape': (0,), }\n"),
        with_header(b" " * 5000 + b"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }\n"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"{" * 9,
        b"\x93NUMPY\x04\x00\x00\x00\x00\x00",
        b"",
    ],
)
def test_decode_npy_refuses_hostile_headers(content: Any) -> None:
    """Shapes beyond the file, ranks beyond NumPy, code in the header and unknown versions are refused."""
    with pytest.raises(FormatError, match=r"^a\.npy: "):
        decode_npy(content, "a.npy")


@pytest.mark.parametrize("item", ["<U2", ">U2"])
@pytest.mark.parametrize("point", [0x110000, 0xFFFFFFFF, 0xD800, 0xDFFF])
def test_decode_npy_refuses_text_that_is_none(item: Any, point: Any) -> None:
    """Code points beyond Unicode, which crash NumPy later, and surrogates are refused; their neighbours are not."""
    text = np.array(["a\uffff", "\ue000\U0010ffff"], item)
    law_reads_back(encode_npy, decode_npy, text)
    stream = io.BytesIO()
    np.save(stream, text)
    broken = bytearray(stream.getvalue())
    broken[-4:] = struct.pack(item[0] + "I", point)
    with pytest.raises(FormatError, match=r"^a\.npy: .*no text"):
        decode_npy(bytes(broken), "a.npy")


MEMBERS = st.dictionaries(st.text("abc./é", min_size=1, max_size=5), st.binary(max_size=40), max_size=4)


@given(MEMBERS)
def test_zip_reads_back_in_order_and_reproducibly(members: Any) -> None:
    """L1: names, contents and their order survive; the bytes are the same again; zipfile finds no fault."""
    data = encode_zip(members)
    assert list(decode_zip(data, "a.npz", max_bytes=LIMIT).items()) == list(members.items())
    assert encode_zip(dict(members)) == data
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def zipped(*members: Any, method: Any = zipfile.ZIP_DEFLATED) -> Any:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the name that is written twice on purpose
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def law_bomb_is_bounded(decode: Any) -> None:
    bomb = zipped(("x.npy", bytes(1 << 24)))
    assert len(bomb) < 1 << 15
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=r"^a\.npz: "):
            decode(bomb)
        # A lying directory: the member inflates to more than it promises.
        lying = bomb.replace(struct.pack("<I", 1 << 24), struct.pack("<I", 64))
        with pytest.raises(FormatError, match=r"^a\.npz: "):
            decode(lying)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_decode_zip_bounds_bombs() -> None:
    """16 MiB of zeros in 16 kB are refused before they are inflated, also where the directory lies."""
    law_bomb_is_bounded(lambda data: decode_zip(data, "a.npz", max_bytes=LIMIT))


def test_decode_zip_law_kills_one_that_measures_afterwards() -> None:
    """The law fails on a reader that inflates first and looks at the length then."""

    def inflate_first(data: Any) -> None:
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
            total = sum(len(archive.read(name)) for name in archive.namelist())
        except zipfile.BadZipFile as error:
            raise FormatError("a.npz", "", str(error)) from error
        if total > LIMIT:
            raise FormatError("a.npz", "", "too much")

    with pytest.raises(AssertionError):
        law_bomb_is_bounded(inflate_first)


def test_decode_zip_refuses_doubles_crowds_other_methods_and_damage() -> None:
    """A name that stands twice, too many members, other compression, encryption and truncation are refused."""
    crowd = zipped(*[(str(i), b"") for i in range(4097)])
    encrypted = bytearray(zipped(("a", b"1")))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(signature) + at] |= 1
    for data in (
        zipped(("a", b"1"), ("a", b"2")), crowd, zipped(("a", b"1"), method=zipfile.ZIP_BZIP2),
        zipped(("a", b"1"), method=zipfile.ZIP_LZMA), bytes(encrypted), b"", b"PK", zipped(("a", b"1"))[:-1],
    ):  # fmt: skip
        with pytest.raises(FormatError, match=r"^a\.npz: "):
            decode_zip(data, "a.npz", max_bytes=LIMIT)


@given(st.data())
def test_decode_zip_raises_nothing_but_the_one_error(data: st.DataObject) -> None:
    """Whatever is done to an archive, it has members or a FormatError that starts with its name."""
    content = bytearray(zipped(("a.npy", b"123" * 9), ("b", b"4")))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[at] = byte
    try:
        decode_zip(bytes(content), "a.npz", max_bytes=LIMIT)
    except FormatError as error:
        assert str(error).startswith("a.npz: ")


def test_read_bounded_reads_regular_files_within_the_limit(tmp_path: Path) -> None:
    """The limit is inclusive; folders and pipes are refused before they are opened, missing files are OSError."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    assert read_bounded(path, max_bytes=3) == b"abc"
    with pytest.raises(FormatError, match=re.escape(f"{path}: 3 bytes, the limit is 2")):
        read_bounded(path, max_bytes=2)
    with pytest.raises(FormatError, match="not a regular file"):
        read_bounded(tmp_path, max_bytes=3)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "b", max_bytes=3)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FormatError, match="not a regular file"):
            read_bounded(tmp_path / "pipe", max_bytes=3)
