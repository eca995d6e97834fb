"""Training: mini-batches, early stopping on a validation set, input scaling that ends up inside the first layer.

Legend: R rows, K features, C classes; x (R, K) raw real inputs, y (R,) class indices or (R, C) real targets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npquant.nn.activations import ACTIVATIONS
from npquant.nn.layers import Parameters, network_backward, network_forward
from npquant.nn.losses import (
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    squared_error_backward,
    squared_error_forward,
)
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.optimizers import AdamState, MomentumState, adam_step, sgd_momentum_step
from npquant.nn.training_data import InputScaling, checked_inputs, checked_targets, choose_input_scaling

Real = NDArray[np.floating[Any]]
Validation = tuple[ArrayLike, ArrayLike]
LOSSES: dict[str, tuple[Callable[..., Any], Callable[..., Real]]] = {
    "softmax_cross_entropy": (softmax_cross_entropy_forward, softmax_cross_entropy_backward),
    "squared_error": (squared_error_forward, squared_error_backward),
}


@dataclass(frozen=True, slots=True)
class Epoch:
    """Report one epoch to a progress callback.

    Parameters
    ----------
    number, of : int
        1-based number, and how many were asked for.
    loss : float
        Mean training loss.
    validation_loss : float or None
        Loss on the validation set, where there is one.

    Examples
    --------
    >>> Epoch(1, 30, 0.5, None).of
    30
    """

    number: int
    of: int
    loss: float
    validation_loss: float | None


def train(
    x: ArrayLike,
    y: ArrayLike,
    hidden: Sequence[int] = (64, 32),
    activation: str = "clipped_relu",
    epochs: int = 60,
    *,
    validation: Validation | None = None,
    loss: str = "softmax_cross_entropy",
    optimizer: str = "adam",
    learning_rate: float = 3e-3,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    batch_size: int = 64,
    patience: int | None = None,
    dtype: DTypeLike = np.float32,
    progress: Callable[[Epoch], None] | None = None,
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Train a network from scratch.

    Parameters
    ----------
    x : array of real numbers, shape (R, K)
        Raw inputs; scaled inside, and the scaling folded into the first layer.
    y : array of int, shape (R,), or of float, shape (R, C)
        Class indices 0..C-1, each present; real targets for "squared_error".
    hidden : sequence of int
        Neurons of the hidden layers; empty for a linear model.
    activation : str
        Of the hidden layers. The default is bounded to [0, 1], as rectified quantization wants it.
    epochs : int
        Passes over the rows, >= 1.
    validation : tuple (x, y), optional
        Rows for early stopping: the parameters of the best epoch are returned.
    loss : {"softmax_cross_entropy", "squared_error"}
        Loss.
    optimizer : {"adam", "sgd"}
        Optimizer; the rate falls to 0 along a half cosine.
    learning_rate, momentum, weight_decay : float
        Momentum is for "sgd"; weight decay is decoupled, a share of the weights (not biases) per step times the rate.
    batch_size : int
        Rows of a mini-batch.
    patience : int, optional
        Epochs without a better validation loss before stopping; needs a validation set.
    dtype : float32 or float64
        Of the parameters and the arithmetic.
    progress : callable, optional
        Called with an `Epoch` after each.
    rng : int, Generator or None
        Source of initial weights and order of rows.

    Returns
    -------
    FloatMLP
        Takes raw x.

    Raises
    ------
    TypeError, ValueError
        For data or settings that cannot be trained on; the message names the thing and the fix.
    FloatingPointError
        If the loss becomes NaN or infinite.

    Notes
    -----
    Weights start normal with variance 2 / K, biases at 0 (He et al. 2015, equation 10). The same rng seed, machine and
    library versions give the same bytes.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> train(x, [0, 0, 1, 1], hidden=(8,), epochs=200, rng=0).predict(x)
    array([0, 0, 1, 1])
    """
    generator = np.random.default_rng(rng)
    inputs = checked_inputs(x, "x")
    targets, outputs = checked_targets(y, inputs.shape[0], loss, LOSSES)
    widths = [inputs.shape[1], *(_positive(n, "hidden") for n in hidden), outputs]
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype is {np.dtype(dtype)}; it must be float32 or float64")
    scaling = choose_input_scaling(inputs)
    start = [
        (generator.normal(0, np.sqrt(2 / k), (k, n)).astype(dtype), np.zeros(n, dtype))
        for k, n in itertools.pairwise(widths)
    ]
    names = [activation] * (len(widths) - 2) + ["identity"]
    checked = None if validation is None else _checked_validation(validation, inputs.shape[1], outputs, loss)
    settings = _Settings(epochs, loss, optimizer, learning_rate, momentum, weight_decay, batch_size, patience, progress)
    best = _descend(start, names, inputs, targets, checked, scaling, settings, generator)
    return _folded(best, names, scaling)


def fine_tune(
    model: FloatMLP,
    x: ArrayLike,
    y: ArrayLike,
    epochs: int = 5,
    *,
    validation: Validation | None = None,
    loss: str = "softmax_cross_entropy",
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Train an existing network further, at its own shapes: after pruning, or on new rows.

    Parameters
    ----------
    model : FloatMLP
        Where to start; not changed.
    x, y, epochs, validation, loss, learning_rate, batch_size, rng
        As for `train`.

    Returns
    -------
    FloatMLP
        A new network of the same shapes.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        As `train`; also if x or y does not fit the network.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> net = train(x, [0, 0, 1, 1], hidden=(8,), epochs=200, rng=0)
    >>> fine_tune(net, x, [0, 0, 1, 1], rng=0).neurons == net.neurons
    True
    """
    inputs = checked_inputs(x, "x")
    if inputs.shape[1] != model.n_inputs:
        raise ValueError(f"x has {inputs.shape[1]} columns; the network takes {model.n_inputs}")
    targets, outputs = checked_targets(y, inputs.shape[0], loss, LOSSES, every_class=False)
    if outputs > model.neurons[-1]:
        raise ValueError(f"y has {outputs} classes or outputs; the network has {model.neurons[-1]}")
    checked = None if validation is None else _checked_validation(validation, model.n_inputs, model.neurons[-1], loss)
    scaling = choose_input_scaling(inputs)
    names = [layer.activation for layer in model.layers]
    settings = _Settings(epochs, loss, "adam", learning_rate, 0.0, 0.0, batch_size, None, None)
    start = _unfolded([(layer.w, layer.b) for layer in model.layers], scaling)
    best = _descend(start, names, inputs, targets, checked, scaling, settings, np.random.default_rng(rng))
    return _folded(best, names, scaling)


@dataclass(frozen=True, slots=True)
class _Settings:
    epochs: int
    loss: str
    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    batch_size: int
    patience: int | None
    progress: Callable[[Epoch], None] | None

    def __post_init__(self) -> None:
        _positive(self.epochs, "epochs")
        _positive(self.batch_size, "batch_size")
        if self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"unknown optimizer {self.optimizer!r}; known: adam, sgd")
        if not (np.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be positive")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}; it must be in [0, 1)")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}; it must not be negative")


def _positive(value: int, name: str) -> int:
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1")
    return int(value)


def _checked_validation(
    validation: Validation, width: int, outputs: int, loss: str
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    x = checked_inputs(validation[0], "the validation x")
    y, found = checked_targets(validation[1], x.shape[0], loss, LOSSES, every_class=False)
    if x.shape[1] != width or found > outputs:
        raise ValueError(
            f"the validation set has {x.shape[1]} columns and {found} classes; training has {width}, {outputs}"
        )
    return x, y


def _descend(
    start: Parameters,
    names: list[str],
    x: NDArray[np.float64],
    y: NDArray[Any],
    validation: tuple[NDArray[np.float64], NDArray[Any]] | None,
    scaling: InputScaling,
    settings: _Settings,
    rng: np.random.Generator,
) -> Parameters:
    """Run mini-batch descent and return the parameters of the best epoch (the last, without a validation set)."""
    if settings.patience is not None and validation is None:
        raise ValueError("patience needs a validation set: give validation=(x, y)")
    dtype = start[0][0].dtype
    flat, parameters = _flat_views(start)
    gradient, gradient_views = _flat_views([(np.zeros_like(w), np.zeros_like(b)) for w, b in start])
    decays = np.concatenate([np.repeat([1.0, 0.0], [w.size, b.size]) for w, b in start]).astype(dtype)
    state = AdamState(np.zeros_like(flat), np.zeros_like(flat))
    velocity = MomentumState(np.zeros_like(flat))
    scaled = scaling.apply(x).astype(dtype)
    targets = y.astype(dtype) if y.dtype.kind == "f" else y
    held_out = None if validation is None else (scaling.apply(validation[0]).astype(dtype), validation[1])
    batches = -(-len(x) // settings.batch_size)
    best, best_loss, waited = flat.copy(), np.inf, 0
    forward, backward = LOSSES[settings.loss]
    for epoch in range(settings.epochs):
        order, total = rng.permutation(len(x)), 0.0
        for batch in range(batches):
            rows = order[batch * settings.batch_size : (batch + 1) * settings.batch_size]
            outputs, caches = network_forward(scaled[rows], parameters, names)
            value, cache = forward(outputs, targets[rows])
            total += value * len(rows)
            for views, grads in zip(gradient_views, network_backward(backward(cache), caches, names), strict=True):
                views[0][...], views[1][...] = grads
            rate = (
                settings.learning_rate
                * 0.5
                * (1 + np.cos(np.pi * (epoch * batches + batch) / (settings.epochs * batches)))
            )
            if settings.weight_decay:
                flat -= rate * settings.weight_decay * decays * flat
            if settings.optimizer == "adam":
                adam_step(flat, gradient, state, float(rate))
            else:
                sgd_momentum_step(flat, gradient, velocity, float(rate), settings.momentum)
        if not np.isfinite(total) or not np.isfinite(flat).all():
            raise FloatingPointError(f"the loss is {total} after epoch {epoch + 1}: use a smaller learning_rate")
        judged = (
            None if held_out is None else forward(network_forward(held_out[0], parameters, names)[0], held_out[1])[0]
        )
        if settings.progress is not None:
            settings.progress(Epoch(epoch + 1, settings.epochs, total / len(x), judged))
        waited += 1
        if judged is None or judged < best_loss:
            best, best_loss, waited = flat.copy(), np.inf if judged is None else judged, 0
        if settings.patience is not None and waited > settings.patience:
            break
    flat[...] = best
    return parameters


def _flat_views(parameters: Parameters) -> tuple[Real, Parameters]:
    """Copy all arrays into one vector, and return views of the old shapes: an optimizer step is one operation."""
    flat = np.concatenate([part.ravel() for pair in parameters for part in pair])
    views, at = [], 0
    for w, b in parameters:
        views.append((flat[at : at + w.size].reshape(w.shape), flat[at + w.size : at + w.size + b.size]))
        at += w.size + b.size
    return flat, views


def _folded(parameters: Parameters, names: list[str], scaling: InputScaling) -> FloatMLP:
    """Put the input scaling into the first layer: ((x - o) f) w + b = x (f w) + (b - (o f) w)."""
    (w, b), *rest = parameters
    wide = w.astype(np.float64)
    bias = b - (scaling.offset * scaling.factor) @ wide
    first = ((scaling.factor[:, None] * wide).astype(w.dtype), bias.astype(b.dtype))
    return FloatMLP(tuple(DenseLayer(*pair, name) for pair, name in zip([first, *rest], names, strict=True)))


def _unfolded(parameters: Parameters, scaling: InputScaling) -> Parameters:
    """Undo `_folded`, so that training goes on in scaled units."""
    (w, b), *rest = parameters
    wide = w.astype(np.float64)
    return [((wide / scaling.factor[:, None]).astype(w.dtype), (b + scaling.offset @ wide).astype(b.dtype)), *rest]
