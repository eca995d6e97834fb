"""A program that speaks the pipe, one line a case and one line an answer, as a backend.

Legend: x_q (B, K) input codes of a layer; the form of the lines stands in `adapters.pipe`.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.adapters.line_process import LineProcess
from npquant.testing.adapters.operands import LayerByLayer, plain_capabilities
from npquant.testing.adapters.pipe import capabilities_in, codes_of_line, is_greeting, layer_line, quantize_line
from npquant.testing.backend import BackendFault, Capabilities
from npquant.testing.case import Layer, Model, Params

# Bytes that an answer may take: a number and a blank, and room for a reason or a greeting.
BYTES_A_CODE = 8
BYTES_BESIDE = 1 << 16


class ProcessBackend:
    """A backend that puts every layer to a program as a line of text."""

    def __init__(
        self, command: Sequence[str], record: Profile, timeout: float, can: Capabilities | None, name: str
    ) -> None:
        self.name, self.profile = name, record.name
        self.record, self.can = record, can
        self.program = LineProcess(command, timeout, is_greeting)

    def capabilities(self) -> Capabilities:
        """Return what the program was said to take, or what it greets with: it is asked a tiny layer, and ended.

        ValueError for a greeting that cannot be read."""
        if self.can is None:
            tiny = QuantParams(0.5, 0, -128, 127) if "int8" in self.record.code_types else QuantParams(0.5, 0, 0, 255)
            weights = QuantParams(0.5, 0, self.record.weight_qmin, 127)
            layer = Layer(np.ones((1, 1), np.int8), np.zeros(1, np.int32), tiny, weights, tiny)
            try:
                self.answer(layer, np.ones((1, 1), tiny.dtype))
            except (BackendFault, ValueError, NotImplementedError):
                pass  # the classes will meet it, and name it
            self.program.close()  # so that what it may keep from this question is gone before the first real one
            plain = plain_capabilities(self.record)
            self.can = capabilities_in(self.program.greeting, plain) if self.program.greeting else plain
        return self.can

    def prepare(self, model: Model) -> LayerByLayer:
        """Keep the model: the program packs nothing."""
        return LayerByLayer(self.answer, model)

    def answer(self, layer: Layer, x_q: Codes) -> Codes:
        """Ask for one layer."""
        shape = (x_q.shape[0], layer.w_q.shape[1])
        return self._asked(layer_line(layer, x_q, self.record), shape, layer.y.dtype)

    def quantize(self, x: NDArray[Any], params: Params) -> Codes:
        """Ask for QUANTIZE."""
        return self._asked(quantize_line(x, params), x.shape, params.dtype)

    def close(self) -> None:
        """End the program; the next question starts it again."""
        self.program.close()

    def _asked(self, line: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Codes:
        due = int(np.prod(shape))
        answer = self.program.ask(line, most=BYTES_A_CODE * due + BYTES_BESIDE, due=due > 0)
        try:
            codes = codes_of_line(answer, shape, dtype)
        except BackendFault:
            # Whose answer is not one may have more of it under way.
            self.program.give_up()
            raise
        self.program.expect_silence()
        return codes


def from_process(
    command: str | Sequence[str],
    *,
    profile: str | Profile,
    timeout: float = 5.0,
    capabilities: Capabilities | None = None,
    name: str = "",
) -> ProcessBackend:
    """Make a backend of a program that reads questions from its standard input and prints answers.

    Parameters
    ----------
    command : str or sequence of str
        The program and its arguments; a string is split as a shell would split it, and no shell is used.
    profile : str or Profile
        The arithmetic that it claims, as in `npquant.profiles.names()`.
    timeout : float
        Seconds that it has for an answer; then it is killed, which is a finding, and started anew.
    capabilities : Capabilities, optional
        What it takes; by default what its greeting says, else every layer of the profile's engine in C order.
    name : str
        For reports; by default the program's file name.

    Returns
    -------
    Backend
        For `run` and the rest; with `close()`, which ends the program. It ends with the object at the latest.

    Raises
    ------
    ValueError
        If there is no such profile, or the command is empty.
    FileNotFoundError
        If there is no such program.

    Notes
    -----
    One line a case, one line an answer; the program stays, so that what it keeps between cases is judged too. The
    answer is the output codes, or `reject WHY`, or `decline WHY`. A network is asked layer by layer. A crash, silence,
    junk, too many or too few numbers, numbers that are no codes and words after the answer are findings, each named,
    and after each the program is started anew. Format: `npquant.testing.adapters.pipe`.

    Examples
    --------
    >>> import sys
    >>> from npquant.testing import run
    >>> program = "for line in open(0): print('decline', flush=True)"
    >>> backend = from_process([sys.executable, "-c", program], profile="ort")
    >>> run(backend, tier="smoke", classes=["plain"]).exit_code
    4
    """
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    if not words:
        raise ValueError("the command is empty: give a program, and its arguments if it has any")
    if shutil.which(words[0]) is None:
        raise FileNotFoundError(f"there is no program {words[0]!r} that can be run")
    label = name or words[0].replace("\\", "/").rpartition("/")[2]
    return ProcessBackend(words, get(profile), timeout, capabilities, label)
