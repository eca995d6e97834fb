"""Objects and functions that misbehave in every way Python has: each is a named finding, none ends the trial."""

import sys
from functools import partial
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.kernels.qparams import QuantParams
from npquant.testing import backend as kinds
from npquant.testing import from_callable, run
from npquant.testing.ask import ask
from npquant.testing.case import one_layer
from npquant.testing.judge import judge

P = QuantParams(0.5, 0, -128, 127)
BIAS = np.zeros(2, np.int32)
CASE = one_layer(np.array([[1, 2], [3, 4]], np.int8), np.array([[4, 1], [0, 3]], np.int8), BIAS, P, P, P, "npquant")
honest = partial(npquant.linear, profile="npquant")
kept: list[Any] = []


def as_view(x_q: Any, w_q: Any, bias: Any, **layer: Any) -> Any:
    """Answer with the input's own memory."""
    x_q[...] = honest(x_q.copy(), w_q, bias, **layer)
    return x_q


def flips(x_q: Any, w_q: Any, bias: Any, **layer: Any) -> Any:
    """Answer in turn."""
    kept.append(None)
    return honest(x_q, w_q, bias, **layer) ^ np.int8(1 + len(kept) % 2)


def keeps(x_q: Any, w_q: Any, bias: Any, **layer: Any) -> Any:
    """Answer with a view of the input that a square layer allows."""
    return x_q if not kept.append(x_q) else None  # type: ignore[func-returns-value]


def prints(x_q: Any, w_q: Any, bias: Any, **layer: Any) -> Any:
    """Answer rightly, and talk."""
    print("junk", file=sys.stdout)
    return honest(x_q, w_q, bias, **layer)


def exits(code: Any) -> Any:
    """Return a function that ends the interpreter."""

    def f(*args: Any, **layer: Any) -> None:
        raise SystemExit(code)

    return f


def raises(error: Any) -> Any:
    """Return a function that raises."""

    def f(*args: Any, **layer: Any) -> None:
        raise error

    return f


@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (honest, kinds.VALUE),
        (prints, kinds.VALUE),
        (lambda *a, **k: None, kinds.NOT_AN_ARRAY),
        (lambda *a, **k: honest(*a, **k).tolist(), kinds.NOT_AN_ARRAY),
        (lambda *a, **k: honest(*a, **k).astype(np.int32), kinds.WRONG_TYPE),
        (lambda *a, **k: honest(*a, **k).astype(np.float32), kinds.WRONG_TYPE),
        (lambda *a, **k: honest(*a, **k)[:1], kinds.WRONG_SHAPE),
        (lambda *a, **k: honest(*a, **k).ravel(), kinds.WRONG_SHAPE),
        (raises(ZeroDivisionError("division by zero")), kinds.RAISED),
        (raises(MemoryError()), kinds.RAISED),
        (raises(ValueError("no")), kinds.REJECTED),
        (raises(NotImplementedError("later")), kinds.DECLINED),
        (exits(0), kinds.CRASHED),
        (exits("bye"), kinds.CRASHED),
        (as_view, kinds.CHANGED_INPUT),
        (keeps, kinds.ALIASED),
    ],
)
def test_function_that_misbehaves_is_named(f: Any, kind: Any) -> None:
    """What a function does wrong has a name, and the trial goes on."""
    assert ask(from_callable(f, profile="npquant", name="mock"), CASE).kind == kind


def test_flaky_function_is_named() -> None:
    """Two answers to one question are a finding of their own."""
    finding, _ = judge(from_callable(flips, profile="npquant"), CASE)
    assert finding is not None and finding.kind == kinds.FLAKY


class Stateful:
    """A backend in object form, with a scratch buffer that may be shared among answers."""

    name, profile = "stateful", "npquant"

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def prepare(self, model: Any) -> Any:
        """Pack the model."""
        return StatefulModel(model, self.fault)


class StatefulModel:
    """A packed model; `fault` says what it does wrong."""

    def __init__(self, model: Any, fault: Any) -> None:
        self.model, self.fault, self.scratch, self.calls = model, fault, None, 0

    def run(self, x: Any) -> Any:
        """Run the layers."""
        self.calls += 1
        for layer in self.model.layers:
            x = honest(x, layer.w_q, layer.bias, x=layer.x, w=layer.w, y=layer.y, activation=layer.activation)
        if self.fault == "stale" and self.calls > 1:
            return np.asarray(x + 1, x.dtype)
        if self.fault == "scratch":
            if self.scratch is None or self.scratch.shape != x.shape:
                self.scratch = np.empty_like(x)
            self.scratch[...] = x  # type: ignore[index]
            return self.scratch
        return x


def test_object_form_works() -> None:
    """Any object with name, profile and prepare(model).run(x) is a backend; it may have state, and hide it."""
    assert run(Stateful(), tier="smoke").passed
    assert run(Stateful(), classes=["sequence", "network", "layout"]).passed


@pytest.mark.parametrize(("fault", "kind"), [("stale", kinds.WRONG_VALUE), ("scratch", kinds.OVERWRITTEN)])
def test_object_with_leaking_state_is_named(fault: Any, kind: Any) -> None:
    """State that shows in an answer is found by the class of sequences, and by no single call."""
    assert run(Stateful(fault), classes=["plain", "tie"], tier="smoke").passed
    verdict = run(Stateful(fault), classes=["sequence"])
    assert verdict.failures[0].kind == kind
