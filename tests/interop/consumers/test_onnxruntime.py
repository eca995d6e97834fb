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
