"""read and load: any file by its content; every refusal is one error that names the file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import npquant
from npquant.files.format_error import FormatError
from npquant.interop import load, read
from npquant.nn.model import DenseLayer, FloatMLP
from tests.interop.mutations import judge, mutated
from tests.interop.test_recognition import STRANGERS
from tests.interop.test_safetensors import encoded, network

NET = FloatMLP([DenseLayer(np.array([[1.5]]), np.array([0.25]), "identity")])


def test_suffix_does_not_matter(tmp_path: Path) -> None:
    """A file is read by what it holds."""
    npquant.save(NET, tmp_path / "net.npz")
    (tmp_path / "net.onnx").write_bytes((tmp_path / "net.npz").read_bytes())
    found = read(tmp_path / "net.onnx")
    assert (found.format, found.head, found.notes) == ("npquant", "none", ())
    assert load(tmp_path / "net.onnx").layers[0].w.tolist() == [[1.5]]
    (tmp_path / "net").write_bytes(encoded(network()))
    assert read(tmp_path / "net", activations="relu").format == "safetensors"
    with pytest.raises(FormatError, match="activations"):
        load(tmp_path / "net")


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_are_refused_by_file_and_kind(kind: str, tmp_path: Path) -> None:
    """What is no network is a FormatError that names the file and what it seems to be."""
    path = tmp_path / "net.bin"
    path.write_bytes(STRANGERS[kind][0])
    with pytest.raises(FormatError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: is ") and caught.value.file == str(path)


def test_npz_of_a_stranger_names_the_file(tmp_path: Path) -> None:
    """An .npz that npquant did not write, with and without a manifest, is refused by name."""
    np.savez(tmp_path / "arrays.npz", w=np.eye(2))
    with pytest.raises(FormatError, match=r"arrays\.npz: is an \.npz of arrays \(w\.npy\) without the manifest"):
        read(tmp_path / "arrays.npz")
    np.savez(tmp_path / "other.npz", **{"manifest.json": np.eye(2)})
    with pytest.raises(FormatError, match=r"other\.npz: "):
        read(tmp_path / "other.npz")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    """A missing file is an OSError; a folder, and one of TensorFlow, are told apart."""
    with pytest.raises(OSError, match="none"):
        read(tmp_path / "none")
    with pytest.raises(FormatError, match="is a folder; a file of"):
        read(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(FormatError, match="SavedModel"):
        read(tmp_path)


def test_device_is_no_file() -> None:
    """What has no end is not opened."""
    if not Path("/dev/zero").exists():
        pytest.skip("this system has no /dev/zero")
    with pytest.raises(FormatError, match="/dev/zero: not a regular file"):
        read("/dev/zero")


def test_mutated_own_files_load_or_are_refused(tmp_path: Path) -> None:
    """500 damaged files of npquant's own: each loads, or is the one error."""
    buffer, path = io.BytesIO(), tmp_path / "net.npz"
    npquant.save(NET, path)
    buffer.write(path.read_bytes())

    def reader(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    for data in mutated(buffer.getvalue(), np.random.default_rng(5), 500):
        judge(reader, data, "net.npz")
