"""What a file seems to be: each format by its content, and what is none of them by its name."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest

from npquant.interop.recognition import format_of


def zip_of(*names: str, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of members that hold a little."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name in names:
            archive.writestr(name, b"some content")
    return buffer.getvalue()


def tar_of(name: str) -> bytes:
    """Return a tar archive of one empty member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def npy() -> bytes:
    """Return a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, np.eye(2))
    return buffer.getvalue()


def npz() -> bytes:
    """Return an .npz file that npquant did not write."""
    buffer = io.BytesIO()
    np.savez(buffer, w0=np.eye(2), b0=np.zeros(2))
    return buffer.getvalue()


HEADER = b'{"a":{}}'
KNOWN = {
    "tflite": [b"\x1c\x00\x00\x00TFL3" + bytes(40)],
    "hdf5": [b"\x89HDF\r\n\x1a\n" + bytes(8)],
    "npquant": [b"NPQ\x01", zip_of("manifest.json", "w.npy"), zip_of("manifest.json", "w.npy")[:60]],
    "keras": [
        zip_of("metadata.json", "config.json", "model.weights.h5"),
        zip_of("model.weights.h5", "config.json", compression=zipfile.ZIP_DEFLATED),
        zip_of("config.json", "metadata.json", "model.weights.json"),
    ],
    # The length of the header may be a lie; what it lies about is said by the reader.
    "safetensors": [n.to_bytes(8, "little") + HEADER for n in (len(HEADER), 1000, 1 << 40)],
    "onnx": [b"\x08\x0a\x12\x07pytorch", b"\x3a\x80\x02\x0a\x03" + bytes(9), b"\x42\x04\x0a\x00\x10\x0d"],
}  # fmt: skip


@pytest.mark.parametrize("format", KNOWN)
def test_known_formats(format: str) -> None:
    """Each format is told by its content."""
    assert [format_of(data) for data in KNOWN[format]] == [format] * len(KNOWN[format])


class Estimator:
    """Something whose pickle names a class."""

    def __init__(self) -> None:
        self.coefs_ = [np.eye(2)]


STRANGERS: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["is empty"]),
    "torch.save": (zip_of("archive/data.pkl", "archive/data/0", "archive/version"), ["pickle", "safetensors", "zip"]),
    "TorchScript": (zip_of("m/code/__torch__.py", "m/constants.pkl"), ["pickle", "safetensors"]),
    "legacy torch.save": (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps({}, 2), ["pickle", "safetensors"]),
    "old torch.save": (tar_of("sys_info"), ["tar", "pickle"]),
    "pt2": (zip_of("m/archive_format", "m/models/model.json", "m/data/weights/w_0"), [".pt2", "ONNX"]),
    "joblib.gz": (gzip.compress(pickle.dumps([1])), ["gzip", "pickle", "from_sklearn"]),
    "joblib.z": (zlib.compress(pickle.dumps([1])), ["zlib", "pickle"]),
    "joblib.bz2": (bz2.compress(pickle.dumps([1])), ["bzip2", "pickle"]),
    "joblib.xz": (lzma.compress(pickle.dumps([1])), ["xz", "pickle"]),
    "joblib.lzma": (lzma.compress(pickle.dumps([1]), lzma.FORMAT_ALONE), ["lzma", "pickle"]),
    "npz": (npz(), [".npz", "manifest", "npquant", "b0.npy, w0.npy"]),
    "npy": (npy(), [".npy"]),
    "saved model": (zip_of("m/saved_model.pb"), ["SavedModel", "TFLite"]),
    "another zip": (zip_of("net.onnx"), ["net.onnx", "unpack"]),
    "damaged zip": (b"PK\x03\x04" + bytes(30), ["zip"]),
    "gguf": (b"GGUF\x03\x00\x00\x00", ["GGUF", "format"]),
    "ort": (b"\x20\x00\x00\x00ORTM", [".ort", ".onnx"]),
    "nnet": (b"// Neural network\n2, 3, 1, 4,\n3, 4, 4, 1,\n", [".nnet", "format", "ONNX"]),
    "nnet without a word": (b"4,5,5,50,\n5,50,50,50,5,\n0\n", [".nnet"]),
    "onnxtxt": (b"<\n  ir_version: 8,\n  opset_import: []\n>\nagraph (float[N] x)", ["ONNX as text", ".onnx"]),
    "onnxjson": (b'{"irVersion": "8", "graph": {}}', ["ONNX as JSON", ".onnx"]),
    "sharded": (b'{"metadata": {}, "weight_map": {"/layers/dense/vars": "a.h5"}}', ["sharded", "architecture"]),
    "tf.js": (b'{"format": "layers-model", "modelTopology": {}}', ["TensorFlow.js"]),
    "to_json": (b'{"class_name": "Sequential", "config": {}}', ["Keras architecture without weights"]),
    "C array": (b"#include <x.h>\nconst unsigned char m[] = {0x1c, 0x00, 0x54, 0x46};", ["C or C++", ".tflite"]),
    "C array without include": (b"alignas(8) const unsigned char m[] = {0x1c};", ["C or C++"]),
    "page": (b"<!DOCTYPE html><html>Not found</html>", ["page of the web"]),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ["Git LFS", "git lfs pull"]),
    "matlab": (b"MATLAB 5.0 MAT-file", ["MATLAB", "ONNX"]),
    "text": ("poète".encode(), ["text of no known format"]),
    "bytes": (b"\x01\x02\x03", ["no known format"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_are_named(kind: str) -> None:
    """What is no network of npquant's is called by its name, and told what would be read."""
    data, words = STRANGERS[kind]
    says = format_of(data)
    assert says.startswith("is ") and all(word in says for word in words), says


PICKLED: list[Any] = [{}, {"a": [1, 2]}, [np.eye(2)], np.eye(2), Estimator(), [1, 2], {"coefs": [np.eye(2)]}]


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol(protocol: int) -> None:
    """Protocols 2 to 5 have a magic; of 0 and 1 what estimators, arrays and dicts begin with is known."""
    for value in PICKLED:
        assert format_of(pickle.dumps(value, protocol)).startswith("is a pickle"), value


def test_any_bytes_are_told_something() -> None:
    """Random bytes behind any start are some format's, or named: never an exception."""
    rng = np.random.default_rng(3)
    starts = [data[:n] for data, _ in STRANGERS.values() for n in (1, 2, 4, 8, 30)]
    for i in range(2_000):
        found = format_of(starts[i % len(starts)] + rng.bytes(int(rng.integers(0, 80))))
        assert found in KNOWN or found.startswith("is "), found


def test_large_directory_is_looked_at_in_part() -> None:
    """Of a zip's directory no more than the last megabyte is read, and the file's names are not all kept."""
    data = zip_of(*(f"{'x' * 200}{i}" for i in range(3_000)))
    assert len(format_of(data)) < 4_000


def test_a_json_safetensors_index_is_no_model() -> None:
    """The index of sharded safetensors is told like that of Keras."""
    assert "sharded" in format_of(json.dumps({"metadata": {}, "weight_map": {"a": "b"}}, indent=1).encode())
