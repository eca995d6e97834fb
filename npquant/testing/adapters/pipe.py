"""The text form of questions and answers, one line each: `linear`, and `quantize` for who speaks it.

Legend: B rows, K contracted depth, N outputs; a question is numbers apart by blanks, scales in C99's hexadecimal form;
an answer the output codes, row by row, or `reject WHY`, or `decline WHY`. docs/pipe.md tells it field by field. profile
is the engine's record; x real values with params; shape and dtype those of the answer; lines a stream of answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing import backend as kinds
from npquant.testing.adapters.operands import operands_of
from npquant.testing.ask import answer_shape
from npquant.testing.backend import BackendFault, Capabilities, Outcome
from npquant.testing.case import Case, Layer, Params

# What a program may print before its first answer: this word, the version of the format, and what it takes.
GREETING: Final = "npquant-pipe"
VERSION: Final = 1
_NO_DIGITS: Final = re.compile(r"\.?0+p")
_SHOWN: Final = 60


def write_question(case: Case) -> str:
    """Return the case as one line, without its end; NotImplementedError for a network, which is a line a layer.

    What else a case holds (layouts, earlier calls, a neighbour) is not part of the line: earlier calls are earlier
    lines.

    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.testing.case import one_layer
    >>> p = QuantParams(0.5, 3, -128, 127)
    >>> x_q, w_q = np.array([[1, 2]], np.int8), np.array([[-5], [7]], np.int8)
    >>> write_question(one_layer(x_q, w_q, np.array([9], np.int32), p, p, p, "npquant"))
    'linear int8 int8 int8 1 2 1 3 3 -128 127 0x1p-1 0x1p-1 3 1073741824 0 0x1p-1 9 -5 7 1 2'
    """
    layer = case.model.layers[0]
    if case.op == "quantize":
        return quantize_line(case.x_q, layer.x)
    if len(case.model.layers) != 1:
        raise NotImplementedError("a line holds one layer: a network is asked layer by layer")
    return layer_line(layer, case.x_q, get(case.model.profile))


def layer_line(layer: Layer, x_q: Codes, profile: Profile) -> str:
    """Return one layer's question: types, sizes, zero points, bounds, scales, then N times zw m e sw bias, then w_q,
    x_q."""
    o = operands_of(layer, x_q, profile)
    head: list[Any] = ["linear", o.x_q.dtype.name, o.w_q.dtype.name, o.y_type.name, *o.x_q.shape, o.shape[1]]
    head += [o.x_zero, o.y_zero, o.low, o.high, hexadecimal(o.x_scale), hexadecimal(o.y_scale)]
    outputs = zip(
        o.w_zero.tolist(),
        o.m.tolist(),
        o.e.tolist(),
        map(hexadecimal, o.w_scale.tolist()),
        o.bias.tolist(),
        strict=True,
    )
    parts = (head, *outputs, o.w_q.ravel().tolist(), o.x_q.ravel().tolist())
    return " ".join(" ".join(map(str, part)) for part in parts if len(part))


def quantize_line(x: NDArray[Any], params: Params) -> str:
    """Return the question `quantize`: type, count, zero point, bounds, scale, then the real values.

    >>> from npquant.kernels.qparams import QuantParams
    >>> quantize_line(np.array([0.75, -np.inf], np.float32), QuantParams(0.5, 3, 0, 255))
    'quantize uint8 2 3 0 255 0x1p-1 0x1.8p-1 -inf'
    """
    if params.per_channel:
        raise NotImplementedError("one scale is stated, so a scale for each channel cannot be asked")
    head = ["quantize", params.dtype.name, x.size, int(params.zero_point), params.qmin, params.qmax]
    values = [hexadecimal(value) for value in (np.float32(params.scale), *np.ravel(x))]
    return " ".join(map(str, [*head, *values]))


def hexadecimal(value: Any) -> str:
    """Return a value, a float, as C99's printf and scanf write it with %a, every bit kept but those of a NaN's payload.

    >>> hexadecimal(0.1), hexadecimal(-0.0), hexadecimal(-np.nan)
    ('0x1.999999999999ap-4', '-0x0p+0', '-nan')
    """
    number = float(value)
    if number != number:
        return "-nan" if np.signbit(number) else "nan"
    return _NO_DIGITS.sub("p", number.hex())


def read_answer(line: str, case: Case) -> Outcome:
    """Return what a line says in answer to a case; whatever it holds is an outcome.

    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.testing.case import one_layer
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> case = one_layer(np.array([[1]], np.int8), np.array([[2]], np.int8), None, p, p, p, "npquant")
    >>> [read_answer(line, case).kind for line in ("1", "1 2", "300", "acc = 1")]
    ['value', 'returned the wrong shape', 'answered with a number that is no code', 'answered with junk']
    """
    layer = case.model.layers[-1]
    dtype = layer.x.dtype if case.op == "quantize" else layer.y.dtype
    try:
        return Outcome(kinds.VALUE, codes_of_line(line, answer_shape(case), dtype))
    except BackendFault as fault:
        return Outcome(fault.kind, None, fault.detail)
    except NotImplementedError as reason:
        return Outcome(kinds.DECLINED, None, str(reason))
    except ValueError as reason:
        return Outcome(kinds.REJECTED, None, str(reason))


def codes_of_line(line: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Codes:
    """Return an answer's codes; ValueError for `reject`, NotImplementedError for `decline`, BackendFault for the rest.

    >>> codes_of_line("-1 2", (2, 1), np.dtype(np.int8)).tolist()
    [[-1], [2]]
    """
    words = line.split()
    if words and words[0] in ("reject", "decline"):
        raise (ValueError if words[0] == "reject" else NotImplementedError)(" ".join(words[1:]) or words[0])
    numbers = []
    for word in words:
        if not re.fullmatch(r"[-+]?[0-9]{1,18}", word):
            raise BackendFault(kinds.JUNK, f"{word[:_SHOWN]!r} is no whole number, in {shown(line)}")
        numbers.append(int(word))
    due = int(np.prod(shape))
    if len(numbers) != due:
        raise BackendFault(kinds.WRONG_SHAPE, f"{len(numbers)} numbers, {due} were due for {shape}: {shown(line)}")
    codes = np.array(numbers, np.int64).reshape(shape)
    bounds = np.iinfo(dtype)
    outside = np.argwhere((codes < bounds.min) | (codes > bounds.max))
    if len(outside):
        index = tuple(int(i) for i in outside[0])
        raise BackendFault(kinds.NO_CODE, f"{codes[index]} at {index} is outside {dtype}")
    return codes.astype(dtype)


def shown(line: str) -> str:
    """Return the beginning of a line for a report, quoted."""
    return repr(line if len(line) <= _SHOWN else line[:_SHOWN] + "...")


def answers_in(lines: Iterable[str]) -> Iterator[str]:
    """Yield the answers of a stream: a greeting, if the first line is one, is left out."""
    for i, line in enumerate(lines):
        if i or not is_greeting(line):
            yield line.rstrip("\r\n")


def is_greeting(line: str) -> bool:
    """Say whether a line is a program's greeting."""
    return line.split()[:1] == [GREETING]


def capabilities_in(greeting: str, otherwise: Capabilities) -> Capabilities:
    """Return what a greeting says a program takes, and otherwise what is given: a word `field=value` for each field of
    `Capabilities` that differs.

        Values are numbers, or names apart by commas, or 0 and 1 for no and yes. ValueError for another version of the
        format, for a field that there is not, and for a value that is none.

        >>> can = capabilities_in("npquant-pipe 1 ops=linear,quantize per_channel=0 max_depth=1024", Capabilities())
        >>> can.ops, can.per_channel, can.max_depth
        (('linear', 'quantize'), False, 1024)
    """
    words = greeting.split()
    if words[1:2] != [str(VERSION)]:
        raise ValueError(f"the program greets with {shown(greeting)}; this is version {VERSION} of the format")
    known = {field.name: getattr(otherwise, field.name) for field in fields(otherwise)}
    changes: dict[str, Any] = {}
    for word in words[2:]:
        name, _, value = word.partition("=")
        if name not in known:
            raise ValueError(f"the program greets with {word!r}; there is no such field, only {', '.join(known)}")
        if isinstance(known[name], tuple):
            changes[name] = tuple(part for part in value.split(",") if part)
        elif not value.isdecimal():
            raise ValueError(f"the program greets with {word!r}; {name} is a number, and 0 or 1 for no or yes")
        else:
            changes[name] = type(known[name])(int(value))
    return replace(otherwise, **changes)
