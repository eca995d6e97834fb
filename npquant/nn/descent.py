"""The descent: mini-batches over one flat vector of parameters, and the best epoch kept.

Legend: R rows, B rows of a mini-batch; w (K, N) and b (N,) of each layer. Labels F9 and F10 are derived in docs/nn.md,
F12, F14 and F15 in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, inf, isfinite, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Real
from npquant.nn.free_parameters import FreeParameters, start_parameters
from npquant.nn.layers import OutputMap, Parameters, network_backward, network_forward
from npquant.nn.limits import Forward, Limits
from npquant.nn.losses import LOSSES
from npquant.nn.recipe import Epoch, Recipe


def loss_and_gradient(
    parameters: Parameters,
    activations: Sequence[str],
    x: Real,
    y: NDArray[Any],
    loss: str,
    out: Parameters,
    on_output: OutputMap | None = None,
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
    on_output : callable, optional
        As in `network_forward`.

    Returns
    -------
    float
        Loss.

    Examples
    --------
    >>> parameters = [(np.array([[1.0]]), np.array([0.0]))]
    >>> gradient = [(np.zeros((1, 1)), np.zeros(1))]
    >>> loss_and_gradient(parameters, ["identity"], np.array([[2.0]]), np.array([[5.0]]), "squared_error", gradient)
    4.5
    >>> gradient
    [(array([[-6.]]), array([-3.]))]
    """
    forward, backward = LOSSES[loss]
    outputs, cache = network_forward(x, parameters, activations, on_output)
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
    limits: Limits | None = None,
) -> Parameters:
    """Run mini-batch descent.

    Parameters
    ----------
    start : sequence of (w, b)
        Parameters to start from; copied.
    activations : sequence of str
        By layer.
    rows, held_out : tuple (x, y)
        Scaled training rows, and validation rows where there are any. Training rows may have target probabilities
        (R, C) where the recipe's loss takes classes (F12).
    recipe : Recipe
        How.
    progress : callable, optional
        Called with an `Epoch` after each.
    rng : Generator
        Order of the rows.
    limits : Limits, optional
        Masks, a quantizer, a pruning schedule.

    Returns
    -------
    tuple of (w, b)
        Parameters, as the forward pass uses them, after the epoch with the smallest loss on the validation rows, or
        after the last epoch where there are none.

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
    F15: inputs and neurons that the masks leave no weight are not computed with: a sparse network trains in the time of
    its live part.

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
    limits = limits or Limits()
    descent = _start(start, activations, rows, recipe, limits)
    best, best_loss, waited = descent.used(), inf, 0
    for number in range(1, recipe.epochs + 1):
        # Nothing that overflows gets by: every loss is checked, and the parameters after every epoch.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            mean_loss = descent.run_epoch(number, rng.permutation(len(rows[0])))
            now = descent.used()
            epoch = _judge(number, mean_loss, now, activations, held_out, recipe, descent.on_output)
        if progress is not None:
            progress(epoch)
        waited += 1
        if epoch.validation_loss is None or limits.renew is not None or epoch.validation_loss < best_loss:
            best, waited = now, 0
            best_loss = inf if epoch.validation_loss is None else epoch.validation_loss
        if recipe.patience is not None and waited >= recipe.patience:
            break
    return best


@dataclass(slots=True, eq=False)
class _Descent:
    """Hold what all steps share; a schedule that renews masks changes x with the arrays."""

    memory: FreeParameters
    activations: Sequence[str]
    x: Real
    y: NDArray[Any]
    all_x: Real
    recipe: Recipe
    limits: Limits
    forward: Forward | None

    @property
    def on_output(self) -> OutputMap | None:
        """What happens to hidden outputs in the forward pass."""
        return None if self.forward is None else self.forward.output

    def used(self) -> Parameters:
        """Return copies of the parameters that the forward pass uses, at the shapes of the start."""
        parameters = self.memory.parameters
        return self.memory.whole(parameters if self.forward is None else self.forward.weights(parameters))

    def run_epoch(self, number: int, order: NDArray[np.int64]) -> float:
        """Step through all rows once; return their mean loss."""
        recipe, size = self.recipe, min(self.recipe.batch_size, len(order))
        steps, total = -(-len(order) // size), 0.0
        batch = np.empty((size, self.x.shape[1]), self.x.dtype)
        for i in range(steps):
            chosen = order[i * size : (i + 1) * size]
            if batch.shape[1] != self.x.shape[1]:
                batch = np.empty((size, self.x.shape[1]), self.x.dtype)
            # "clip" reads straight into the batch; the indices are a permutation, so that nothing is clipped.
            x_batch = np.take(self.x, chosen, axis=0, out=batch[: len(chosen)], mode="clip")
            value = self._gradient_of(x_batch, self.y[chosen])
            if not isfinite(value):
                raise self._divergence(number, f"the loss is {value} in batch {i + 1}")
            total += value * len(chosen)
            step, of = (number - 1) * steps + i, recipe.epochs * steps
            self.memory.step(recipe.learning_rate * (1 + cos(pi * (step / of))) / 2, recipe)
            if self.limits.renew is not None:
                self._renew(step + 1, of)
        if not np.isfinite(self.memory.p).all():
            raise self._divergence(number, "a parameter is not finite")
        return total / len(order)

    def _gradient_of(self, x: Real, y: NDArray[Any]) -> float:
        """Write the gradient of a batch by the used parameters, which the free ones take as their own (F14)."""
        memory, loss = self.memory, self.recipe.loss
        used = memory.parameters if self.forward is None else self.forward.weights(memory.parameters)
        if y.ndim == 2 and loss == "softmax_cross_entropy":
            loss = "soft_cross_entropy"
        return loss_and_gradient(used, self.activations, x, y, loss, memory.gradient, self.on_output)

    def _renew(self, step: int, steps: int) -> None:
        """Ask for new masks; follow the arrays where they shrink."""
        memory = self.memory
        if self.limits.renew is None or memory.masks is None:
            return
        # Only a step that renews pays for the second moments.
        masks = self.limits.renew(step, steps, memory.parameters, memory.masks, memory.second_moments)
        if masks is not None:
            memory.cut(masks, self.activations)
            if len(memory.part.inputs) < self.x.shape[1]:
                self.x = np.ascontiguousarray(self.all_x[:, memory.part.inputs])

    def _divergence(self, number: int, what: str) -> ValueError:
        return ValueError(
            f"training diverged in epoch {number}: {what}; give a learning_rate below {self.recipe.learning_rate}"
        )


def _start(
    start: Parameters,
    activations: Sequence[str],
    rows: tuple[Real, NDArray[Any]],
    recipe: Recipe,
    limits: Limits,
) -> _Descent:
    """Copy the parameters into one vector, and leave the inputs that no weight reads."""
    memory, (all_x, y) = start_parameters(start, limits.masks, recipe.optimizer), rows
    inputs = memory.part.inputs
    x = all_x if len(inputs) == all_x.shape[1] else np.ascontiguousarray(all_x[:, inputs])
    forward = None if limits.start_forward is None else limits.start_forward(memory.parameters, inputs)
    return _Descent(memory, activations, x, y, all_x, recipe, limits, forward)


def _judge(
    number: int,
    mean_loss: float,
    parameters: Parameters,
    activations: Sequence[str],
    held_out: tuple[Real, NDArray[Any]] | None,
    recipe: Recipe,
    on_output: OutputMap | None,
) -> Epoch:
    """Measure an epoch on the validation rows, where there are any."""
    if held_out is None:
        return Epoch(number, recipe.epochs, mean_loss, None, None)
    x, y = held_out
    outputs = network_forward(x, parameters, activations, on_output)[0]
    value = LOSSES[recipe.loss][0](outputs, y)[0]
    if y.ndim == 2:
        return Epoch(number, recipe.epochs, mean_loss, value, None)
    right = int(np.count_nonzero(np.argmax(outputs, axis=1) == y))
    return Epoch(number, recipe.epochs, mean_loss, value, right / len(y))
