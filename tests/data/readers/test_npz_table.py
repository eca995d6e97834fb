"""Laws of npz files of rows: names, images and Keras' parts are read; what cannot be used is named with its fix."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.data.datasets import load_dataset
from npquant.data.readers.npz_table import npz_table
from npquant.data.readers.read_table import read_table

PARTS = ("train", "val", "test")


def npz(save: Any = np.savez, **arrays: Any) -> Any:
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def refused(path: Any, content: Any, *words: Any, **options: Any) -> None:
    """The file is refused by name, and the message says each of the words."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError) as caught:
        load_dataset(path, **options)
    text = str(caught.value)
    assert str(path) in text, text
    for word in words:
        assert word in text, text


X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1] * 3)


def test_npz_reads_names_images_text_and_keras_parts(tmp_path: Path) -> None:
    """Names, images, text or bool labels and Keras' four arrays are read; stored or deflated makes no difference."""
    path = tmp_path / "a.npz"
    path.write_bytes(npz(x=X.reshape(6, 2, 1), y=1 - Y, class_names=["no", "yes"], feature_names=["p", "q"]))
    found = load_dataset(path)
    assert found.class_names == ("no", "yes") and found.y.tolist() == [1, 0] * 3 and found.feature_names == ("p", "q")
    assert found.x.dtype == np.float32 and found.source == str(path)
    labels = (
        (np.array(["b", "a"] * 3), ("a", "b")),
        (Y == 1, ("0", "1")),
        (Y[:, None], ("0", "1")),
        (Y * 1.0, ("0", "1")),
    )
    for y, names in labels:
        path.write_bytes(npz(np.savez_compressed, x=X, y=y))
        assert load_dataset(path).class_names == names
    for y in (X[:, 0] / 7, X / 7):
        path.write_bytes(npz(x=X, y=y))
        real = load_dataset(path)
        assert real.kind == "real" and np.array_equal(real.y, y) and real.class_names == ()
    path.write_bytes(npz(x_test=X[:2] + 20, y_test=Y[:2], x_train=X, y_train=Y))
    assert load_dataset(path).x[:, 0].tolist() == [0, 2, 4, 6, 8, 10, 20, 22]


def test_several_whole_number_targets_are_quantities_as_one_would_be(tmp_path: Path) -> None:
    """Ages and counts beside each other need no conversion to float."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = np.stack([np.arange(60) * 7, np.arange(60) % 2], axis=1)
    for dtype in (np.int64, np.uint16, np.float32):
        path = tmp_path / "ages.npz"
        path.write_bytes(npz(x=x, y=y.astype(dtype)))
        found = load_dataset(path)
        assert found.kind == "real" and found.y.dtype == np.float64 and np.array_equal(found.y, y)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X}, ["needs arrays x and y, found ['x']"]),
        ({"y": Y}, ["needs arrays x and y, found ['y']"]),
        ({"x": X, "y": Y, "y_train": Y}, ["needs arrays x and y, found ['x', 'y', 'y_train']"]),
        ({"x": X, "y": Y, "labels": Y}, ["unknown arrays ['labels']"]),
        ({"x": X.astype(object), "y": Y}, ["x.npy", "refused", "never objects"]),
        ({"x": X, "y": Y.astype(object)}, ["y.npy", "never objects"]),
        ({"x": X[:, 0], "y": Y}, ["x must be numbers of shape (R, K)"]),
        ({"x": X[:0], "y": Y[:0]}, ["not empty"]),
        ({"x": X.astype("U3"), "y": Y}, ["x must be numbers"]),
        ({"x": X * 1j, "y": Y}, ["x.npy", "'<c16' is refused"]),
        ({"x": X, "y": np.eye(2)[Y]}, ["one-hot", "argmax"]),
        ({"x": X, "y": Y[:5]}, ["y has shape (5,), x 6 rows"]),
        ({"x": X, "y": np.eye(2)[Y].astype(int)}, ["one-hot", "argmax"]),
        ({"x": X, "y": np.stack([Y, Y], axis=1)}, ["several real targets as float64"]),
        ({"x": X, "y": Y, "feature_names": ["p"]}, ["2 features, but 1 feature_names"]),
        ({"x": X, "y": Y, "class_names": ["only"]}, ["integers in [0, 1)"]),
        ({"x": X, "y": Y, "class_names": np.arange(2)}, ["class_names must be one-dimensional text"]),
        ({"x": X, "y": Y, "class_names": ["a", "b", "c"]}, ["class 'c' has 0 rows"]),
        (
            {"x": X, "y": np.array([0x110000, 65] * 3, np.uint32).view("U1")},
            ["y.npy: holds code points"],
        ),
        ({"x": X, "y": np.array([0xDFFF, 65] * 3, np.uint32).view("U1")}, ["y.npy"]),
        (
            {"x": np.where(X == 5, np.nan, X), "y": Y},
            ["missing cells: 'x1' 1; the first in row 2 (from 0)", "--missing"],
        ),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y}, ["different shapes"]),
    ],
)
def test_npz_names_file_array_and_fix(arrays: Any, words: str, tmp_path: Path) -> None:
    """Missing, misspelt, pickled, misshapen and unfit arrays are named with the file and the fix."""
    refused(tmp_path / "a.npz", npz(**arrays), *words)


def test_npz_is_bounded_and_its_damage_named(tmp_path: Path) -> None:
    """A bomb is refused unread, and so is a file that was cut short."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(1 << 24))
    refused(tmp_path / "a.npz", bomb.getvalue(), "limit of 1048576 bytes", max_bytes=1 << 20)
    refused(tmp_path / "a.npz", npz(x=X, y=Y)[:-30], "not an intact zip archive")
    refused(tmp_path / "a.npz", npz(x=X, y=Y), "the limit is 100", max_bytes=100)


@given(
    x=st.sampled_from([">f4", "f8", "f2", "i8", "u1", "b1"]).flatmap(
        lambda t: hnp.arrays(t, (6, 2, 2), elements={"allow_nan": False} if "f" in t else None)
    ),
    y=hnp.arrays("U2", (6,), elements=st.text("ab1é", min_size=1, max_size=2)) | hnp.arrays(np.int16, (6,)),
    save=st.sampled_from([np.savez, np.savez_compressed]),
)
def test_npz_reads_what_numpy_writes(x: Any, y: Any, save: Any) -> None:
    """Numbers of any type and layout, labels of integers or text, deflated or not: rows and labels come back."""
    for layout in (x, np.asfortranarray(x)):
        stream = io.BytesIO()
        save(stream, x=layout, y=y)
        table = npz_table(stream.getvalue(), "t", max_bytes=1 << 20)
        assert table.x.dtype == x.dtype.newbyteorder("=") and np.array_equal(table.x, x.reshape(6, 4))
        assert np.array_equal(table.labels, y)


@given(st.data(), st.sampled_from([np.savez, np.savez_compressed]))
def test_npz_of_any_damage_is_a_named_value_error(data: st.DataObject, save: Any) -> None:
    """Whatever is done to an archive, it is a table or a ValueError that starts with its name."""
    stream = io.BytesIO()
    save(stream, x=np.zeros((6, 2)), y=[0, 1] * 3, class_names=["a", "b"])
    content = bytearray(stream.getvalue())
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[at] = byte
    try:
        npz_table(bytes(content), "t", max_bytes=1 << 20)
    except ValueError as error:
        assert str(error).startswith("t: ")


def test_npz_joins_the_parts_of_medmnist(tmp_path: Path) -> None:
    """Images and labels of training, validation and test come one after the other; labels may be one column."""
    parts = {
        f"{part}_images": np.full((rows, 2, 2), rows, np.uint8) for part, rows in zip(PARTS, (4, 2, 3), strict=True)
    }
    labels = {f"{part}_labels": np.arange(rows)[:, None] % 2 for part, rows in zip(PARTS, (4, 2, 3), strict=True)}
    np.savez(tmp_path / "m.npz", **parts, **labels)
    table = read_table(tmp_path / "m.npz", max_bytes=1 << 16)
    assert table.x[:, 0].tolist() == [4] * 4 + [2] * 2 + [3] * 3
    assert table.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    np.savez(tmp_path / "m.npz", **parts, **{**labels, "val_labels": np.zeros((2, 14), np.uint8)})
    with pytest.raises(ValueError, match=r"m\.npz: y_val has shape \(2, 14\)"):
        read_table(tmp_path / "m.npz", max_bytes=1 << 16)


def test_npz_pairs_of_files(tmp_path: Path) -> None:
    """Kuzushiji-MNIST's files of one array are found from each other and from their folder, or named."""
    for part, rows in (("train", 4), ("test", 2)):
        np.savez(tmp_path / f"kmnist-{part}-imgs.npz", np.full((rows, 2, 2), rows, np.uint8))
        np.savez(tmp_path / f"kmnist-{part}-labels.npz", np.arange(rows, dtype=np.uint8) % 2)
    assert read_table(tmp_path, max_bytes=1 << 16).labels.tolist() == [0, 1, 0, 1, 0, 1]
    for name in ("kmnist-test-imgs.npz", "kmnist-test-labels.npz"):
        assert read_table(tmp_path / name, max_bytes=1 << 16).x.tolist() == [[2] * 4] * 2
    (tmp_path / "kmnist-test-labels.npz").unlink()
    with pytest.raises(ValueError, match=r"no kmnist-test-labels\.npz beside it"):
        read_table(tmp_path, max_bytes=1 << 16)
    np.savez(tmp_path / "k49-test-imgs.npz", np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"several sets \(kmnist-train-imgs\.npz, k49-test-imgs"):
        read_table(tmp_path, max_bytes=1 << 16)


def test_npz_table_of_named_columns() -> None:
    """Arrays of other names are columns in their order, one or several each; the label is chosen as in any table."""
    table = npz_table(
        npz(age=np.array([3, 4, 5]), size=np.ones((3, 2)), kind=np.array(["a", "NA", "b"])),
        "t",
        max_bytes=10**6,
    )
    assert [column.name for column in table.columns] == ["age", "size0", "size1", "kind"]
    assert table.label is None and table.header
    assert table.columns[3].missing is not None and table.columns[3].missing.tolist() == [False, True, False]
    with pytest.raises(ValueError, match="neither x and y nor columns"):
        npz_table(npz(age=np.arange(3), kind=np.arange(4)), "t", max_bytes=10**6)


def test_npz_table_labels_that_say_nothing_are_missing() -> None:
    """A label of text in MISSING holds nothing, as in every other kind of table."""
    table = npz_table(npz(x=np.eye(3), y=np.array(["a", "NA", "b"])), "t", max_bytes=10**6)
    missing = table.columns[-1].missing
    assert missing is not None and missing.tolist() == [False, True, False]
