"""One question to a backend, under guard: operands in buffers with poisoned margins, compared before and after.

Legend: a view is what the backend sees, its buffer the memory around it; y (B, N) what it answers; case the question,
w_layout how its weights lie, of `LAYOUTS`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.testing import backend as kinds
from npquant.testing.backend import Backend, BackendFault, Outcome
from npquant.testing.case import Case, Model, as_laid_out

# Any of these is a refusal in a backend's own words.
REFUSALS = (ValueError, TypeError, OverflowError)


class Guard:
    """Copies of operands in guarded memory, and what they must still be after a call."""

    def __init__(self) -> None:
        self._kept: list[tuple[NDArray[Any], bytes]] = []

    def lay(self, codes: NDArray[Any], layout: str) -> NDArray[Any]:
        """Return a guarded copy of codes in a layout; one axis or none lies in C order."""
        if codes.ndim != 2:
            view = buffer = codes.copy()
        else:
            view, buffer = as_laid_out(codes, layout)
        self._kept.append((buffer, buffer.tobytes()))
        return view

    def accept(self) -> None:
        """Take what every buffer holds now for what it must hold."""
        self._kept = [(buffer, buffer.tobytes()) for buffer, _ in self._kept]

    def untouched(self) -> bool:
        """Say whether every buffer, margins included, holds what it held."""
        return all(buffer.tobytes() == before for buffer, before in self._kept)


def ask(backend: Backend, case: Case) -> Outcome:
    """Put a case to a backend on a freshly prepared model; whatever it does is an outcome, never an exception.

    KeyboardInterrupt alone passes. The input is overwritten once the answer is there, so that an answer which is a
    view of it, or is worked out later, shows."""
    try:
        return _asked(backend, case)
    except BackendFault as fault:
        return Outcome(fault.kind, None, fault.detail)
    except NotImplementedError as reason:
        return Outcome(kinds.DECLINED, None, in_words(reason).partition(": ")[2])
    except REFUSALS as reason:
        kind = kinds.DECLINED if case.status == "valid" and asks_for_more(case) else kinds.REJECTED
        return Outcome(kind, None, in_words(reason))
    except SystemExit as reason:
        return Outcome(kinds.CRASHED, None, f"SystemExit({reason.code})")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Outcome(kinds.RAISED, None, in_words(error))


def in_words(error: BaseException) -> str:
    """Return the type and text of an exception, error; the type alone where its text cannot be made.

    >>> in_words(ValueError("no bias"))
    'ValueError: no bias'
    """
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}: "


def asks_for_more(case: Case) -> bool:
    """Say whether a case has what a right kernel may lack, and refuse in words: only a wrong answer would be a fault.

    A memory layout, several layers, no bias, scales of channels, a weight zero point, unsigned weights, an activation.
    """
    if (case.x_layout, case.w_layout) != ("c", "c") or len(case.model.layers) > 1:
        return True
    layer = case.model.layers[0]
    if case.op == "quantize":
        return layer.x.per_channel
    weights = layer.w.per_channel or bool(np.any(layer.w.zero_point)) or layer.w_q.dtype != np.int8
    return layer.bias is None or weights or layer.activation != "none"


def _asked(backend: Backend, case: Case) -> Outcome:
    if case.op == "quantize":
        return _quantized(backend, case)
    model_guard, guard = Guard(), Guard()
    prepared = backend.prepare(guarded_model(case.model, case.w_layout, model_guard))
    answers = _run_earlier(backend, prepared, case, guard)
    for codes, (_, answer) in zip(case.earlier, answers, strict=True):
        outcome = checked_answer(answer, (len(codes), answer_shape(case)[1]), case.model.layers[-1].y.dtype)
        if outcome.kind != kinds.VALUE:
            return outcome
    x = guard.lay(case.x_q, case.x_layout)
    if case.same_buffer and case.earlier:
        x = answers[-1][0]
        x[...] = case.x_q
        guard.accept()
    kept = [(answer, answer.copy()) for _, answer in answers if isinstance(answer, np.ndarray)]
    outcome = checked_answer(prepared.run(x), answer_shape(case), case.model.layers[-1].y.dtype)
    if not guard.untouched():
        return Outcome(kinds.CHANGED_INPUT, outcome.value, "the input, or memory beside it, differs after the call")
    if not model_guard.untouched():
        return Outcome(kinds.CHANGED_MODEL, outcome.value, "the weights or the bias differ after the call")
    if any(answer.tobytes() != copy.tobytes() for answer, copy in kept):
        return Outcome(kinds.OVERWRITTEN, outcome.value, "the answer to an earlier call differs after this one")
    return outcome if outcome.kind != kinds.VALUE else _after_overwriting(outcome, x)


def _run_earlier(backend: Backend, prepared: Any, case: Case, guard: Guard) -> list[tuple[NDArray[Any], Any]]:
    """Run what comes before the question; return each input as it was laid, with its answer."""
    if case.neighbour is not None:
        other = backend.prepare(guarded_model(case.neighbour, "c", guard))
        other.run(guard.lay(case.x_q, "c"))
    answers = []
    for codes in case.earlier:
        x = guard.lay(codes, "c")
        answers.append((x, prepared.run(x)))
    return answers


def guarded_model(model: Model, w_layout: str, guard: Guard) -> Model:
    """Return the model with weights and biases in guarded memory."""
    layers = tuple(
        replace(
            layer,
            w_q=guard.lay(layer.w_q, w_layout),
            bias=None if layer.bias is None else guard.lay(layer.bias, "c"),
        )
        for layer in model.layers
    )
    return replace(model, layers=layers)


def answer_shape(case: Case) -> tuple[int, ...]:
    """Return the shape (B, N) that an answer must have."""
    if case.op == "quantize":
        return tuple(case.x_q.shape)
    return (case.x_q.shape[0], case.model.layers[-1].w_q.shape[1])


def _quantized(backend: Any, case: Case) -> Outcome:
    x = case.x_q.copy()
    params = case.model.layers[0].x
    outcome = checked_answer(backend.quantize(x, params), answer_shape(case), params.dtype)
    if x.tobytes() != case.x_q.tobytes():
        return Outcome(kinds.CHANGED_INPUT, outcome.value, "the real values differ after the call")
    return outcome if outcome.kind != kinds.VALUE else _after_overwriting(outcome, x)


def _after_overwriting(outcome: Outcome, x: NDArray[Any]) -> Outcome:
    """Overwrite the input and see whether the answer moves; a read-only input stays."""
    assert outcome.value is not None
    before = outcome.value.copy()
    if x.flags.writeable and x.size:
        x[...] = ~x if x.dtype.kind in "iu" else np.nan
        if outcome.value.tobytes() != before.tobytes():
            return Outcome(kinds.ALIASED, before, "overwriting the input after the call changed the answer")
    return Outcome(kinds.VALUE, before)


def checked_answer(answer: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Outcome:
    """Say whether an answer is an array of the type and shape that was asked for.

    >>> checked_answer(None, (1, 1), np.dtype(np.int8)).kind
    'returned no array'
    """
    if not isinstance(answer, np.ndarray):
        return Outcome(kinds.NOT_AN_ARRAY, None, f"it returned {type(answer).__name__}, an ndarray was due")
    answer = answer.view(np.ndarray)  # a subclass may compare as it likes: what is masked would be right
    if answer.dtype != dtype:
        return Outcome(kinds.WRONG_TYPE, answer, f"it returned {answer.dtype}, {dtype} was due")
    if answer.shape != shape:
        return Outcome(kinds.WRONG_SHAPE, answer, f"it returned the shape {answer.shape}, {shape} was due")
    return Outcome(kinds.VALUE, answer)
