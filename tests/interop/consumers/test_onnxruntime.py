"""onnxruntime as a consumer: a file and inputs in, its answers out."""

from pathlib import Path

import numpy as np
import pytest

from npquant.interop.consumers.onnxruntime import run_onnxruntime, version_onnxruntime
from npquant.interop.onnx_out.to_onnx import to_onnx
from npquant.nn.model import DenseLayer, FloatMLP


@pytest.mark.peer
@pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")
def test_run_onnxruntime_answers_in_the_files_own_types(tmp_path: Path) -> None:
    """Doubles are handed to a float input as float32, and a batch of any size runs."""
    to_onnx(FloatMLP([DenseLayer(np.eye(2), np.ones(2), "identity")]), tmp_path / "net.onnx")
    for rows in (1, 3):
        y = run_onnxruntime(tmp_path / "net.onnx", np.full((rows, 2), -0.25))
        assert y.dtype == np.float32 and np.array_equal(y, np.full((rows, 2), 0.75))


@pytest.mark.peer
@pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")
@pytest.mark.parametrize("shape", [[3, 4], ["n", 4], [None, None], [1, 4], ["n", 2, 2], [2, 1, 2, 2], ["n", "k"]])
def test_run_onnxruntime_feeds_the_batch_and_rank_that_a_file_declares(shape: list[int], tmp_path: Path) -> None:
    """Rows come back one for one, however many the file takes a run, and of whatever rank."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Neg", ["x"], ["y"])
    ends = [onnx.helper.make_tensor_value_info(name, 1, shape) for name in "xy"]
    graph = onnx.helper.make_graph([node], "negation", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", 19)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "net.onnx")
    for rows in (1, 3, 5):
        x = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
        assert np.array_equal(run_onnxruntime(tmp_path / "net.onnx", x), -x)


@pytest.mark.peer
@pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")
def test_run_onnxruntime_names_the_file_it_is_refused(tmp_path: Path) -> None:
    """Whatever onnxruntime raises is one error with the file's name."""
    (tmp_path / "net.onnx").write_bytes(b"\x08\x09")
    with pytest.raises(RuntimeError, match=r"net\.onnx: onnxruntime refuses"):
        run_onnxruntime(tmp_path / "net.onnx", np.zeros((1, 1)))
