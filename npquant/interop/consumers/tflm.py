"""TFLite-Micro, the runtime of TFLite files on microcontrollers, as its wheel runs it on a PC.

Legend: path the file; x (B, K) what it takes, codes or real values.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.consumers.apart import run_apart

PACKAGE: Final = "tflite-micro"
PROFILE: Final = "tflm"
_RUN: Final = """
import os
from tflite_micro.python.tflite_micro import runtime
engine = runtime.Interpreter.from_file(path, arena_size=200_000 + 40 * x.shape[1] + 4 * os.path.getsize(path))
shape = tuple(engine.get_input_details(0)["shape"])
rows = int(shape[0])
answers = []
for start in range(0, max(len(x), 1), rows):
    part = np.zeros((rows, x.shape[1]), x.dtype)
    part[: len(x) - start] = x[start : start + rows]
    engine.set_input(part.reshape(shape), 0)
    engine.invoke()
    answers.append(np.array(engine.get_output(0)).reshape(rows, -1))
y = np.concatenate(answers)[: len(x)]
"""


def run_tflm(path: str | os.PathLike[str], x: NDArray[Any]) -> NDArray[Any]:
    """What TFLite-Micro answers, one inference of the file's own batch after another, in a process of its own.

    ImportError, naming the extra, if its wheel is not installed; RuntimeError if it refuses the file or dies on it.
    """
    if version_tflm() is None:
        raise ImportError(f"TFLite-Micro needs the package {PACKAGE}: pip install 'npquant[peers]'")
    return run_apart(_RUN, path, np.ascontiguousarray(x), engine="TFLite-Micro")


def version_tflm() -> str | None:
    """The installed version, None if TFLite-Micro is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None
