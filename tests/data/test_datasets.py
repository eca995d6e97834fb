"""Laws of data sets: the bundled rows are the published ones; a file of any format gives its rows, labels and names."""

import gzip
import hashlib
import io
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from npquant.data.dataset import Dataset
from npquant.data.datasets import load_dataset, load_optdigits

LIMIT = 1 << 20


# The bundled rows


def test_load_optdigits_is_the_published_set() -> None:
    """Content and class sizes are those that data/NOTICE states; nothing can be written into them."""
    digits = load_optdigits()
    notice = (resources.files("npquant.data") / "bundled" / "NOTICE").read_text(encoding="utf-8")
    for part in (digits.x, digits.y.astype(np.uint8)):
        assert hashlib.sha256(part.tobytes()).hexdigest() in notice
    assert digits.x.shape == (1797, 64) and digits.x.dtype == np.uint8 and digits.x.max() == 16
    assert np.bincount(digits.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits.class_names == tuple("0123456789") and digits.name == "optdigits"
    assert not digits.x.flags.writeable and not digits.y.flags.writeable


def test_load_optdigits_costs_little() -> None:
    """The bundled file stays near 45 kB."""
    assert len((resources.files("npquant.data") / "bundled" / "optdigits.npz").read_bytes()) < 46_000


@pytest.mark.peer
def test_load_optdigits_is_scikit_learn_s() -> None:
    """scikit-learn's copy holds the same numbers."""
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    theirs, ours = datasets.load_digits(), load_optdigits()
    assert np.array_equal(theirs.data, ours.x) and np.array_equal(theirs.target, ours.y)


# All formats, by one function


def npz(compressed: bool = False, **members: Any) -> bytes:
    """An archive as NumPy writes it."""
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **members)
    return stream.getvalue()


def as_csv(x: NDArray[Any], labels: list[str], folder: Path) -> Path:
    """Write CSV."""
    path = folder / "rows.csv"
    path.write_text("".join(",".join([*map(str, row), label]) + "\n" for row, label in zip(x, labels, strict=True)))
    return path


def as_npz(x: NDArray[Any], labels: list[str], folder: Path) -> Path:
    """Write npz, under a name that says nothing."""
    path = folder / "rows.bin"
    path.write_bytes(npz(x=x, y=labels))
    return path


def as_idx(x: NDArray[Any], labels: list[str], folder: Path) -> Path:
    """Write a folder of two IDX pairs, the first two rows in t10k."""
    place = folder / "rows"
    place.mkdir(exist_ok=True)
    for stem, part in (("t10k", slice(-2, None)), ("train", slice(0, -2))):
        pixels = x[part].astype(np.uint8)
        numbers = np.array(labels[part], np.uint8)
        start = b"\0\0\x08\2" + len(pixels).to_bytes(4, "big") + pixels.shape[1].to_bytes(4, "big")
        (place / f"{stem}-images-idx2-ubyte").write_bytes(start + pixels.tobytes())
        (place / f"{stem}-labels-idx1-ubyte").write_bytes(
            b"\0\0\x08\1" + len(numbers).to_bytes(4, "big") + bytes(numbers)
        )
    return place


@given(x=arrays(np.uint8, (8, 3)))
def test_load_dataset_is_the_same_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, x: NDArray[np.uint8]
) -> None:
    """The same rows written as CSV, npz and IDX give the same data set, told apart by content."""
    labels = ["3", "7"] * 4
    for write in (as_csv, as_npz, as_idx):
        path = write(x, labels, tmp_path_factory.getbasetemp())
        got = load_dataset(path)
        assert got.x.dtype == np.uint8 and np.array_equal(got.x, x)
        assert got.y.tolist() == [0, 1] * 4 and got.class_names == ("3", "7")
        assert got.name == "rows" and got.source == str(path)
        assert not got.x.flags.writeable and got.y.dtype == np.int64


def test_load_dataset_names_the_file(tmp_path: Path) -> None:
    """A missing file is OSError; an empty one, an empty folder, a gzipped CSV and a zip bomb are ValueError."""
    with pytest.raises(FileNotFoundError, match="missing"):
        load_dataset(tmp_path / "missing.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ValueError, match=r"empty\.csv: empty"):
        load_dataset(tmp_path / "empty.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="folder: no file named like"):
        load_dataset(tmp_path / "folder")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"1,2,a\n"))
    with pytest.raises(ValueError, match=r"rows\.csv\.gz"):
        load_dataset(tmp_path / "rows.csv.gz")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(1 << 22))
    with pytest.raises(ValueError, match=r"bomb\.npz: its members promise more than the limit"):
        load_dataset(tmp_path / "bomb.npz", max_bytes=LIMIT)


def test_load_dataset_refuses_parts_of_different_sets(tmp_path: Path) -> None:
    """Parts whose rows differ in shape are named, both of them."""
    folder = as_idx(np.ones((6, 3), np.uint8), ["0", "1"] * 3, tmp_path)
    (folder / "t10k-images-idx2-ubyte").write_bytes(b"\0\0\x08\2\0\0\0\2\0\0\0\1ab")
    with pytest.raises(ValueError, match=r"train-images-idx2-ubyte holds .*t10k-images-idx2-ubyte"):
        load_dataset(folder)


# The record


def record(**changes: Any) -> Dataset:
    """A small data set."""
    good: dict[str, Any] = {
        "x": np.zeros((2, 1), np.float32), "y": np.array([0, 1]), "class_names": ("a", "b"), "feature_names": ("f",),
    }  # fmt: skip
    return Dataset(**{**good, **changes}, name="n", source="s")


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"x": np.zeros((2, 1))}, TypeError, "float64"),
        ({"y": np.zeros(2)}, TypeError, "y int64"),
        ({"y": np.array([0])}, ValueError, r"\(2, 1\) and \(1,\)"),
        ({"x": np.zeros((2, 0), np.float32)}, ValueError, "not empty"),
        ({"x": np.full((2, 1), np.nan, np.float32)}, ValueError, "NaN or inf"),
        ({"y": np.array([0, 2])}, ValueError, r"it spans \[0, 2\]"),
        ({"y": np.array([-1, 1])}, ValueError, r"it spans \[-1, 1\]"),
        ({"class_names": ("a",), "y": np.array([0, 0])}, ValueError, "C >= 2"),
        ({"feature_names": ()}, ValueError, "1 features, but 0 names"),
    ],
)
def test_dataset_names_bad_input(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    """Other types, shapes, values and names are refused by name."""
    with pytest.raises(error, match=text):
        record(**changes)


def test_dataset_is_its_own() -> None:
    """The arrays are copies: what the caller does to his own changes nothing."""
    x = np.zeros((2, 1), np.float32)
    dataset = record(x=x)
    x[0] = 5
    assert dataset.x.tolist() == [[0.0], [0.0]]
    with pytest.raises(ValueError, match="read-only"):
        dataset.x[0] = 1
