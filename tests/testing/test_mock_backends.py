"""The judge itself on trial: backends that are right, wrong, crash, hang, lie about shapes, or write where they must
not.

Hangs and crashes of a process are made by the adapter for processes; here the fault that it raises is what is judged.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.testing import Capabilities, from_callable, run
from npquant.testing import backend as kinds
from npquant.testing.backend import BackendFault

honest = partial(npquant.linear, profile="npquant")


def exits(*args: Any, **options: Any) -> Any:
    """Leave the interpreter."""
    sys.exit(3)


class Speechless(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_without_text(*args: Any, **options: Any) -> Any:
    """Raise an exception that cannot be printed."""
    raise Speechless


def fault(kind: str) -> Callable[..., Any]:
    """Return a function that fails as an adapter reports it."""

    def function(*args: Any, **options: Any) -> Any:
        raise BackendFault(kind, "signal 11" if kind == kinds.CRASHED else "")

    return function


def after(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the honest function with its answer changed."""
    return lambda *args, **options: change(honest(*args, **options))


def off_by_one(y: Any) -> Any:
    """Flip the lowest bit of the last code."""
    y = np.array(y)
    if y.size:
        y[-1, -1] ^= 1
    return y


def flaky() -> Callable[..., Any]:
    """Return a function that is wrong in every other call."""
    calls = [0]

    def function(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        return off_by_one(honest(*args, **options)) if calls[0] % 2 else honest(*args, **options)

    return function


def overwrites_input(x_q: Any, *args: Any, **options: Any) -> Any:
    """Write into the input where it is writeable."""
    y = honest(x_q, *args, **options)
    if x_q.flags.writeable:
        x_q[...] = 0
    return y


def writes_beside_the_input(x_q: Any, *args: Any, **options: Any) -> Any:
    """Write one element in front of the input."""
    y = honest(x_q, *args, **options)
    if x_q.flags.writeable and x_q.size and x_q.base is not None and x_q.base.ndim == 1:
        x_q.base[0] ^= 1
    return y


def overwrites_weights(x_q: Any, w_q: Any, *args: Any, **options: Any) -> Any:
    """Write into the weights."""
    y = honest(x_q, w_q, *args, **options)
    if w_q.flags.writeable:
        w_q[...] = 0
    return y


WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "one code off": (after(off_by_one), kinds.WRONG_VALUE),
    "None": (after(lambda y: None), kinds.NOT_AN_ARRAY),
    "a list": (after(lambda y: y.tolist()), kinds.NOT_AN_ARRAY),
    "int32": (after(lambda y: y.astype(np.int32)), kinds.WRONG_TYPE),
    "float": (after(lambda y: y.astype(np.float32)), kinds.WRONG_TYPE),
    "transposed": (after(lambda y: y.T), kinds.WRONG_SHAPE),
    "flat": (after(lambda y: y.ravel()), kinds.WRONG_SHAPE),
    "one code off under a mask": (
        after(lambda y: np.ma.MaskedArray(off_by_one(y), np.ones(y.shape, bool))),
        kinds.WRONG_VALUE,
    ),
    "raises what has no text": (raises_without_text, kinds.RAISED),
    "raises": (after(lambda y: 1 // 0), kinds.RAISED),
    "refuses": (after(lambda y: [][0] if y is None else int("x")), kinds.REJECTED),
    "exits": (exits, kinds.CRASHED),
    "crashes": (fault(kinds.CRASHED), kinds.CRASHED),
    "hangs": (fault(kinds.HUNG), kinds.HUNG),
    "prints junk": (fault(kinds.JUNK), kinds.JUNK),
    "writes outside": (fault(kinds.WROTE_OUTSIDE), kinds.WROTE_OUTSIDE),
    "leaves elements": (fault(kinds.LEFT_UNWRITTEN), kinds.LEFT_UNWRITTEN),
    "overwrites its input": (overwrites_input, kinds.CHANGED_INPUT),
    "writes beside its input": (writes_beside_the_input, kinds.CHANGED_INPUT),
    "overwrites its weights": (overwrites_weights, kinds.CHANGED_MODEL),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_wrong_backend_gets_its_verdict(name: str) -> None:
    """Each is found in the first class, by the name of what it did, and the run ends in order."""
    f, kind = WRONG[name]
    verdict = run(from_callable(f, profile="npquant"), tier="smoke", classes=["plain", "tail"])
    assert not verdict.passed
    assert kind in {failure.kind for failure in verdict.failures}
    assert verdict.exit_code == (3 if kind in (kinds.CRASHED, kinds.HUNG) else 1)


def test_flaky_backend_is_called_flaky() -> None:
    """Who answers one question in two ways is not called wrong."""
    verdict = run(from_callable(flaky(), profile="npquant"), tier="smoke", classes=["plain"])
    assert [failure.kind for failure in verdict.failures] == [kinds.FLAKY]


def test_right_backend_passes_every_class() -> None:
    """npquant is itself, and nothing is left out but what it promises nothing about."""
    verdict = run(honest, profile="npquant", tier="smoke")
    assert verdict.exit_code == 0
    assert {result.name for result in verdict.classes if not result.passed} <= {"float_edge"}


def test_illegal_cases_must_be_refused_by_who_promises_to() -> None:
    """An answer to an illegal case is a finding only against a promise; an error that is no refusal always is."""
    takes_all = from_callable(_cut, profile="npquant", capabilities=Capabilities(rejects=()))
    assert run(takes_all, classes=["illegal"]).exit_code == 4
    promises = from_callable(_cut, profile="npquant", capabilities=Capabilities(rejects=("shape",)))
    assert {f.kind for f in run(promises, classes=["illegal"]).failures} == {kinds.ACCEPTED}


def _cut(x_q: Any, w_q: Any, bias: Any, **options: Any) -> Any:
    depth = min(x_q.shape[1], w_q.shape[0])
    return honest(x_q[:, :depth], w_q[:depth], bias, **options)


def test_declining_everything_is_not_conformance() -> None:
    """A backend that takes no case passes nothing: exit code 4."""
    verdict = run(from_callable(_declines, profile="npquant"), tier="smoke")
    assert not verdict.passed and verdict.exit_code == 4 and not verdict.failures


def _declines(*args: Any, **options: Any) -> Any:
    raise NotImplementedError("no")


def test_layouts_may_be_declined() -> None:
    """Who refuses memory that does not lie in C order is never a failure."""
    verdict = run(from_callable(_c_order_alone, profile="npquant"), tier="standard", classes=["layout", "plain"])
    assert verdict.exit_code == 0


def test_a_plain_kernel_is_never_accused_of_what_it_refuses() -> None:
    """Who refuses channels, a missing bias, weight zero points and activations is right; two rows are plain."""
    verdict = run(from_callable(_plain_layers_alone, profile="npquant"), tier="standard")
    assert verdict.exit_code == 0
    assert {"channel", "activation"} <= {result.name for result in verdict.classes if result.skipped}
    assert run(from_callable(_refuses_two_rows, profile="npquant"), classes=["plain"]).exit_code == 1


def _plain_layers_alone(x_q: Any, w_q: Any, bias: Any, *, x: Any, w: Any, y: Any, activation: str) -> Any:
    if activation != "none":
        raise ValueError("no activation")
    scale = float(w.scale)  # TypeError for an array of more than one
    if int(w.zero_point):
        raise ValueError("no weight zero point")
    if w_q.dtype != np.int8 or not (x_q.flags.c_contiguous and w_q.flags.c_contiguous):
        raise TypeError("int8 weights in C order")
    assert scale > 0
    return honest(x_q, w_q, bias + 0, x=x, w=w, y=y, activation=activation)  # TypeError for None


def _refuses_two_rows(x_q: Any, w_q: Any, bias: Any, **options: Any) -> Any:
    if len(x_q) == 2:
        raise ValueError("not two rows")
    return honest(x_q, w_q, bias, **options)


def _c_order_alone(x_q: Any, w_q: Any, bias: Any, **options: Any) -> Any:
    if not (x_q.flags.c_contiguous and w_q.flags.c_contiguous):
        raise ValueError("C order only")
    return honest(x_q, w_q, bias, **options)
