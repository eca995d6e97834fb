"""Laws of IDX files: what another writer writes is read back; headers that lie are refused, and bounded."""

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from npquant.data.readers.idx_table import find_idx_pairs, read_idx, read_idx_pair

LIMIT = 1 << 16
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
Pack = Callable[[NDArray[Any]], bytes]

idx_arrays = st.sampled_from(sorted(CODES)).flatmap(
    lambda item: arrays(np.dtype(item), array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
)


def packed(array: NDArray[Any]) -> bytes:
    """IDX by the format's definition: an independent writer."""
    start = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim])
    items = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return start + b"".join(extent.to_bytes(4, "big") for extent in array.shape) + items


def assert_read(array: NDArray[Any], pack: Pack, path: Path) -> None:
    """Reading gives values, dtype and shape back, bit for bit."""
    path.write_bytes(pack(array))
    got = read_idx(path, max_bytes=LIMIT)
    assert (got.dtype, got.shape, got.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(array=idx_arrays, pack=st.sampled_from([packed, lambda array: gzip.compress(packed(array))]))
def test_read_idx_reads_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[Any], pack: Pack
) -> None:
    """Every item type, one to four dimensions, packed or not, whatever the name: the array comes back."""
    assert_read(array, pack, tmp_path_factory.getbasetemp() / "any-name")


def little_endian(array: NDArray[Any]) -> bytes:
    """Wrong: items in the machine's order."""
    return packed(array)[: 4 + 4 * array.ndim] + array.astype(array.dtype.newbyteorder("<")).tobytes()


def fortran_order(array: NDArray[Any]) -> bytes:
    """Wrong: items column by column."""
    return packed(array)[: 4 + 4 * array.ndim] + packed(array.T)[4 + 4 * array.ndim :]


@pytest.mark.parametrize("wrong", [little_endian, fortran_order])
def test_read_idx_law_kills_wrong_orders(wrong: Pack, tmp_path: Path) -> None:
    """The law rejects the other byte order and the other order of dimensions."""
    with pytest.raises(AssertionError):
        assert_read(np.arange(6, dtype=np.int16).reshape(2, 3), wrong, tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "magic number"),
        (b"\0\0\x08", "magic number"),
        (b"\0\0\x07\x01\0\0\0\1\0", "magic number 00000701 is not IDX"),
        (b"\0\0\x08\x00", "0 dimensions"),
        (b"\0\0\x08\xff", "255 dimensions"),
        (b"\0\0\x08\x02\0\0\0\1", "ends within its header"),
        (b"\0\0\x08\x01\0\0\0\3ab", r"promises 3 bytes for shape \(3,\), 2 follow"),
        (b"\0\0\x08\x01\0\0\0\1ab", "promises 1 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "promises"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_idx_refuses_headers_that_lie(
    content: bytes, text: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """Other magic numbers, other ranks, too few and too many bytes are named, packed or not."""
    path = tmp_path / "a-idx"
    path.write_bytes(pack(content))
    with pytest.raises(ValueError, match=rf"a-idx: .*{text}"):
        read_idx(path, max_bytes=LIMIT)


def assert_bomb_is_bounded(read: Callable[[Path], object], path: Path) -> None:
    """16 MiB behind a header that admits to 8 bytes cost less than a MiB."""
    path.write_bytes(gzip.compress(packed(np.zeros(8, np.uint8)) + bytes(1 << 24)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="promises 8 bytes"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_read_idx_bounds_gzip_bombs(tmp_path: Path) -> None:
    """No more is unpacked than the header promises and one byte; a large promise is refused before that."""
    assert_bomb_is_bounded(lambda path: read_idx(path, max_bytes=LIMIT), tmp_path / "bomb")
    path = tmp_path / "promise"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 1 << 31) + bytes(99)))
    with pytest.raises(ValueError, match=f"promises {1 << 31} bytes, the limit is {LIMIT}"):
        read_idx(path, max_bytes=LIMIT)


def test_read_idx_bomb_law_kills_one_that_unpacks_first(tmp_path: Path) -> None:
    """The law rejects a reader that unpacks everything and looks afterwards."""

    def unpack_first(path: Path) -> None:
        raise ValueError(f"promises 8 bytes, {len(gzip.decompress(path.read_bytes()))} follow")

    with pytest.raises(AssertionError):
        assert_bomb_is_bounded(unpack_first, tmp_path / "bomb")


@given(data=st.data())
def test_read_idx_of_damage_is_a_named_value_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever is done to a file, it is an array or a ValueError that starts with its name."""
    whole = packed(np.arange(30, dtype=np.int16).reshape(5, 6))
    content = bytearray(data.draw(st.sampled_from([whole, gzip.compress(whole)])))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[at] = byte
    path = tmp_path_factory.getbasetemp() / "damaged-idx"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        assert isinstance(read_idx(path, max_bytes=LIMIT), np.ndarray)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")


def write_pair(folder: Path, stem: str, rows: int, end: str = "") -> None:
    """Write images and labels in MNIST's naming."""
    pack = gzip.compress if end else bytes
    images = np.arange(rows * 6, dtype=np.uint8).reshape(rows, 2, 3)
    (folder / f"{stem}-images-idx3-ubyte{end}").write_bytes(pack(packed(images)))
    (folder / f"{stem}-labels-idx1-ubyte{end}").write_bytes(pack(packed(np.arange(rows, dtype=np.uint8) % 2)))


def test_find_idx_pairs_of_a_folder_and_of_a_file(tmp_path: Path) -> None:
    """Train comes first, an unpacked file before its packed copy; either file of a pair finds both."""
    write_pair(tmp_path, "t10k", 6)
    write_pair(tmp_path, "train", 8, ".gz")
    write_pair(tmp_path, "t10k", 9, ".gz")
    (tmp_path / "README").touch()
    pairs = find_idx_pairs(tmp_path)
    assert [(i.name, y.name) for i, y in pairs] == [
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    ]
    for file in (tmp_path / "t10k-images-idx3-ubyte", tmp_path / "t10k-labels-idx1-ubyte"):
        assert find_idx_pairs(file) == pairs[1:]
    assert find_idx_pairs(pairs[0][1]) == pairs[:1]


def test_find_idx_pairs_says_what_is_missing(tmp_path: Path) -> None:
    """A folder without images, images without labels and a file of another name are named."""
    with pytest.raises(ValueError, match="no file named like train-images-idx3-ubyte"):
        find_idx_pairs(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").touch()
    with pytest.raises(ValueError, match="train-images-idx3-ubyte: no labels file beside it"):
        find_idx_pairs(tmp_path)
    (tmp_path / "digits.bin").touch()
    with pytest.raises(ValueError, match=r"digits\.bin: no images file beside it"):
        find_idx_pairs(tmp_path / "digits.bin")


def test_read_idx_pair_flattens_and_names(tmp_path: Path) -> None:
    """Images become rows in C order, and features are named by their place."""
    write_pair(tmp_path, "train", 4)
    table = read_idx_pair(*find_idx_pairs(tmp_path)[0], max_bytes=LIMIT)
    assert np.array_equal(table.x, np.arange(24).reshape(4, 6)) and table.x.dtype == np.uint8
    assert table.labels.tolist() == [0, 1, 0, 1]
    assert table.feature_names == tuple(f"pixel_{row}_{column}" for row in range(2) for column in range(3))


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (np.zeros((2, 2, 2), np.uint8), np.zeros(3, np.uint8), r"i: 2 images, but .*l has 3 labels"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 1), np.uint8), r"l: labels are one integer a row"),
        (np.zeros((2, 2), np.uint8), np.zeros(2, np.float32), r"l: labels are one integer a row"),
        (np.zeros(2, np.uint8), np.zeros(2, np.uint8), r"i: images are \(R, ...\)"),
        (np.zeros((0, 2, 2), np.uint8), np.zeros(0, np.uint8), r"i: images are \(R, ...\)"),
        (np.zeros((2, 0, 2), np.uint8), np.zeros(2, np.uint8), r"i: images are \(R, ...\)"),
    ],
)
def test_read_idx_pair_refuses_what_does_not_belong_together(
    images: NDArray[Any], labels: NDArray[Any], text: str, tmp_path: Path
) -> None:
    """Other counts, ranks and types are named with the file."""
    (tmp_path / "i").write_bytes(packed(images))
    (tmp_path / "l").write_bytes(packed(labels))
    with pytest.raises(ValueError, match=text):
        read_idx_pair(tmp_path / "i", tmp_path / "l", max_bytes=LIMIT)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz"),
        ("qmnist-train-images-idx3-ubyte.gz", "qmnist-train-labels-idx2-int.gz"),
        ("X_kannada_MNIST_train-idx3-ubyte.gz", "y_kannada_MNIST_train-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"),
    ],
)
def test_find_idx_pairs_knows_the_families_names(images: str, labels: str, tmp_path: Path) -> None:
    """A folder, its images and its labels all lead to the one pair; what lies beside it does not matter."""
    for name in (images, labels, "images.png", "emnist-letters-mapping.txt"):
        (tmp_path / name).touch()
    for path in (tmp_path, tmp_path / images, tmp_path / labels):
        assert find_idx_pairs(path) == [(tmp_path / images, tmp_path / labels)]


def test_find_idx_pairs_joins_parts_and_refuses_several_sets(tmp_path: Path) -> None:
    """Parts of one set are joined, training first; a second set in the folder is named, and its file is read alone."""
    names = ("X_kannada_MNIST_test-idx3-ubyte", "X_kannada_MNIST_train-idx3-ubyte")
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / name.replace("X", "y").replace("idx3", "idx1")).touch()
    assert [images.name for images, _ in find_idx_pairs(tmp_path)] == list(names[::-1])
    (tmp_path / "X_dig_MNIST-idx3-ubyte").touch()
    with pytest.raises(ValueError, match=r"holds several sets \(X_dig_MNIST-idx3-ubyte, X_kannada"):
        find_idx_pairs(tmp_path)
    assert len(find_idx_pairs(tmp_path / names[0])) == 1
    with pytest.raises(ValueError, match="X_dig_MNIST-idx3-ubyte: no labels file beside it"):
        find_idx_pairs(tmp_path / "X_dig_MNIST-idx3-ubyte")


def test_read_idx_pair_takes_the_class_of_qmnist(tmp_path: Path) -> None:
    """Of eight columns of labels the first is the class; letters may run from 1 to 26."""
    images, labels = tmp_path / "qmnist-train-images-idx3-ubyte", tmp_path / "qmnist-train-labels-idx2-int"
    images.write_bytes(packed(np.zeros((26, 2, 2), np.uint8)))
    labels.write_bytes(packed(np.arange(26 * 8, dtype=np.int32).reshape(26, 8) // 8 + 1))
    assert read_idx_pair(images, labels, max_bytes=LIMIT).labels.tolist() == list(range(1, 27))
