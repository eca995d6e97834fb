"""The descent: mini-batches over one flat vector of parameters, and the best epoch kept.

Legend: R rows, B rows of a mini-batch, P parameters; p (P,) all weights, then all biases; w (K, N) and b (N,) are views
into p, so that an optimizer's step is one operation on p. Labels F9 and F10 are derived in docs/nn.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, inf, isfinite, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.nn.layers import Parameters, Real, network_backward, network_forward
from npquant.nn.losses import LOSSES
from npquant.nn.optimizers import AdamState, MomentumState, adam_step, sgd_momentum_step
from npquant.nn.recipe import Epoch, Recipe

# The discounts and the epsilon of Kingma and Ba 2015, algorithm 1.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


def flatten_parameters(parameters: Parameters) -> tuple[Real, Parameters]:
    """Copy all parameters into one vector.

    Parameters
    ----------
    parameters : sequence of (w, b)
        By layer.

    Returns
    -------
    p : ndarray of float, shape (P,)
        All weights, then all biases.
    views : tuple of (w, b)
        The same parameters, as views into p.

    Examples
    --------
    >>> p, views = flatten_parameters([(np.array([[1.0, 2.0]]), np.array([3.0, 4.0]))])
    >>> p += 1
    >>> views[0][0]
    array([[2., 3.]])
    """
    parts = [w for w, _ in parameters] + [b for _, b in parameters]
    p = np.concatenate([part.ravel() for part in parts])
    ends = np.cumsum([part.size for part in parts])
    views = [p[end - part.size : end].reshape(part.shape) for part, end in zip(parts, ends, strict=True)]
    return p, tuple(zip(views[: len(parameters)], views[len(parameters) :], strict=True))


def loss_and_gradient(
    parameters: Parameters, activations: Sequence[str], x: Real, y: NDArray[Any], loss: str, out: Parameters
) -> float:
    """Return the mean loss of a batch, and write its gradient.

    Parameters
    ----------
    parameters : sequence of (w, b)
        By layer.
    activations : sequence of str
        By layer.
    x : ndarray of float, shape (B, K)
        Scaled inputs, in the dtype of the parameters.
    y : ndarray, shape (B,) of int or (B, C) of float
        Targets.
    loss : str
        Name of the loss.
    out : sequence of (dw, db)
        Memory for the gradient, by layer; overwritten.

    Returns
    -------
    float
        Loss.

    Examples
    --------
    >>> parameters = [(np.array([[1.0]]), np.array([0.0]))]
    >>> _, gradient = flatten_parameters(parameters)
    >>> loss_and_gradient(parameters, ["identity"], np.array([[2.0]]), np.array([[5.0]]), "squared_error", gradient)
    4.5
    >>> gradient
    ((array([[-6.]]), array([-3.])),)
    """
    forward, backward = LOSSES[loss]
    outputs, cache = network_forward(x, parameters, activations)
    value, kept = forward(outputs, y)
    network_backward(backward(kept), cache, activations, out)
    return value


def descend(
    start: Parameters,
    activations: Sequence[str],
    rows: tuple[Real, NDArray[Any]],
    held_out: tuple[Real, NDArray[Any]] | None,
    recipe: Recipe,
    progress: Callable[[Epoch], None] | None,
    rng: np.random.Generator,
) -> Parameters:
    """Run mini-batch descent.

    Parameters
    ----------
    start : sequence of (w, b)
        Parameters to start from; copied.
    activations : sequence of str
        By layer.
    rows, held_out : tuple (x, y)
        Scaled training rows, and validation rows where there are any.
    recipe : Recipe
        How.
    progress : callable, optional
        Called with an `Epoch` after each.
    rng : Generator
        Order of the rows.

    Returns
    -------
    tuple of (w, b)
        Parameters after the epoch with the smallest loss on the validation rows, or after the last epoch where there
        are none.

    Raises
    ------
    ValueError
        If a loss or a parameter is not finite; names the epoch.

    Notes
    -----
    F9: the rate of step i of n is learning_rate (1 + cos(pi i / n)) / 2.
    The loss chooses the epoch, not the count of wrong classes: among some 270 rows the count is so coarse that it picks
    lucky early epochs, which costs 0.4 points on unseen rows (digits, mean of 20 seeds).
    F10: weights lose rate x weight_decay of themselves a step, apart from the gradient; biases do not (Loshchilov and
    Hutter 2019, "Decoupled weight decay regularization").

    Examples
    --------
    Four rows of y = 2 x + 1:

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> recipe = Recipe(60, "squared_error", "sgd", 0.05, 4, 0.9, 0.0, None)
    >>> start = [(np.zeros((1, 1)), np.zeros(1))]
    >>> ((w, b),) = descend(start, ["identity"], (x, 2 * x + 1), None, recipe, None, np.random.default_rng(0))
    >>> w.round(1), b.round(1)
    (array([[2.]]), array([1.]))
    """
    p, parameters = flatten_parameters(start)
    descent = _Descent(p, parameters, *flatten_parameters(start), activations, rows, recipe)
    state: AdamState | MomentumState = MomentumState(np.zeros_like(p))
    if recipe.optimizer == "adam":
        state = AdamState(np.zeros_like(p), np.zeros_like(p), 0)
    best, best_loss, waited = p.copy(), inf, 0
    for number in range(1, recipe.epochs + 1):
        # Nothing that overflows gets by: every loss is checked, and the parameters after every epoch.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            mean_loss, state = descent.run_epoch(number, state, rng.permutation(len(rows[0])))
            epoch = _judge(number, mean_loss, parameters, activations, held_out, recipe)
        if progress is not None:
            progress(epoch)
        waited += 1
        if epoch.validation_loss is None or epoch.validation_loss < best_loss:
            best[...], waited = p, 0
            best_loss = inf if epoch.validation_loss is None else epoch.validation_loss
        if recipe.patience is not None and waited >= recipe.patience:
            break
    p[...] = best
    return parameters


@dataclass(frozen=True, slots=True, eq=False)
class _Descent:
    """Hold the memory that all steps share."""

    p: Real
    parameters: Parameters
    g: Real
    gradient: Parameters
    activations: Sequence[str]
    rows: tuple[Real, NDArray[Any]]
    recipe: Recipe

    def run_epoch(
        self, number: int, state: AdamState | MomentumState, order: NDArray[np.int64]
    ) -> tuple[float, AdamState | MomentumState]:
        """Step through all rows once; return their mean loss and the optimizer's state."""
        (x, y), recipe = self.rows, self.recipe
        size = min(recipe.batch_size, len(x))
        batch, steps = np.empty((size, x.shape[1]), x.dtype), -(-len(x) // size)
        total = 0.0
        for i in range(steps):
            chosen = order[i * size : (i + 1) * size]
            # "clip" reads straight into the batch; the indices are a permutation, so that nothing is clipped.
            x_batch = np.take(x, chosen, axis=0, out=batch[: len(chosen)], mode="clip")
            value = loss_and_gradient(self.parameters, self.activations, x_batch, y[chosen], recipe.loss, self.gradient)
            if not isfinite(value):
                raise self._divergence(number, f"the loss is {value} in batch {i + 1}")
            total += value * len(chosen)
            share = ((number - 1) * steps + i) / (recipe.epochs * steps)
            state = self._step(state, recipe.learning_rate * (1 + cos(pi * share)) / 2)
        if not np.isfinite(self.p).all():
            raise self._divergence(number, "a parameter is not finite")
        return total / len(x), state

    def _step(self, state: AdamState | MomentumState, rate: float) -> AdamState | MomentumState:
        recipe = self.recipe
        if recipe.weight_decay:
            weights = self.p[: sum(w.size for w, _ in self.parameters)]
            weights *= 1 - rate * recipe.weight_decay
        if isinstance(state, AdamState):
            return adam_step(self.p, self.g, state, learning_rate=rate, beta1=_BETA1, beta2=_BETA2, epsilon=_EPSILON)[1]
        return sgd_momentum_step(self.p, self.g, state, learning_rate=rate, momentum=recipe.momentum)[1]

    def _divergence(self, number: int, what: str) -> ValueError:
        return ValueError(
            f"training diverged in epoch {number}: {what}; give a learning_rate below {self.recipe.learning_rate}"
        )


def _judge(
    number: int,
    mean_loss: float,
    parameters: Parameters,
    activations: Sequence[str],
    held_out: tuple[Real, NDArray[Any]] | None,
    recipe: Recipe,
) -> Epoch:
    """Measure an epoch on the validation rows, where there are any."""
    if held_out is None:
        return Epoch(number, recipe.epochs, mean_loss, None, None)
    x, y = held_out
    outputs = network_forward(x, parameters, activations)[0]
    value = LOSSES[recipe.loss][0](outputs, y)[0]
    if y.ndim == 2:
        return Epoch(number, recipe.epochs, mean_loss, value, None)
    right = int(np.count_nonzero(np.argmax(outputs, axis=1) == y))
    return Epoch(number, recipe.epochs, mean_loss, value, right / len(y))
