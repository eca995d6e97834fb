"""The methods of a comparison: those of npquant's table, by name, and one's own, a function.

A method of one's own is what ``quantize_model(method=...)`` takes: (LayerProblem, bits) -> LayerCodes, asked for each
layer in turn. What it answers is checked here, where its name and the layer are known.

Legend: method a name of METHOD_NAMES or AUTO, the words module:function or file.py:function, or the function; name what
it is called in tables; bits a width, 2..8 or "ternary".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.integer_chain import LayerProblem, Rounding
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.method_names import AUTO, METHOD_NAMES
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP
from npquant.testing.named_object import named_object

Method = str | Rounding
# (float network, calibration rows, bits, seed) -> network
Quantizer = Callable[[FloatMLP, Float64, Bits, int], IntegerMLP]


def width_name(bits: Bits) -> str:
    """Write a width.

    >>> width_name(2), width_name("ternary")
    ('2 bits', 'ternary')
    """
    return str(bits) if bits == "ternary" else f"{bits} bits"


def method_name(method: Method) -> str:
    """Return what a method is called: its name in npquant's table, or that of the function.

    >>> method_name("gptq"), method_name("mine.rounding:up"), method_name(partial(quantize_model))
    ('gptq', 'up', 'quantize_model')
    """
    if isinstance(method, str):
        return method.rpartition(":")[2]
    while isinstance(method, partial):
        method = method.func
    return str(getattr(method, "__name__", type(method).__name__))


def method_names(methods: Sequence[Method]) -> list[str]:
    """Name several methods: by `method_name`, or in full where two have one name, or npquant's table has it.

    >>> method_names(["gptq", "mine:gptq", "mine:up", "theirs:down"])
    ['gptq', 'mine:gptq', 'up', 'down']
    """
    short = [method_name(method) for method in methods]
    taken = (*short, *METHOD_NAMES, AUTO)
    return [
        method if isinstance(method, str) and taken.count(name) > 1 else name
        for name, method in zip(short, methods, strict=True)
    ]


def loaded(method: Method) -> Method:
    """Return a name of npquant's table as it is, else the function; ValueError or TypeError names what is neither.

    >>> loaded("gptq")
    'gptq'
    >>> loaded("gtpq")
    Traceback (most recent call last):
    ValueError: the method 'gtpq' is unknown; give module:function, or one of rectified, uniform, nearest, gptq, \
gptq_resolved, gpfq, adaround, auto
    """
    known, found = (*METHOD_NAMES, AUTO), method
    if isinstance(method, str):
        if method in known:
            return method
        if ":" not in method:
            raise ValueError(f"the method {method!r} is unknown; give module:function, or one of {', '.join(known)}")
        found = named_object(method)
    if not callable(found) or isinstance(found, type):
        kind = "a class" if isinstance(found, type) else f"of type {type(found).__name__}"
        raise TypeError(f"the method {method_name(method)} is {kind}; give a function (problem, bits) -> LayerCodes")
    return found


def quantizer_of(name: str, method: Method, activation_bits: int, output: str) -> Quantizer:
    """Return the way from a float network to an integer one by a method called name; errors as `loaded`.

    `activation_bits` and `output` as `quantize_model` takes them. What the quantizer raises names method, width, and
    of one's own method the layer.
    """
    known = loaded(method)
    how = known if isinstance(known, str) else partial(_checked_round, round_layer=known)

    def quantize(model: FloatMLP, rows: Float64, bits: Bits, seed: int) -> IntegerMLP:
        try:
            return quantize_model(model, rows, bits, activation_bits, seed, method=how, output=output).network
        except (ValueError, TypeError, ArithmeticError) as error:
            raise ValueError(f"{name} at {width_name(bits)}: {error}") from error

    return quantize


def _checked_round(problem: LayerProblem, bits: Bits, round_layer: Rounding) -> LayerCodes:
    """Ask a method of one's own, round_layer, for a layer of a network, and check what it answers."""
    layer = f"layer {problem.index}, {' x '.join(map(str, problem.w.shape))}"
    try:
        codes = round_layer(problem, bits)
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{layer}: {type(error).__name__}: {error}{_place(error)}") from error
    wrong = _complaint(codes, problem)
    if wrong:
        raise ValueError(f"{layer}: {wrong}")
    return codes


def _place(error: Exception) -> str:
    """Say on which line of the function it was raised: the frame below this module's own."""
    frames = extract_tb(error.__traceback__)[1:2]
    return "".join(f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in frames)


def _complaint(codes: Any, problem: LayerProblem) -> str:
    """Say what is wrong with an answer; "" if nothing is."""
    if not isinstance(codes, LayerCodes):
        return f"the answer is {type(codes).__name__}; return LayerCodes(w_q, w, bias)"
    n = problem.w.shape[1]
    if not isinstance(codes.w_q, np.ndarray) or codes.w_q.dtype != np.int8:
        return f"w_q is {getattr(codes.w_q, 'dtype', type(codes.w_q).__name__)}; return int8 codes"
    scale, bias = np.shape(codes.w.scale), np.shape(codes.bias)
    found: Sequence[tuple[str, tuple[int, ...], bool, str]] = (
        ("w_q", codes.w_q.shape, codes.w_q.shape == problem.w.shape, f"{problem.w.shape}"),
        ("the scale", scale, scale in ((), (n,)), f"() or ({n},)"),
        ("the bias", bias, bias == (n,), f"({n},)"),
    )
    return "; ".join(f"{what} has the shape {shape}; give {wanted}" for what, shape, fits, wanted in found if not fits)
