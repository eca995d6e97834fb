"""onnxruntime, on the processor and with one thread.

Legend: path the file; x (B, K) inputs, as the file's first input takes them.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def version_onnxruntime() -> str | None:
    """The version, None where it is not installed."""
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return None


def run_onnxruntime(path: str | os.PathLike[str], x: ArrayLike) -> NDArray[Any]:
    """The first output for x, with the session's defaults. ImportError where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("onnxruntime is not installed: pip install 'npquant[peers]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    kinds = {
        "tensor(float)": np.float32,
        "tensor(double)": np.float64,
        "tensor(int8)": np.int8,
        "tensor(uint8)": np.uint8,
    }
    first = session.get_inputs()[0]
    return np.asarray(session.run([session.get_outputs()[0].name], {first.name: np.asarray(x, kinds[first.type])})[0])
