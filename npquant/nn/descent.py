"""Training, 7 of 10: mini-batch gradient descent, from one batch to the best epoch, and around it the scaling.

Legend: R rows, B rows of a mini-batch, K inputs, C outputs; x (R, K) or (B, K), y classes (R,) or real targets (R, C);
parameters, start, out: (w, b) or (dw, db) by layer; activations: names by layer; settings: the hyperparameters;
constraints: masks, a quantizer, a schedule of masks; progress: called with an `Epoch` after each, or None; rng: the
order of the rows. Labels F9 and F10 are derived in docs/nn.md, F12, F14 and F15 in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, inf, isfinite, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Indices, Real
from npquant.nn.layers import OutputMap, Parameters, network_backward, network_forward
from npquant.nn.losses import LOSSES
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.parameters import TrainableParameters, start_parameters
from npquant.nn.scaling import NetworkScaling
from npquant.nn.settings import Constraints, Epoch, Progress, QuantizedForward, TrainingSettings
from npquant.nn.training_rows import TrainingRows


def loss_and_gradient(
    parameters: Parameters,
    activations: Sequence[str],
    x: Real,
    y: NDArray[Any],
    loss: str,
    out: Parameters,
    on_output: OutputMap | None = None,
) -> float:
    """Return the mean `loss` (a name of `LOSSES`) of a batch, and write its gradient into `out`.

    x is scaled and in the dtype of the parameters; `on_output` is that of `network_forward`.

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
    settings: TrainingSettings,
    progress: Progress | None,
    rng: np.random.Generator,
    constraints: Constraints | None = None,
) -> Parameters:
    """Run mini-batch descent from a copy of `start` on scaled `rows` (x, y); `held_out` (x, y) chooses the epoch.

    Returns the parameters, as the forward pass uses them, after the epoch with the smallest loss on the validation
    rows, or after the last epoch where there are none. Training rows may have target probabilities (R, C) where the
    loss takes classes (F12). ValueError if a loss or a parameter is not finite; names the epoch.

    F15: inputs and neurons that the masks leave no weight are not computed with: a sparse network trains in the time of
    its active subnetwork.

    Four rows of y = 2 x + 1:

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> settings = TrainingSettings(60, "squared_error", "sgd", 0.05, 4, 0.9, 0.0, None)
    >>> start = [(np.zeros((1, 1)), np.zeros(1))]
    >>> ((w, b),) = descend(start, ["identity"], (x, 2 * x + 1), None, settings, None, np.random.default_rng(0))
    >>> w.round(1), b.round(1)
    (array([[2.]]), array([1.]))
    """
    constraints = constraints or Constraints()
    descent = _start(start, activations, rows, settings, constraints)
    best, best_loss, waited = descent.used(), inf, 0
    for number in range(1, settings.epochs + 1):
        # Nothing that overflows gets by: every loss is checked, and the parameters after every epoch.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            mean_loss = descent.run_epoch(number, rng.permutation(len(rows[0])))
            now = descent.used()
            epoch = _judge(number, mean_loss, now, activations, held_out, settings, descent.on_output)
        if progress is not None:
            progress(epoch)
        waited += 1
        # The loss chooses, not the count of wrong classes: among some 270 rows the count is so coarse that it picks
        # lucky early epochs, which costs 0.4 points on unseen rows (digits, mean of 20 seeds).
        if epoch.validation_loss is None or constraints.mask_schedule is not None or epoch.validation_loss < best_loss:
            best, waited = now, 0
            best_loss = inf if epoch.validation_loss is None else epoch.validation_loss
        if settings.patience is not None and waited >= settings.patience:
            break
    return best


@dataclass(slots=True, eq=False)
class _Descent:
    """Hold what all steps share; a schedule of masks changes x with the arrays."""

    memory: TrainableParameters
    activations: Sequence[str]
    x: Real
    y: NDArray[Any]
    all_x: Real
    settings: TrainingSettings
    constraints: Constraints
    forward: QuantizedForward | None

    @property
    def on_output(self) -> OutputMap | None:
        """What happens to hidden outputs in the forward pass."""
        return None if self.forward is None else self.forward.output

    def used(self) -> Parameters:
        """Return copies of the parameters that the forward pass uses, at the shapes of the start."""
        parameters = self.memory.parameters
        return self.memory.whole(parameters if self.forward is None else self.forward.weights(parameters))

    def run_epoch(self, number: int, order: Indices) -> float:
        """Step through all rows once; return their mean loss."""
        settings, size = self.settings, min(self.settings.batch_size, len(order))
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
            step, of = (number - 1) * steps + i, settings.epochs * steps
            # F9: the rate of step i of n is learning_rate (1 + cos(pi i / n)) / 2.
            self.memory.step(settings.learning_rate * (1 + cos(pi * (step / of))) / 2, settings)
            if self.constraints.mask_schedule is not None:
                self._update_masks(step + 1, of)
        if not np.isfinite(self.memory.p).all():
            raise self._divergence(number, "a parameter is not finite")
        return total / len(order)

    def _gradient_of(self, x: Real, y: NDArray[Any]) -> float:
        """Write the gradient of a batch by the used parameters, which the trainable ones take as their own (F14)."""
        memory, loss = self.memory, self.settings.loss
        used = memory.parameters if self.forward is None else self.forward.weights(memory.parameters)
        if y.ndim == 2 and loss == "softmax_cross_entropy":
            loss = "soft_cross_entropy"
        return loss_and_gradient(used, self.activations, x, y, loss, memory.gradient, self.on_output)

    def _update_masks(self, step: int, steps: int) -> None:
        """Ask for new masks; follow the arrays where they shrink."""
        memory = self.memory
        if self.constraints.mask_schedule is None or memory.masks is None:
            return
        # Only a step that ranks weights anew pays for the second moments.
        masks = self.constraints.mask_schedule(step, steps, memory.parameters, memory.masks, memory.second_moments)
        if masks is not None:
            memory.apply_masks(masks, self.activations)
            if len(memory.active.inputs) < self.x.shape[1]:
                self.x = np.ascontiguousarray(self.all_x[:, memory.active.inputs])

    def _divergence(self, number: int, what: str) -> ValueError:
        return ValueError(
            f"training diverged in epoch {number}: {what}; give a learning_rate below {self.settings.learning_rate}"
        )


def _start(
    start: Parameters,
    activations: Sequence[str],
    rows: tuple[Real, NDArray[Any]],
    settings: TrainingSettings,
    constraints: Constraints,
) -> _Descent:
    """Copy the parameters into one vector, and leave the inputs that no weight reads."""
    memory, (all_x, y) = start_parameters(start, constraints.masks, settings.optimizer), rows
    inputs = memory.active.inputs
    x = all_x if len(inputs) == all_x.shape[1] else np.ascontiguousarray(all_x[:, inputs])
    forward = None if constraints.start_forward is None else constraints.start_forward(memory.parameters, inputs)
    return _Descent(memory, activations, x, y, all_x, settings, constraints, forward)


def _judge(
    number: int,
    mean_loss: float,
    parameters: Parameters,
    activations: Sequence[str],
    held_out: tuple[Real, NDArray[Any]] | None,
    settings: TrainingSettings,
    on_output: OutputMap | None,
) -> Epoch:
    """Measure an epoch on the validation rows, where there are any."""
    if held_out is None:
        return Epoch(number, settings.epochs, mean_loss, None, None)
    x, y = held_out
    outputs = network_forward(x, parameters, activations, on_output)[0]
    value = LOSSES[settings.loss][0](outputs, y)[0]
    if y.ndim == 2:
        return Epoch(number, settings.epochs, mean_loss, value, None)
    right = int(np.count_nonzero(np.argmax(outputs, axis=1) == y))
    return Epoch(number, settings.epochs, mean_loss, value, right / len(y))


def fit(
    start: Parameters,
    activations: Sequence[str],
    rows: TrainingRows,
    scaling: NetworkScaling,
    settings: TrainingSettings,
    progress: Progress | None,
    rng: np.random.Generator,
    constraints: Constraints | None = None,
) -> FloatMLP:
    """F8. Scale raw `rows`, descend from `start` (for scaled rows), fold the `scaling` into the network returned.

    It takes raw rows and gives raw outputs. ValueError as `descend`.

    A rate of almost nothing gives the network back that takes raw rows: the weight 16 for x / 16 is 1 for x.

    >>> from npquant.nn.scaling import choose_network_scaling
    >>> settings = TrainingSettings(1, "softmax_cross_entropy", "sgd", 1e-300, 1, 0.0, 0.0, None)
    >>> rows = TrainingRows(np.array([[16]]), np.array([0]), None, 1)
    >>> scaling = choose_network_scaling(rows, np.dtype("float64"), "identity")
    >>> start = [(np.array([[16.0]]), np.zeros(1))]
    >>> fit(start, ("identity",), rows, scaling, settings, None, np.random.default_rng(0)).layers[0].w
    array([[1.]])
    """
    dtype = start[0][0].dtype

    def scaled(x: NDArray[Any], y: NDArray[Any]) -> tuple[Real, NDArray[Any]]:
        return scaling.inputs.apply(x, dtype), scaling.outputs.apply(y, dtype) if y.ndim == 2 else y

    held_out = None if rows.held_out is None else scaled(*rows.held_out)
    best = descend(start, activations, scaled(rows.x, rows.y), held_out, settings, progress, rng, constraints)
    layers = zip(scaling.fold(best), activations, strict=True)
    return FloatMLP(tuple(DenseLayer(w, b, name) for (w, b), name in layers))
