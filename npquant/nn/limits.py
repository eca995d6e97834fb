"""What holds a descent back: masks that keep weights at 0, a quantizer in the forward pass, a schedule of masks.

Legend: K inputs and N outputs of a layer, B rows; w (K, N), b (N,), a (B, N). Labels F14 and F15 are derived in
docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Indices, Mask, Real
from npquant.nn.layers import Parameters


class Forward(Protocol):
    """Stand between the parameters that are trained and those that are used, as a quantizer does (F14)."""

    def weights(self, parameters: Parameters) -> Parameters:
        """Return the parameters of the forward pass, of the same shapes; zeros stay 0. May move its own scales."""
        ...

    def output(self, index: int, a: Real) -> Real:
        """Return what layer index + 1 reads, from the outputs a (B, N) of hidden layer index."""
        ...


class Quantizer(Protocol):
    """Say how a network will be quantized; `npquant.StraightThrough` is one."""

    def check(self, layers: int) -> None:
        """Raise ValueError where the settings do not fit a network of so many layers."""
        ...

    def input_steps(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return the step (K,) of each input's codes, from raw training rows (R, K)."""
        ...

    def start(self, parameters: Parameters, activations: Sequence[str], unit: NDArray[np.float64]) -> Forward:
        """Return the forward pass; weights of layer 0 times unit (K,) are weights for input codes."""
        ...


class Renewal(Protocol):
    """Choose new masks while training goes on."""

    def __call__(
        self,
        step: int,
        steps: int,
        parameters: Parameters,
        masks: Sequence[Mask],
        second_moments: Callable[[], Sequence[Real]],
    ) -> Sequence[Mask] | None:
        """Return masks within the given ones, or None to keep them; step counts from 1.

        The arrays are the live part of the network. `second_moments()` gives Adam's v of each weight.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Say what holds the parameters of a descent back.

    Parameters
    ----------
    masks : sequence of ndarray of bool, shapes (K, N), optional
        Weights outside are 0 and stay 0; biases are free.
    start_forward : callable, optional
        (parameters, inputs) -> Forward, for the parameters that the descent starts from and the inputs that they have.
        The gradient passes it unchanged.
    renew : Renewal, optional
        Called after each step. Needs masks and "adam"; the last epoch is returned, since the network shrinks.

    Examples
    --------
    >>> Limits().masks is None
    True
    """

    masks: Sequence[Mask] | None = None
    start_forward: Callable[[Parameters, Indices], Forward] | None = None
    renew: Renewal | None = None
