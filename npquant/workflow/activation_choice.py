"""Step 1, where --activation is auto: the hidden activation that does best on the validation rows.

Legend: x, y the validation rows: classes, int64 (R,), or real targets (R,) or (R, C). The test rows stay sealed.
names activations; train_one trains a network with one of them; tried what each was worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.measure.evaluate import in_float64
from npquant.nn.model import FloatMLP


@dataclass(frozen=True, slots=True)
class ActivationTrial:
    """What a network with one hidden activation is worth on the validation rows: an accuracy, or an RMSE by output."""

    activation: str
    accuracy: float | None  # a share; None for real targets
    rmse: tuple[float, ...] | None  # in the units of the targets; None for classes
    chosen: bool


def choose_activation(
    names: Sequence[str], train_one: Callable[[str], FloatMLP], x: NDArray[Any], y: NDArray[Any]
) -> tuple[FloatMLP, tuple[ActivationTrial, ...]]:
    """Train one network for each of `names`; return the best and what each was worth. The first of equals is taken.

    The best has the most right rows, or the least sum of squared errors, each target over its own spread.
    """
    models = [train_one(name) for name in names]
    outputs = [in_float64(model).logits(x) for model in models]
    if y.dtype.kind == "f":
        errors = [np.sqrt(np.mean((out - y.reshape(out.shape)) ** 2, axis=0)) for out in outputs]
        spread = y.reshape(outputs[0].shape).std(axis=0)
        losses = [float(np.sum((error / np.where(spread > 0, spread, 1.0)) ** 2)) for error in errors]
        figures: list[tuple[float | None, tuple[float, ...] | None]] = [(None, tuple(e.tolist())) for e in errors]
    else:
        shares = [float(np.mean(out.argmax(axis=1) == y)) for out in outputs]
        losses = [-share for share in shares]
        figures = [(share, None) for share in shares]
    best = int(np.argmin(losses))
    trials = (ActivationTrial(name, *figures[i], i == best) for i, name in enumerate(names))
    return models[best], tuple(trials)


def choice_note(tried: Sequence[ActivationTrial]) -> str:
    """Say which activation was taken, from how many, and what that does to the figures.

    >>> choice_note([ActivationTrial("relu", 0.9, None, False), ActivationTrial("tanh", 0.95, None, True)])
    'The hidden activation tanh did best of 2 on the validation rows, which therefore flatter it; the test rows do not.'
    """
    (name,) = (trial.activation for trial in tried if trial.chosen)
    return (
        f"The hidden activation {name} did best of {len(tried)} on the validation rows, which therefore flatter it; "
        "the test rows do not."
    )
