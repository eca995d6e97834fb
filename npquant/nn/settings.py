"""Training, 1 of 10: the settings, checked once; the constraints on the weights; what is told of each epoch.

Legend: K inputs and N outputs of a layer, B rows; w (K, N), b (N,), a (B, N) outputs of a layer; parameters (w, b) by
layer; masks bool arrays (K, N) by layer. Labels F14 and F15 are derived in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from numbers import Real as RealNumber
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64, Indices, Mask, Real
from npquant.nn.layers import Parameters

OPTIMIZERS: Final = ("adam", "sgd")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Hold the hyperparameters: the arguments of `npquant.nn.training.train` of the same names.

    TypeError or ValueError if a setting cannot be used; it is named.

    >>> TrainingSettings(30, "softmax_cross_entropy", "adam", 0.005, 64, 0.9, 1.5, None).weight_decay
    1.5
    """

    epochs: int  # >= 1
    loss: str
    optimizer: str
    learning_rate: float  # positive and finite
    batch_size: int  # >= 1
    momentum: float  # in [0, 1)
    weight_decay: float  # in [0, 1 / learning_rate)
    patience: int | None  # epochs, >= 1

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
    """Return an int or NumPy integer `value` >= 1; `name` says in messages what it is.

    TypeError if it is of another type (True and 3.0 are no whole numbers here), ValueError if it is less than 1.

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


class Quantizer(Protocol):
    """Say how a network will be quantized; `npquant.StraightThrough` is one."""

    def check(self, layers: int) -> None:
        """Raise ValueError where the settings do not fit a network of so many layers."""
        ...

    def input_steps(self, x: NDArray[Any], w: Real) -> Float64:
        """Return the step (K,) of each input's codes, from raw training rows (R, K)."""
        ...

    def start(self, parameters: Parameters, activations: Sequence[str], unit: Float64) -> QuantizedForward:
        """Return the forward pass; weights of layer 0 times unit (K,) are weights for input codes."""
        ...


class QuantizedForward(Protocol):
    """Stand between the parameters that are trained and those that the forward pass uses (F14)."""

    def weights(self, parameters: Parameters) -> Parameters:
        """Return the parameters of the forward pass, of the same shapes; zeros stay 0. May move its own scales."""
        ...

    def output(self, index: int, a: Real) -> Real:
        """Return what layer index + 1 reads, from the outputs a (B, N) of hidden layer index."""
        ...


class MaskSchedule(Protocol):
    """Choose new masks while training goes on, as gradual pruning does."""

    def __call__(
        self,
        step: int,
        steps: int,
        parameters: Parameters,
        masks: Sequence[Mask],
        second_moments: Callable[[], Sequence[Real]],
    ) -> Sequence[Mask] | None:
        """Return masks within the given ones, or None to keep them; step counts from 1.

        The arrays are those of the active subnetwork. `second_moments()` gives Adam's v of each weight.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """Say what the weights must keep to while they are trained; nothing, where all are None."""

    # Weights outside are 0 and stay 0 (F15); biases are trainable.
    masks: Sequence[Mask] | None = None
    # From the parameters that training starts with, and the inputs that they have. The gradient passes it unchanged.
    start_forward: Callable[[Parameters, Indices], QuantizedForward] | None = None
    # Called after each step. Needs masks and "adam"; the last epoch is returned, since the network shrinks.
    mask_schedule: MaskSchedule | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """Report one epoch to a progress callback."""

    number: int  # from 1
    of: int  # epochs that were asked for
    loss: float  # mean over the epoch's rows, each at the parameters of its own step
    validation_loss: float | None  # after the epoch, where there is a validation set
    validation_accuracy: float | None  # share of right classes there; None for real targets


Progress = Callable[[Epoch], None]
