"""External data: read from the model's own folder, and from nowhere else."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in import from_onnx
from tests.interop.onnx_in.models import field, model, node, tensor


def external(location: Any, *, offset: Any = None, length: Any = None) -> Any:
    """Return a model of one product whose weights stand at a location."""
    entries = {"location": location, "offset": offset, "length": length}
    extra = b"".join(field(13, field(1, k) + field(2, str(v))) for k, v in entries.items() if v is not None)
    weights = tensor("W", np.zeros((4, 3), np.float32), raw=b"", extra=extra + field(14, 1))
    return model([node("MatMul", "x W", "y")], [weights])


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """A folder with weights in it, and a secret beside it."""
    inside = tmp_path / "model"
    inside.mkdir()
    np.arange(16, dtype="<f4").tofile(inside / "w.bin")
    np.arange(16, dtype="<f4").tofile(tmp_path / "secret.bin")
    return inside


@pytest.mark.parametrize(("offset", "length"), [(None, None), (0, 48), (16, 48), (16, None)])
def test_from_onnx_reads_the_bytes_at_offset(folder: Any, offset: Any, length: Any) -> None:
    """Weights are the file's numbers from offset on."""
    (folder / "net.onnx").write_bytes(external("w.bin", offset=offset, length=length))
    start = (offset or 0) // 4
    want = np.arange(start, start + 12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(from_onnx(folder / "net.onnx").model.layers[0].w, want)


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin", "/etc/passwd", "sub/../../secret.bin", "C:\\secret.bin", "..\\secret.bin", "\\\\host\\a", "",
        ".", "missing.bin", "w.bin/x", "a\0b", "/dev/zero", "link.bin", "linked/secret.bin", "pipe", "x" * 5000,
    ],
)  # fmt: skip
def test_from_onnx_refuses_what_is_no_plain_file_of_its_folder(folder: Any, location: Any) -> None:
    """Traversal, absolute paths, devices, pipes and links that lead out are refused, each by the one error."""
    os.symlink(folder.parent / "secret.bin", folder / "link.bin")
    os.symlink(folder.parent, folder / "linked")
    os.mkfifo(folder / "pipe")
    (folder / "net.onnx").write_bytes(external(location))
    with pytest.raises(FormatError, match=r"net\.onnx: tensor 'W': "):
        from_onnx(folder / "net.onnx")


@pytest.mark.parametrize(
    ("offset", "length"), [(17, None), (2**62, None), (0, 47), (0, 64), ("-1", None), ("1e3", None), (0, "9" * 30)]
)
def test_from_onnx_refuses_offsets_and_lengths_beyond_the_file(folder: Any, offset: Any, length: Any) -> None:
    """Bytes that are not there, or not as many as the shape asks for, are refused."""
    (folder / "net.onnx").write_bytes(external("w.bin", offset=offset, length=length))
    with pytest.raises(FormatError, match="tensor 'W'"):
        from_onnx(folder / "net.onnx")


def test_from_onnx_refuses_shapes_larger_than_the_file_before_it_reads(folder: Any) -> None:
    """A shape of terabytes over a file of 64 bytes costs nothing."""
    weights = field(13, field(1, "location") + field(2, "w.bin")) + field(14, 1)
    data = model(
        [node("MatMul", "x W", "y")],
        [tensor("W", np.zeros(1, np.float32), raw=b"", dims=[2**20, 2**20], extra=weights)],
    )
    (folder / "net.onnx").write_bytes(data)
    with pytest.raises(FormatError, match="its file at 64"):
        from_onnx(folder / "net.onnx")


def test_from_onnx_refuses_more_external_data_than_there_is(folder: Any) -> None:
    """Many tensors over the same bytes would cost more than the files are long."""
    extra = field(13, field(1, "location") + field(2, "w.bin")) + field(14, 1)
    many = [tensor(f"W{i}", np.zeros((4, 4), np.float32), raw=b"", extra=extra) for i in range(9)]
    nodes = [node("MatMul", f"{'x' if i == 0 else f'h{i}'} W{i}", f"h{i + 1}") for i in range(9)]
    (folder / "net.onnx").write_bytes(model([*nodes, node("Identity", "h9", "y")], many))
    with pytest.raises(FormatError, match="more external data is asked for than its files hold"):
        from_onnx(folder / "net.onnx")


def test_from_onnx_of_a_message_has_no_folder() -> None:
    """A ModelProto came without files beside it."""

    class Message:
        def SerializeToString(self) -> Any:
            return external("w.bin")

    with pytest.raises(FormatError, match=r"ModelProto: tensor 'W': .*give a path"):
        from_onnx(Message())
