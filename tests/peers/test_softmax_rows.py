"""Rows of 512 equal logits end the process of two kernels; the profiles refuse them and compute what the kernels do."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npquant.profiles.codes_to_codes import softmax
from tests.peers import layers, machine

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

PROFILE = {"tflm": "tflm", "ref": "litert_ref_2025"}
# A row of `equal` codes of 0 and `low` of -128 in steps of 1, in a process that may end.
CHILD = """
import sys
import numpy as np
from tests.peers import engines_litert, engines_tflm
from tests.peers.tflite_writer import Operator, write_model
engine, equal, low = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
q = np.array([[0] * equal + [-128] * low], np.int8)
before = engines_litert.tensor(q.shape, q.dtype, (1.0, 0))
model = write_model(Operator.SOFTMAX, (before, engines_litert.tensor(q.shape, q.dtype, (2.0**-8, -128))))
got = engines_tflm.run(model, q) if engine == "tflm" else engines_litert.run(model, q, resolver=engine)
print(*got.ravel())
"""


def asked(engine: str, equal: int, low: int) -> subprocess.CompletedProcess[str]:
    """Ask an engine for the softmax of a row in a process of its own."""
    command = [sys.executable, "-c", CHILD, engine, str(equal), str(low)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("engine", PROFILE)
def test_512_equal_logits_end_the_process(engine: str) -> None:
    """SIGABRT where the exponentials sum to 512; 511 of them, in a row of 512 codes and more, are the profile's."""
    x, y = layers.params(1.0, 0, "int8"), layers.params(2.0**-8, -128, "int8")
    assert asked(engine, 512, 0).returncode == -signal.SIGABRT
    with pytest.raises(ValueError, match="a row of 512 codes needs a last shift of 32"):
        softmax(np.zeros((1, 512), np.int8), x=x, y=y, profile=PROFILE[engine])
    row = np.array([[0] * 511 + [-128] * 9], np.int8)
    want = softmax(row, x=x, y=y, profile=PROFILE[engine])
    assert asked(engine, 511, 9).stdout.split() == [str(code) for code in want[0]]
