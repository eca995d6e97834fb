"""All exercises, chapter by chapter.

Legend: name of an exercise; answer the reader's function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from npquant.testing.exercises import (
    accumulators,
    affine_map,
    backward_pass,
    deploy,
    oracle,
    packed_codes,
    profiles,
    pruning,
    recipe,
    rectified,
    requantization,
    rounding,
    uniform_scale,
)
from npquant.testing.exercises.mark import Exercise, Mark, mark

# In the order of the book.
EXERCISES: Final[tuple[Exercise, ...]] = (
    *affine_map.EXERCISES,
    *rounding.EXERCISES,
    *requantization.EXERCISES,
    *accumulators.EXERCISES,
    *backward_pass.EXERCISES,
    *uniform_scale.EXERCISES,
    *rectified.EXERCISES,
    *pruning.EXERCISES,
    *packed_codes.EXERCISES,
    *profiles.EXERCISES,
    *oracle.EXERCISES,
    *deploy.EXERCISES,
    *recipe.EXERCISES,
)


def exercise_names() -> tuple[str, ...]:
    """Return the names of all exercises, in the order of the book."""
    return tuple(exercise.name for exercise in EXERCISES)


def check(name: str, answer: Callable[..., Any]) -> Mark:
    """Hold an answer against the law of an exercise.

    ValueError if there is no such exercise.

    >>> check("quantize", lambda x, scale, zero_point: round(x / scale) + zero_point).right  # no saturation
    False
    """
    for exercise in EXERCISES:
        if exercise.name == name:
            return mark(exercise, answer)
    raise ValueError(f"no exercise is named {name!r}; there are {', '.join(exercise_names())}")
