"""Training, 9 of 10: distillation, targets that are part label, part what a teacher says.

Legend: R rows, K inputs, C classes or outputs; x (R, K) raw training rows; y (R,) class indices int or (R, C) real
targets; l (R, C) the teacher's outputs, logits or real; T temperature, a share of the teacher. Label F13 is derived in
docs/finetuning.md.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from numbers import Real as RealNumber
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.nn.losses import softmax
from npquant.nn.model import FloatMLP
from npquant.nn.training_rows import TrainingRows

# A network, which is asked; or its answers, real numbers (R, C).
Teacher = FloatMLP | ArrayLike


def checked_teacher(teacher: Teacher, x: NDArray[Any], outputs: int) -> Float64:
    """Return the l of a `teacher` for each row of x, or say why it cannot teach a network of C = `outputs`.

    TypeError if it is neither a network nor real numbers; ValueError if it takes other inputs or gives other outputs,
    or a number is not finite.

    >>> checked_teacher([[1, 2], [3, 4]], np.zeros((2, 5)), 2)
    array([[1., 2.],
           [3., 4.]])
    """
    if isinstance(teacher, FloatMLP):
        shape = (teacher.n_inputs, teacher.neurons[-1])
        if shape != (x.shape[1], outputs):
            raise ValueError(
                f"the teacher takes {shape[0]} inputs and gives {shape[1]} outputs; "
                f"the model takes {x.shape[1]} and gives {outputs}"
            )
        said = np.asarray(teacher.logits(x), np.float64)
    else:
        given = np.asarray(teacher)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"the teacher has dtype {given.dtype}; give a FloatMLP, or its outputs as real numbers")
        if given.shape != (len(x), outputs):
            raise ValueError(f"the teacher's outputs have shape {given.shape}; they must be {(len(x), outputs)}")
        with np.errstate(invalid="ignore"):  # of a signalling NaN, which is refused below
            said = given.astype(np.float64)
    if not np.isfinite(said).all():
        raise ValueError("the teacher's outputs contain NaN or infinity: check its weights and the rows")
    return said


def mixed_targets(y: NDArray[Any], teacher: Float64, temperature: float, share: float) -> Float64:
    """F13. t = a softmax(l / T) + (1 - a) onehot(y), rows that sum to 1; of real targets, t = a l + (1 - a) y.

    l is `teacher`, T = `temperature` > 0 is for classes alone, a = `share` in [0, 1]; TypeError or ValueError if a
    setting is out of its interval. Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural
    network", section 2; here the temperature is the teacher's alone, so that both terms are one cross-entropy of the
    student's own softmax.

    >>> mixed_targets(np.array([1]), np.array([[0.0, 0.0]]), 2.0, 0.5)
    array([[0.25, 0.75]])
    """
    for name, value in (("temperature", temperature), ("teacher_share", share)):
        if isinstance(value, bool) or not isinstance(value, RealNumber):
            raise TypeError(f"{name} is {value!r}; it must be a number")
    if not 0 < temperature < inf:
        raise ValueError(f"temperature is {temperature}; it must be positive and finite")
    if not 0 <= share <= 1:
        raise ValueError(f"teacher_share is {share}; it must be in [0, 1]")
    if y.ndim == 2:
        return np.asarray(share * teacher + (1 - share) * y)
    targets = share * softmax(teacher / temperature)
    targets[np.arange(len(y)), y] += 1 - share
    return np.asarray(targets)


def distilled_rows(rows: TrainingRows, teacher: Teacher | None, temperature: float, share: float) -> TrainingRows:
    """F13. Return the `rows` with the teacher's part in their targets; as they are where there is no teacher.

    The validation rows keep their labels. Errors as `checked_teacher` and `mixed_targets`.
    """
    if teacher is None:
        return rows
    said = checked_teacher(teacher, rows.x, rows.outputs)
    return replace(rows, y=mixed_targets(rows.y, said, temperature, share))
