"""onnxruntime, on the processor and with one thread.

Legend: path the file; x (B, K) inputs of the file's first input, of whatever rank and batch the file declares.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TYPES: Final = MappingProxyType(
    {
        "tensor(float)": np.float32,
        "tensor(double)": np.float64,
        "tensor(float16)": np.float16,
        "tensor(int8)": np.int8,
        "tensor(uint8)": np.uint8,
    }
)


def version_onnxruntime() -> str | None:
    """The version, None where it is not installed."""
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return None


def run_onnxruntime(path: str | os.PathLike[str], x: ArrayLike) -> NDArray[Any]:
    """The outputs (B, C) for x, with the session's defaults, in runs of the file's own batch where that is fixed.

    Of several outputs the first that holds numbers, or probabilities by label; labels are left out. ImportError where
    onnxruntime is not installed; RuntimeError where it refuses the file or the inputs.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("onnxruntime is not installed: pip install 'npquant[peers]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0]
        if given.type not in _TYPES:
            raise RuntimeError(f"the input is {given.type}; {', '.join(_TYPES)} are fed")
        rows = np.asarray(x, _TYPES[given.type])
        return np.concatenate([_answer(session, part) for part in _batches(rows, given.shape)])[: len(rows)]
    except Exception as error:
        # onnxruntime has an exception of its own for every way to refuse.
        raise RuntimeError(f"{os.fspath(path)}: onnxruntime refuses: {error}") from error


def _batches(x: NDArray[Any], declared: list[int | str | None]) -> list[NDArray[Any]]:
    """Rows as the file takes them: all, or as many as it declares a run, the last filled up with zeros."""
    batch, *rest = declared or [None]
    sizes = [size if isinstance(size, int) and size > 0 else 0 for size in rest]
    # A size that is not known, of several, is 1; the only one is what is left.
    known = int(np.prod([size for size in sizes if size])) if sizes else 1
    unknown = [i for i, size in enumerate(sizes) if not size]
    for i in unknown:
        sizes[i] = x.shape[1] // known if i == unknown[0] else 1
    shape = sizes if sizes and int(np.prod(sizes)) == x.shape[1] else [x.shape[1]]
    if not isinstance(batch, int) or batch < 1 or batch == len(x):
        return [x.reshape(len(x), *shape)]
    count = max(1, -(-len(x) // batch))
    filled = np.zeros((count * batch, x.shape[1]), x.dtype)
    filled[: len(x)] = x
    return list(filled.reshape(count, batch, *shape))


def _answer(session: Any, x: NDArray[Any]) -> NDArray[Any]:
    """The first output that holds an answer a row, and is no label."""
    name = session.get_inputs()[0].name
    kinds = [output.type for output in session.get_outputs()]
    answers = session.run(None, {name: x})
    chosen = next((i for i, kind in enumerate(kinds) if kind in _TYPES or kind.startswith("seq(map")), 0)
    y = answers[chosen]
    if isinstance(y, list):  # a dictionary a row, by label
        return np.array([list(row.values()) for row in y], np.float32)
    return np.asarray(y).reshape(len(x), -1)
