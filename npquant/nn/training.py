"""Training, 8 of 10: from scratch, from raw rows to a network that takes raw rows.

Legend: R rows, K features, C outputs; x (R, K) raw real inputs, y (R,) class indices or (R, C) real targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from npquant.arrays import Mask, Real
from npquant.nn.activations import check_activation
from npquant.nn.descent import fit
from npquant.nn.layers import Parameters
from npquant.nn.model import FloatMLP
from npquant.nn.scaling import choose_network_scaling
from npquant.nn.settings import Progress, TrainingSettings, check_whole
from npquant.nn.training_rows import Validation, check_training_rows


def train(
    x: ArrayLike,
    y: ArrayLike,
    hidden: Sequence[int] = (64, 32),
    activation: str = "clipped_relu",
    epochs: int = 30,
    *,
    validation: Validation | None = None,
    loss: str = "softmax_cross_entropy",
    optimizer: str = "adam",
    learning_rate: float | None = None,
    batch_size: int = 64,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    patience: int | None = None,
    dtype: DTypeLike = np.float32,
    progress: Progress | None = None,
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Train a network from scratch.

    Parameters
    ----------
    x : array of real numbers, shape (R, K)
        Raw inputs. They are scaled inside, and the scaling is folded into the first layer (F8).
    y : array of int, shape (R,), or of real numbers, shape (R, C)
        Class indices 0..C-1, each present; real targets for "squared_error".
    hidden : sequence of int
        Neurons of the hidden layers; empty for a linear model.
    activation : str
        Of the hidden layers. The default is bounded to [0, 1], as rectified quantization wants it.
    epochs : int
        Passes over the rows, >= 1.
    validation : tuple (x, y), optional
        Rows to choose the best epoch by: its parameters are returned, not the last ones.
    loss : {"softmax_cross_entropy", "squared_error"}
        Loss.
    optimizer : {"adam", "sgd"}
        Optimizer; its rate falls from learning_rate to 0 along a half cosine (F9).
    learning_rate : float, optional
        Positive; without one, F11.
    batch_size : int
        Rows of a mini-batch; the last one of an epoch may be smaller.
    momentum : float
        In [0, 1); for "sgd" alone.
    weight_decay : float
        Share of the weights (in scaled units; not biases) that a step takes off, per unit of the rate.
    patience : int, optional
        Stop after so many epochs without a better one; needs a validation set.
    dtype : float32 or float64
        Of the parameters and the arithmetic.
    progress : callable, optional
        Called with an `Epoch` after each; an exception of its own ends the training.
    rng : int, Generator or None
        Source of the initial weights and the order of the rows.

    Returns
    -------
    FloatMLP
        Takes raw x, gives logits (or raw targets).

    Raises
    ------
    TypeError, ValueError
        For data or settings that cannot be trained on, and if training diverges; names the thing and the fix.

    Notes
    -----
    F11: the rate that is not given is 0.005 min(1, sqrt(64 / K)) for "adam", and 0.1 min(1, sqrt(64 / K)) for "sgd": a
    step of Adam moves each weight by about the rate, so z by up to the rate times the sum of K inputs.
    Weights start normal with variance 2 / K', K' the inputs that vary in the rows (or are not 0, for whole numbers),
    and biases at 0 (He et al. 2015, "Delving deep into rectifiers", equation 10). The other inputs get no gradient:
    their weights start and stay at 0. The same seed gives the same bytes on one machine with one library and one
    number of BLAS threads.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> train(x, [0, 0, 1, 1], hidden=(8,), epochs=200, rng=0).predict(x)
    array([0, 0, 1, 1])
    """
    rate = _default_rate(x, optimizer) if learning_rate is None else learning_rate
    settings = TrainingSettings(epochs, loss, optimizer, rate, batch_size, momentum, weight_decay, patience)
    generator = np.random.default_rng(rng)
    number = np.dtype(dtype)
    if number not in (np.float32, np.float64):
        raise TypeError(f"dtype is {number}; it must be float32 or float64")
    check_activation(activation)
    widths = _checked_widths(hidden)
    rows = check_training_rows(x, y, validation, settings, None)
    scaling = choose_network_scaling(rows, number, "identity")
    varying = (rows.x != scaling.inputs.o).any(axis=0)
    start = _initial_parameters([len(varying), *widths, rows.outputs], varying, number, generator)
    activations = (*[activation] * len(widths), "identity")
    return fit(start, activations, rows, scaling, settings, progress, generator)


def _default_rate(x: ArrayLike, optimizer: str) -> float:
    """Return the rate of F11; of inputs that are no matrix anything, since they are refused next."""
    shape = np.shape(x)
    width = max(64, shape[1]) if len(shape) == 2 else 64
    return float((0.1 if optimizer == "sgd" else 5e-3) * np.sqrt(64 / width))


def _checked_widths(hidden: Sequence[int]) -> list[int]:
    """Return the widths as a list, or say what they must be."""
    if isinstance(hidden, str) or not hasattr(hidden, "__len__"):
        raise TypeError(f"hidden is {hidden!r}; give a sequence of layer widths such as (64, 32)")
    return [check_whole(n, "a width in hidden") for n in hidden]


def _initial_parameters(widths: list[int], varying: Mask, dtype: np.dtype[Any], rng: np.random.Generator) -> Parameters:
    """Draw the start: variance 2 / K', zeros for inputs that are never anything but 0."""
    parameters: list[tuple[Real, Real]] = []
    for i, (depth, width) in enumerate(pairwise(widths)):
        sources = max(1, int(np.count_nonzero(varying))) if i == 0 else depth
        w = rng.normal(0, np.sqrt(2 / sources), (depth, width))
        if i == 0:
            w[~varying] = 0
        parameters.append((w.astype(dtype), np.zeros(width, dtype)))
    return parameters
