"""How long one row takes in an engine: a batch of 1, one thread, input copied in and output copied out.

Legend: engine "onnxruntime", "litert" or "tflm"; path the file that it runs; seconds to spend.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PATIENCE: Final = 120.0


def time_row(engine: str, path: str | os.PathLike[str], seconds: float) -> float:
    """Take the median seconds of a row, in a process of its own: an engine that dies takes nothing with it.

    RuntimeError with the engine's last words if it is not installed, or does not run the file.
    """
    command = [sys.executable, "-m", "npquant.interop.consumers.row_latency_child", engine, os.fspath(path)]
    environment = {
        **os.environ,
        **dict.fromkeys(_THREADS, "1"),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    try:
        done = subprocess.run(
            [*command, f"{seconds:g}"], env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{engine} took more than {_PATIENCE:g} s to start and run a few rows") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(f"{engine} stopped with {done.returncode}: {said[-1] if said else 'no word'}")
    return float(done.stdout.splitlines()[-1])
