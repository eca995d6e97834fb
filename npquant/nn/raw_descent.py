"""Descent on raw rows: they are checked and scaled, and the scaling is folded into the network that comes out.

Legend: R rows, K features, C outputs; x (R, K) raw real inputs, y (R,) class indices or (R, C) real targets; o offset,
d divisor of a scaling. Label F8 is derived in docs/nn.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Real
from npquant.nn.descent import descend
from npquant.nn.layers import Parameters
from npquant.nn.limits import Limits
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.recipe import Epoch, Recipe
from npquant.nn.training_data import (
    Scaling,
    checked_inputs,
    checked_targets,
    choose_input_scaling,
    choose_target_scaling,
)

Validation = tuple[ArrayLike, ArrayLike]
Progress = Callable[[Epoch], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """Hold checked raw rows, and the validation rows beside them.

    Parameters
    ----------
    x : ndarray of real numbers, shape (R, K)
        Inputs.
    y : ndarray of int64, shape (R,), or of float, shape (R, C)
        Classes, target probabilities, or real targets.
    held_out : tuple (x, y) or None
        Validation rows.
    outputs : int
        C.

    Examples
    --------
    Made by `check_training_rows`.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    held_out: tuple[NDArray[Any], NDArray[Any]] | None
    outputs: int


@dataclass(frozen=True, slots=True, eq=False)
class NetworkScaling:
    """Hold the scaling of the inputs, and of the outputs: o = 0 and d = 1 for classes.

    Parameters
    ----------
    inputs, outputs : Scaling
        F8, at both ends of the network.

    Examples
    --------
    Made by `choose_network_scaling`.
    """

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


def choose_network_scaling(rows: TrainingRows, dtype: np.dtype[Any]) -> NetworkScaling:
    """Choose how both ends of a network are scaled while it descends.

    Parameters
    ----------
    rows : TrainingRows
        Raw rows; classes need no scaling.
    dtype : float32 or float64
        Of the network.

    Returns
    -------
    NetworkScaling
        `choose_input_scaling`, and `choose_target_scaling` for real targets.

    Examples
    --------
    >>> rows = TrainingRows(np.array([[0, 16]]), np.array([1]), None, 2)
    >>> choose_network_scaling(rows, np.dtype("float32")).inputs.d
    array([16., 16.])
    """
    if rows.y.ndim == 2:
        return NetworkScaling(choose_input_scaling(rows.x, dtype), choose_target_scaling(rows.y, dtype))
    return NetworkScaling(choose_input_scaling(rows.x, dtype), Scaling(np.zeros(rows.outputs), np.ones(rows.outputs)))


def check_training_rows(
    x: ArrayLike, y: ArrayLike, validation: Validation | None, recipe: Recipe, shape: tuple[int, int] | None
) -> TrainingRows:
    """Check training and validation rows.

    Parameters
    ----------
    x, y : arrays
        As in `npquant.nn.training.train`.
    validation : tuple (x, y) or None
        Validation rows.
    recipe : Recipe
        Its loss says what y is; its patience needs validation rows.
    shape : (K, C) or None
        Of the network, where one is given.

    Returns
    -------
    TrainingRows
        Arrays, not copied where they can be used as they are.

    Raises
    ------
    TypeError, ValueError
        If a set cannot be trained on, or does not fit the network; names it.

    Examples
    --------
    >>> recipe = Recipe(1, "softmax_cross_entropy", "adam", 0.1, 1, 0.9, 0.0, None)
    >>> check_training_rows([[1.0], [2.0]], [0, 1], None, recipe, None).outputs
    2
    """
    width, outputs = shape or (None, None)
    inputs = checked_inputs(x, "x", width)
    targets = checked_targets(y, len(inputs), recipe.loss, "y", outputs)
    if outputs is None:
        outputs = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    if validation is None:
        if recipe.patience is not None:
            raise ValueError("patience needs a validation set: give validation=(x, y)")
        return TrainingRows(inputs, targets, None, outputs)
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError("validation must be a pair (x, y)")
    held_x = checked_inputs(validation[0], "validation x", inputs.shape[1])
    held_y = checked_targets(validation[1], len(held_x), recipe.loss, "validation y", outputs)
    return TrainingRows(inputs, targets, (held_x, held_y), outputs)


def descend_on_raw_rows(
    start: Parameters,
    activations: Sequence[str],
    rows: TrainingRows,
    scaling: NetworkScaling,
    recipe: Recipe,
    progress: Progress | None,
    rng: np.random.Generator,
    limits: Limits | None = None,
) -> FloatMLP:
    """Scale the rows, descend, and fold the scaling into the result.

    Parameters
    ----------
    start : sequence of (w, b)
        Parameters for scaled rows; copied.
    activations : sequence of str
        By layer.
    rows : TrainingRows
        Raw rows.
    scaling : NetworkScaling
        F8.
    recipe, progress, rng, limits
        As in `npquant.nn.descent.descend`.

    Returns
    -------
    FloatMLP
        Takes raw rows, gives raw outputs.

    Raises
    ------
    ValueError
        If the descent diverges.

    Examples
    --------
    A rate of almost nothing gives the network back that takes raw rows: the weight 16 for x / 16 is 1 for x.

    >>> recipe = Recipe(1, "softmax_cross_entropy", "sgd", 1e-300, 1, 0.0, 0.0, None)
    >>> rows = check_training_rows([[16]], [0], None, recipe, (1, 1))
    >>> start, scaling = [(np.array([[16.0]]), np.zeros(1))], choose_network_scaling(rows, np.dtype("float64"))
    >>> descend_on_raw_rows(start, ("identity",), rows, scaling, recipe, None, np.random.default_rng(0)).layers[0].w
    array([[1.]])
    """
    dtype = start[0][0].dtype

    def scaled(x: NDArray[Any], y: NDArray[Any]) -> tuple[Real, NDArray[Any]]:
        return scaling.inputs.apply(x, dtype), scaling.outputs.apply(y, dtype) if y.ndim == 2 else y

    held_out = None if rows.held_out is None else scaled(*rows.held_out)
    best = descend(start, activations, scaled(rows.x, rows.y), held_out, recipe, progress, rng, limits)
    layers = zip(scaling.fold(best), activations, strict=True)
    return FloatMLP(tuple(DenseLayer(w, b, name) for (w, b), name in layers))
