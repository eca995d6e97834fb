"""Training: from raw rows to a network that takes raw rows, from scratch or from a given network.

Legend: R rows, K features, C outputs; x (R, K) raw real inputs, y (R,) class indices or (R, C) real targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npquant.nn.activations import ACTIVATIONS
from npquant.nn.descent import descend
from npquant.nn.layers import Parameters, Real
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.recipe import Epoch as Epoch
from npquant.nn.recipe import Recipe, check_whole
from npquant.nn.training_data import (
    Scaling,
    checked_inputs,
    checked_targets,
    choose_input_scaling,
    choose_target_scaling,
)

Validation = tuple[ArrayLike, ArrayLike]
Progress = Callable[[Epoch], None]


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
    recipe = Recipe(epochs, loss, optimizer, rate, batch_size, momentum, weight_decay, patience)
    generator = np.random.default_rng(rng)
    number = np.dtype(dtype)
    if number not in (np.float32, np.float64):
        raise TypeError(f"dtype is {number}; it must be float32 or float64")
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
    widths = _checked_widths(hidden)
    rows = _checked_rows(x, y, validation, recipe, None)
    scaling = _choose_scaling(rows, number)
    live = (rows.x != scaling.inputs.o).any(axis=0)
    start = _initial_parameters([len(live), *widths, rows.outputs], live, number, generator)
    activations = (*[activation] * len(widths), "identity")
    return _trained(start, activations, rows, scaling, recipe, progress, generator)


def fine_tune(
    model: FloatMLP,
    x: ArrayLike,
    y: ArrayLike,
    epochs: int = 5,
    *,
    validation: Validation | None = None,
    loss: str = "softmax_cross_entropy",
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    patience: int | None = None,
    progress: Progress | None = None,
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Train an existing network further, at its own shapes, activations and dtype: after pruning, or on new rows.

    Parameters
    ----------
    model : FloatMLP
        Where to start; not changed.
    x, y, epochs, validation, loss, optimizer, learning_rate, batch_size, momentum, weight_decay, patience
        As for `train`. Classes of the network may be without a row.
    progress, rng
        As for `train`.

    Returns
    -------
    FloatMLP
        A new network of the same shapes.

    Raises
    ------
    TypeError, ValueError
        As `train`; also if x or y does not fit the network.

    Notes
    -----
    Descends in scaled units, as `train` does: the scaling of x is taken out of the first layer and folded in again at
    the end (F8), so a rate means the same for both.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> net = train(x, [0, 0, 1, 1], hidden=(8,), epochs=200, rng=0)
    >>> fine_tune(net, x, [0, 0, 1, 1], rng=0).neurons == net.neurons
    True
    """
    recipe = Recipe(epochs, loss, optimizer, learning_rate, batch_size, momentum, weight_decay, patience)
    generator = np.random.default_rng(rng)
    rows = _checked_rows(x, y, validation, recipe, (model.n_inputs, model.neurons[-1]))
    scaling = _choose_scaling(rows, model.dtype)
    return _trained(
        scaling.unfold(model.parameters), model.activation_names, rows, scaling, recipe, progress, generator
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Hold checked raw rows, and the validation rows beside them."""

    x: NDArray[Any]
    y: NDArray[Any]
    held_out: tuple[NDArray[Any], NDArray[Any]] | None
    outputs: int


@dataclass(frozen=True, slots=True, eq=False)
class _NetworkScaling:
    """Hold the scaling of the inputs, and of the outputs: o = 0 and d = 1 for classes."""

    inputs: Scaling
    outputs: Scaling

    def fold(self, parameters: Parameters) -> Parameters:
        """Return the parameters that take and give raw values, in the dtype of the given ones."""
        return self._ends(parameters, self.inputs.fold_into_first, self.outputs.fold_into_last)

    def unfold(self, parameters: Parameters) -> Parameters:
        """Return the parameters that take and give scaled values."""
        return self._ends(parameters, self.inputs.unfold_from_first, self.outputs.unfold_from_last)

    def _ends(self, parameters: Parameters, first: Callable[..., Any], last: Callable[..., Any]) -> Parameters:
        # In float64 up to the one rounding at the end, also where the first layer is the last one.
        wide = [(w.astype(np.float64), b.astype(np.float64)) for w, b in parameters]
        wide[0] = first(*wide[0])
        wide[-1] = last(*wide[-1])
        dtype = parameters[0][0].dtype
        return tuple((w.astype(dtype), b.astype(dtype)) for w, b in wide)


def _choose_scaling(rows: _Rows, dtype: np.dtype[Any]) -> _NetworkScaling:
    if rows.y.ndim == 2:
        return _NetworkScaling(choose_input_scaling(rows.x, dtype), choose_target_scaling(rows.y, dtype))
    return _NetworkScaling(choose_input_scaling(rows.x, dtype), Scaling(np.zeros(rows.outputs), np.ones(rows.outputs)))


def _checked_rows(
    x: ArrayLike, y: ArrayLike, validation: Validation | None, recipe: Recipe, shape: tuple[int, int] | None
) -> _Rows:
    """Check the data sets; shape is (K, C) where a network is given."""
    width, outputs = shape or (None, None)
    inputs = checked_inputs(x, "x", width)
    targets = checked_targets(y, len(inputs), recipe.loss, "y", outputs)
    if outputs is None:
        outputs = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    if validation is None:
        if recipe.patience is not None:
            raise ValueError("patience needs a validation set: give validation=(x, y)")
        return _Rows(inputs, targets, None, outputs)
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError("validation must be a pair (x, y)")
    held_x = checked_inputs(validation[0], "validation x", inputs.shape[1])
    held_y = checked_targets(validation[1], len(held_x), recipe.loss, "validation y", outputs)
    return _Rows(inputs, targets, (held_x, held_y), outputs)


def _default_rate(x: ArrayLike, optimizer: str) -> float:
    """Return the rate of F11; of inputs that are no matrix anything, since they are refused next."""
    shape = np.shape(x)
    width = max(64, shape[1]) if len(shape) == 2 else 64
    return float((0.1 if optimizer == "sgd" else 5e-3) * np.sqrt(64 / width))


def _checked_widths(hidden: Sequence[int]) -> list[int]:
    if isinstance(hidden, str) or not hasattr(hidden, "__len__"):
        raise TypeError(f"hidden is {hidden!r}; give a sequence of layer widths such as (64, 32)")
    return [check_whole(n, "a width in hidden") for n in hidden]


def _initial_parameters(
    widths: list[int], live: NDArray[np.bool_], dtype: np.dtype[Any], rng: np.random.Generator
) -> Parameters:
    """Draw the start: variance 2 / K', zeros for inputs that are never anything but 0."""
    parameters: list[tuple[Real, Real]] = []
    for i, (depth, width) in enumerate(pairwise(widths)):
        sources = max(1, int(np.count_nonzero(live))) if i == 0 else depth
        w = rng.normal(0, np.sqrt(2 / sources), (depth, width))
        if i == 0:
            w[~live] = 0
        parameters.append((w.astype(dtype), np.zeros(width, dtype)))
    return parameters


def _trained(
    start: Parameters,
    activations: Sequence[str],
    rows: _Rows,
    scaling: _NetworkScaling,
    recipe: Recipe,
    progress: Progress | None,
    rng: np.random.Generator,
) -> FloatMLP:
    """Scale the rows, descend, and fold the scaling into the result."""
    dtype = start[0][0].dtype

    def scaled(x: NDArray[Any], y: NDArray[Any]) -> tuple[Real, NDArray[Any]]:
        return scaling.inputs.apply(x, dtype), scaling.outputs.apply(y, dtype) if y.ndim == 2 else y

    held_out = None if rows.held_out is None else scaled(*rows.held_out)
    best = descend(start, activations, scaled(rows.x, rows.y), held_out, recipe, progress, rng)
    layers = zip(scaling.fold(best), activations, strict=True)
    return FloatMLP(tuple(DenseLayer(w, b, name) for (w, b), name in layers))
