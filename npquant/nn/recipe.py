"""How to descend, checked once, and what is told of each epoch.

Legend: none; every field is a setting by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from numbers import Real as RealNumber
from typing import Any, Final

import numpy as np

OPTIMIZERS: Final = ("adam", "sgd")


@dataclass(frozen=True, slots=True)
class Epoch:
    """Report one epoch to a progress callback.

    Parameters
    ----------
    number, of : int
        1-based number, and how many were asked for.
    loss : float
        Mean over the epoch's rows, each at the parameters of its own step.
    validation_loss : float or None
        Loss on the validation set after the epoch, where there is one.
    validation_accuracy : float or None
        Share of right classes there; None for real targets.

    Examples
    --------
    >>> Epoch(1, 30, 0.5, None, None).of
    30
    """

    number: int
    of: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass(frozen=True, slots=True)
class Recipe:
    """Say how to descend; the fields are the arguments of `npquant.nn.training.train` of the same names.

    Raises
    ------
    TypeError, ValueError
        If a setting cannot be used; names it.

    Examples
    --------
    >>> Recipe(30, "softmax_cross_entropy", "adam", 0.005, 64, 0.9, 0.0, None).batch_size
    64
    """

    epochs: int
    loss: str
    optimizer: str
    learning_rate: float
    batch_size: int
    momentum: float
    weight_decay: float
    patience: int | None

    def __post_init__(self) -> None:
        check_whole(self.epochs, "epochs")
        check_whole(self.batch_size, "batch_size")
        if self.patience is not None:
            check_whole(self.patience, "patience")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {self.optimizer!r}; known: {', '.join(OPTIMIZERS)}")
        for name in ("learning_rate", "momentum", "weight_decay"):
            if not isinstance(getattr(self, name), RealNumber):
                raise TypeError(f"{name} is {getattr(self, name)!r}; it must be a number")
        if not 0 < self.learning_rate < inf:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be positive and finite")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}; it must be in [0, 1)")
        if not 0 <= self.weight_decay * self.learning_rate < 1:
            raise ValueError(f"weight_decay is {self.weight_decay}; it must be in [0, 1 / learning_rate)")


def check_whole(value: Any, name: str) -> int:
    """Check that a setting is a whole number of at least 1.

    Parameters
    ----------
    value : int or NumPy integer
        The setting; True and False are no numbers here.
    name : str
        What it is called, for messages.

    Returns
    -------
    int
        The same number, >= 1.

    Raises
    ------
    TypeError
        If `value` is of another type, 3.0 included.
    ValueError
        If it is less than 1.

    Examples
    --------
    >>> check_whole(np.int64(3), "epochs")
    3
    >>> check_whole(0, "epochs")
    Traceback (most recent call last):
    ValueError: epochs is 0; it must be at least 1
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; it must be a whole number")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
    return int(value)
