"""The one error of every file that cannot be read as a network: which file, where in it, and what is wrong."""

from __future__ import annotations

import os


class FormatError(ValueError):
    """Raised for every file, of every format, that is damaged, or says what npquant does not read.

    Parameters
    ----------
    file : path
        The file, as its reader called it.
    place : str
        Where in the file: a node, layer, tensor, key or offset; "" if it is the file as a whole.
    problem : str
        What is wrong there, and what would be accepted.

    Examples
    --------
    >>> print(FormatError("net.onnx", "node 'act3'", "Elu has no twin here; use Relu, Tanh or Sigmoid"))
    net.onnx: node 'act3': Elu has no twin here; use Relu, Tanh or Sigmoid
    """

    def __init__(self, file: str | os.PathLike[str], place: str, problem: str) -> None:
        super().__init__(": ".join(part for part in (os.fspath(file), place, problem) if part))
        self.file, self.place, self.problem = os.fspath(file), place, problem
