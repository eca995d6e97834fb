"""The near side: an engine in another process, of another interpreter, processor or emulator."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

ANSWER = Path(__file__).with_name("answer.py")


class Elsewhere:
    """Hand models to a process that runs `answer.py`; `run` is engines_litert.run from afar."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, model: bytes, x: NDArray[Any], *, resolver: str) -> NDArray[Any]:
        """Run a one-input, one-output model under one resolver, in the other process."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None and answers is not None
        buffer = io.BytesIO()
        np.savez(buffer, model=np.frombuffer(model, np.uint8), x=x, resolver=np.array(resolver))
        questions.write(len(buffer.getvalue()).to_bytes(8, "little") + buffer.getvalue())
        questions.flush()
        head = answers.read(8)
        assert len(head) == 8, "the other process ended before it answered"
        with np.load(io.BytesIO(answers.read(int.from_bytes(head, "little")))) as said:
            if "error" in said:
                raise RuntimeError(str(said["error"]))
            answer: NDArray[Any] = said["y"]
            return answer


@contextmanager
def elsewhere(variable: str) -> Iterator[Elsewhere]:
    """Start the interpreter whose command an environment variable holds; skip, and say so, where it holds none."""
    command = os.environ.get(variable)
    if not command:
        pytest.skip(f"{variable} names no interpreter: python -m tests.emulated.prepare FOLDER says how")
    with subprocess.Popen(
        [*shlex.split(command), str(ANSWER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Elsewhere(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
