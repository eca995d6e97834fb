"""Run a few lines of Python in a process of its own: an engine that dies takes nobody with it.

Legend: code the lines, which find `path`, the artefact, `x`, the inputs, and `option`, a word, and leave their answer
in `y`; engine the name that errors give to who died.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FRAME = """
import sys
import numpy as np
path, folder, option = sys.argv[1:4]
x = np.load(folder + "/x.npy", allow_pickle=False)
{code}
np.save(folder + "/y.npy", y, allow_pickle=False)
"""


def run_apart(
    code: str, path: str | os.PathLike[str], x: NDArray[Any], *, engine: str, option: str = ""
) -> NDArray[Any]:
    """The answer `y` of the lines. RuntimeError, with the last words of the process, if it fails or dies.

    >>> run_apart("y = x + len(option)", "", np.array([1, 2]), engine="adder", option="abc")
    array([4, 5])
    """
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "x.npy", x, allow_pickle=False)
        command = [sys.executable, "-c", _FRAME.format(code=code), os.fspath(path), folder, option]
        done = subprocess.run(command, capture_output=True, check=False)
        answer = Path(folder) / "y.npy"
        if done.returncode or not answer.exists():
            died = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
            words = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise RuntimeError(f"{os.fspath(path)}: {engine} ended with {died}: {words}")
        return np.asarray(np.load(answer, allow_pickle=False))
