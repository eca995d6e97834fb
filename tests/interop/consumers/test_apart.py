"""Code in a process of its own: its answer comes back, and its death is an error."""

import numpy as np
import pytest

from npquant.interop.consumers.apart import run_apart


def test_run_apart_brings_the_answer_back() -> None:
    """Any array goes in and comes out, dtype and shape included; the artefact's path and the option are there."""
    x = np.arange(6, dtype=np.int16).reshape(2, 3)
    y = run_apart("y = x[::-1] if (path, option) == ('p', 'o') else None", "p", x, engine="mirror", option="o")
    assert y.dtype == np.int16
    np.testing.assert_array_equal(y, x[::-1])


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise ValueError('no such operator')", "no such operator"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("import os; os._exit(0)", "exit code 0"),
        ("y = np.array([object()])", "exit code 1"),
    ],
)
def test_run_apart_survives_a_death(code: str, says: str) -> None:
    """An exception, a signal, an end without an answer, an answer that is no plain array: RuntimeError says which."""
    with pytest.raises(RuntimeError, match=says) as caught:
        run_apart(code, "model.bin", np.zeros(1), engine="engine")
    assert "model.bin" in str(caught.value)
    assert "engine" in str(caught.value)
