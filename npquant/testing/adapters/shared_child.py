"""A shared library in a process of its own, which `command_of` starts.

Legend: a message is one line of JSON: the operands one way, with each array's bytes, shape and strides, what came of
them the other. o is the operands, function the library's, called symbol. What the library prints goes to the standard
error, so that it cannot be taken for an answer."""

from __future__ import annotations

import base64
import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.testing.adapters.guarded import watched
from npquant.testing.adapters.operands import Operands
from npquant.testing.adapters.shared_call import call_function, function_of
from npquant.testing.backend import BackendFault

READY: Final = "ready"


def command_of(library: str, symbol: str) -> list[str]:
    """Return the command that starts such a process, with the very package that is running now."""
    root = str(Path(__file__).parents[3])
    start = f"import sys; sys.path.insert(0, {root!r}); from {__name__} import main; main(sys.argv[1:])"
    return [sys.executable, "-c", start, library, symbol]


def as_message(o: Operands) -> str:
    """Return the operands as a line."""
    return json.dumps({field.name: _packed(getattr(o, field.name)) for field in fields(o)})


def operands_in(message: str) -> Operands:
    """Return the operands that a line holds, arrays with the strides they had."""
    return Operands(**{name: _unpacked(value) for name, value in json.loads(message).items()})


def _packed(value: Any) -> Any:
    if isinstance(value, np.dtype):
        return [value.name]
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return [value.dtype.name, value.shape, value.strides, data]
    return value


def _unpacked(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if len(value) == 1:
        return np.dtype(value[0])
    name, shape, strides, data = value
    codes: NDArray[Any] = np.frombuffer(base64.b64decode(data), name).reshape(shape)
    return watched(tuple(shape), tuple(strides), codes.dtype, 0, codes).view


def answer_to(function: Any, o: Operands) -> str:
    """Return what came of a call as a line."""
    try:
        return json.dumps(["value", base64.b64encode(call_function(function, o).tobytes()).decode("ascii")])
    except BackendFault as fault:
        return json.dumps(["fault", fault.kind, fault.detail])
    except NotImplementedError as reason:
        return json.dumps(["decline", str(reason)])
    except ValueError as reason:
        return json.dumps(["reject", str(reason)])


def codes_in(answer: str, o: Operands) -> Codes:
    """Return the codes that an answer holds; raise what `call_function` raised otherwise."""
    what, *rest = json.loads(answer)
    if what == "fault":
        raise BackendFault(*rest)
    if what in ("decline", "reject"):
        raise (NotImplementedError if what == "decline" else ValueError)(*rest)
    return np.frombuffer(base64.b64decode(rest[0]), o.y_type).reshape(o.shape).copy()


def main(arguments: list[str]) -> None:
    """Answer every line of the standard input; arguments are the library and the symbol."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    function = function_of(*arguments)
    answers.write(READY + "\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(answer_to(function, operands_in(line)) + "\n")
        answers.flush()
