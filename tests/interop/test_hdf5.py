"""HDF5 within bounds: nothing is followed out of the file, inflated, or believed before it is checked."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.hdf5 import open_hdf5

h5py = pytest.importorskip("h5py", reason="h5py is not installed; it is in the extra 'keras'")


def made(fill: Callable[[Any], object], **settings: Any) -> bytes:
    """Return the content of an HDF5 file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **settings) as file:
        fill(file)
    return buffer.getvalue()


def array(fill: Callable[[Any], object], path: str = "w", **settings: Any) -> Any:
    """Return the data set at a path of a file, as it is read."""
    with open_hdf5(made(fill, **settings), "net.h5") as h5:
        return h5.array(path)


def store(values: Any, **settings: Any) -> Callable[[Any], object]:
    """Return what writes values as the data set "w"."""
    return lambda file: file.create_dataset("w", data=values, **settings)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">f8"])
def test_numbers_are_the_files_own(dtype: str) -> None:
    """Floats of either byte order come back bit for bit, in native order."""
    values = np.random.default_rng(1).normal(size=(3, 4)).astype(dtype)
    found = array(store(values))
    assert np.array_equal(found, values) and found.dtype.isnative and found.dtype == values.dtype.newbyteorder("=")


def test_bfloat16_is_the_upper_half() -> None:
    """Two bytes without a meaning are bfloat16, and nothing else if a dtype stands beside them."""
    codes = np.array([[0x3F80, 0xC000]], np.uint16)
    assert array(store(codes.view("V2"))).tolist() == [[1.0, -2.0]]

    def other(file: Any) -> None:
        file.create_dataset("w", data=codes.view("V2")).attrs["dtype"] = "float16"

    with pytest.raises(FormatError, match="holds "):
        array(other)


def external(file: Any) -> None:
    """Store raw data in another file."""
    file.create_dataset("w", (2,), "f4", external=[("/etc/passwd", 0, 8)])


def virtual(file: Any) -> None:
    """Map another file's data set."""
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", (2,))
    file.create_virtual_dataset("w", layout)


def link(to: Any) -> Callable[[Any], object]:
    """Return what links "w" to something."""

    def fill(file: Any) -> None:
        file["here"] = np.zeros(2, "f4")
        file["w"] = to

    return fill


REFUSED = {
    "soft link": (link(h5py.SoftLink("/here")), "'w' is a soft link; links are not followed"),
    "external link": (link(h5py.ExternalLink("/etc/other.h5", "/w")), "'w' is a link to another file"),
    "external storage": (external, "lies in another file"),
    "virtual": (virtual, "lies in another file"),
    "gzip": (store(np.zeros((64, 64), "f4"), compression="gzip"), "h5repack -f NONE"),
    "a filter": (store(np.zeros((64, 64), "f4"), shuffle=True), "h5repack -f NONE"),
    "chunks": (store(np.zeros((64, 64), "f4"), chunks=True), "in chunks"),
    "terabytes": (lambda file: file.create_dataset("w", (1 << 20, 1 << 20), "f4"), "promises 4398046511104 bytes"),
    "no storage": (lambda file: file.create_dataset("w", (8, 8), "f4"), "promises 256 bytes, 0 are stored"),
    "integers": (store(np.zeros(2, "i8")), "holds int64; float16"),
    "text": (store("hello"), "holds object"),
    "records": (store(np.zeros(2, [("a", "f4")])), "holds "),
    "references": (lambda file: file.create_dataset("w", data=file.ref, dtype=h5py.ref_dtype), "holds object"),
    "empty space": (lambda file: file.create_dataset("w", data=h5py.Empty("f4")), "no data set with a shape"),
    "a group": (lambda file: file.create_group("w"), "no data set with a shape"),
    "a dtype": (lambda file: file.__setitem__("w", np.dtype("f4")), "no data set with a shape"),
    "missing": (lambda file: None, "'w': is missing: there is no 'w'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    """A data set that is not plain numbers in the file itself is a FormatError that names its path."""
    fill, says = REFUSED[case]
    with pytest.raises(FormatError, match=f"^net.h5: .*{says}"):
        array(fill)


@pytest.mark.parametrize("path", ["a/../w", "./w", "a//w"])
def test_paths_are_names(path: str) -> None:
    """No part of a path is empty or dots."""
    with pytest.raises(FormatError, match="is missing"):
        array(store(np.zeros(2, "f4")), path)


def test_a_file_may_be_read_once() -> None:
    """Data sets that share storage cannot be read for more than the file's length and 8 MB."""
    with open_hdf5(made(store(np.zeros(1 << 20))), "net.h5") as h5:
        assert h5.array("w").size == h5.array("w").size
        with pytest.raises(FormatError, match="promises"):
            h5.array("w")


def test_attributes() -> None:
    """Texts of fixed and of variable length, whole and in parts; none of the name is None."""

    def fill(file: Any) -> None:
        file.attrs["fixed"], file.attrs["free"] = np.bytes_("a"), "b"
        file.attrs["names"] = ["é", "y"]
        file.attrs["cut0"], file.attrs["cut1"] = np.array([b"p", b"q"]), np.array([b"r"])
        file.attrs["none"] = np.array([])
        file.attrs["damaged"] = np.bytes_(b"\xff")
        file.attrs["number"] = 3
        file.attrs["link"] = file.ref

    with open_hdf5(made(fill), "net.h5") as h5:
        assert (h5.text("", "fixed"), h5.text("", "free"), h5.text("", "missing")) == ("a", "b", None)
        assert h5.names("", "names") == ["é", "y"] and h5.names("", "cut") == ["p", "q", "r"]
        assert h5.names("", "none") == [] == h5.names("", "missing")
        with pytest.raises(FormatError, match="must be one text"):
            h5.text("", "names")
        for name in ("damaged", "number", "link"):
            with pytest.raises(FormatError, match=f"attribute '{name}' of '': must be text"):
                h5.text("", name)


def test_many_names_of_one_long_text_are_refused() -> None:
    """A list of variable-length text is refused by what it could take, before it is read."""

    def fill(file: Any) -> None:
        file.attrs["long"] = "x" * 60_000
        file.attrs.create("names", ["y"] * 4_000, dtype=h5py.string_dtype())

    with open_hdf5(made(fill), "net.h5") as h5, pytest.raises(FormatError, match="promises 4000 texts"):
        h5.names("", "names")


def test_walk_is_bounded() -> None:
    """Groups that hold themselves, and more groups than a network has, end the walk."""

    def cyclic(file: Any) -> None:
        file["a/b"] = file["/"]

    def many(file: Any) -> None:
        for i in range(10_001):
            file.create_group(f"g{i}")

    for fill in (cyclic, many):
        with open_hdf5(made(fill, libver="latest"), "net.h5") as h5, pytest.raises(FormatError, match="more groups"):
            list(h5.groups())


def test_walk_follows_no_link() -> None:
    """A link's name is listed, and what it leads to is not."""

    def fill(file: Any) -> None:
        file.create_group("a/vars")
        file["b"], file["c"] = h5py.SoftLink("/a"), h5py.ExternalLink("other.h5", "/")

    with open_hdf5(made(fill), "net.h5") as h5:
        assert sorted(h5.groups()) == [("", ["a", "b", "c"]), ("a", ["vars"]), ("a/vars", [])]


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89HDF\r\n\x1a\n", made(store(np.zeros(8)))[:600]])
def test_damaged_file_is_one_error(data: bytes) -> None:
    """Whatever h5py meets is a FormatError that names the file."""
    with pytest.raises(FormatError, match=r"net\.h5: is damaged"), open_hdf5(data, "net.h5"):
        pass


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without h5py, ImportError says what to install."""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    data = made(store(np.zeros(2, "f4")))
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"npquant\[keras\]"), open_hdf5(data, "net.h5"):
        pass


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading leaves no file behind."""
    monkeypatch.chdir(tmp_path)
    array(store(np.zeros(2, "f4")))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("size", [0, 8, 1 << 40])
def test_heap_without_end_is_refused(size: int) -> None:
    """A free object of size 0 makes HDF5 2.0.0 walk a heap for ever; it is refused before it is walked."""

    def fill(file: Any) -> None:
        file.attrs["text"] = "of variable length"

    data = bytearray(made(fill))
    heap = data.find(b"GCOL")
    # Behind the first object, of 16 bytes and 18 padded to 24, stands the free one.
    free = heap + 16 + 16 + 24
    assert data[free : free + 2] == b"\0\0"
    data[free + 8 : free + 16] = size.to_bytes(8, "little")
    with pytest.raises(FormatError, match=r"net\.h5: heap at byte \d+: is damaged"), open_hdf5(bytes(data), "net.h5"):
        pass
