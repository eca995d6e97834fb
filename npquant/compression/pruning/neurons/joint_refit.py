"""Move all layers of a pruned network together so that its outputs come close to the float network's; no labels.

Legend: R calibration rows, K inputs and N outputs of a layer, C logits; x (R, K) rows, h (R, K) a layer's inputs, z
(R, C) logits, `target` (R, C) the float network's, all float64; `output` what the logits are, "softmax" (classes) or
"identity" (real values); t the change of all parameters in units of S10, M (N, N) metric of S9. Label S10 is derived
in docs/pruning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import PULL, conjugate_gradients
from npquant.compression.pruning.float_layers import layer_outputs
from npquant.compression.pruning.neurons.output_metric import mean_costs, output_curvature, output_loss
from npquant.nn.activations import ACTIVATIONS, activate
from npquant.nn.model import DenseLayer

Flat = list[tuple[Float64, Float64]]
STEPS: Final = 8
CG_STEPS: Final = 10
# A step that lowers the objective by less than this share of it is the last one.
ENOUGH: Final = 1e-2
# A squared residual this much smaller than the first is rounding.
ROUNDING: Final = float(np.finfo(np.float64).eps ** 1.5)


def joint_refit(
    layers: Sequence[DenseLayer], x: Float64, target: Float64, output: str = "softmax"
) -> tuple[DenseLayer, ...]:
    """S10. Move weights and biases of all `layers` so that the logits come close to `target`, by Gauss-Newton steps.

    Minimizes output_loss + PULL / 2 sum over layers of (K / R) |t|^2, where the weights of a layer are w + a_k t_kn /
    sqrt(M_nn), a_k in proportion to sqrt(sum over n of w_kn^2 M_nn), with mean 1 of (a_k std(h_k))^2. At most STEPS
    steps, each by CG_STEPS conjugate gradients and halved until the objective falls. Deterministic. A weight that is 0
    stays 0: it has no coordinate in t. `layers` are not changed; the network returned is in float64, and its objective
    is no larger than theirs: where nothing can be gained, the same weights. ValueError if the squares of the inputs
    overflow.

    >>> layer = DenseLayer(np.array([[1.0]]), np.zeros(1), "identity")
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> fitted = joint_refit([layer], x, 3 * x + 1, "identity")[0]
    >>> fitted.w.round(1), fitted.b.round(1)
    (array([[2.8]]), array([1.2]))
    """
    problem = _make_problem(tuple(layers), x, target, output)
    t = problem.zeros()
    with np.errstate(over="ignore", invalid="ignore"):
        value = problem.objective(t)
        for _ in range(STEPS):
            step, share = problem.newton_step(t), 1.0
            trial = problem.objective(t + step)
            while not trial < value and share > 1e-2:
                share /= 2
                trial = problem.objective(t + share * step)
            if not trial < value:
                break
            gained, value, t = value - trial, trial, t + share * step
            if gained < ENOUGH * value:
                break
    return problem.layers_at(t)


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The objective of S10. A layer's inputs are centred at their means, so that weights and biases do not interact."""

    layers: tuple[DenseLayer, ...]
    x: Float64
    target: Float64
    output: str
    means: tuple[Float64, ...]
    units: tuple[tuple[Float64, Float64], ...]
    pull: Float64

    def zeros(self) -> Float64:
        """Return t of the network as it is."""
        return np.zeros(len(self.pull))

    def layers_at(self, t: Float64) -> tuple[DenseLayer, ...]:
        """Return the network with the change t."""
        moved = []
        for layer, (dw, dc), mean in zip(self.layers, self._changes(t), self.means, strict=True):
            moved.append(DenseLayer(layer.w + dw, layer.b + dc - mean @ dw, layer.activation))
        return tuple(moved)

    def objective(self, t: Float64) -> float:
        """Return the objective of S10; infinite or NaN where the network overflows."""
        a: NDArray[Any] = self.x
        for layer, (dw, dc), mean in zip(self.layers, self._changes(t), self.means, strict=True):
            a = np.asarray(activate(layer.activation, a @ (layer.w + dw) + (layer.b + dc - mean @ dw)))
        return output_loss(self.target, a, self.output)[0] + 0.5 * float((self.pull * t * t).sum())

    def newton_step(self, t: Float64) -> Float64:
        """Solve (J^T G J + pull) step = -gradient by conjugate gradients, as far as CG_STEPS go."""
        layers = self.layers_at(t)
        inputs = _activations(layers, self.x)
        z = inputs[-1]
        residual = -self._backward(layers, inputs, output_loss(self.target, z, self.output)[1]) - self.pull * t

        def curvature(direction: Float64) -> Float64:
            bent = output_curvature(z, self._forward(layers, inputs, direction), self.output)
            return self._backward(layers, inputs, bent) + self.pull * direction

        return conjugate_gradients(curvature, residual, CG_STEPS, enough=ROUNDING)

    def _changes(self, t: Float64) -> Flat:
        """Return the changes (dw, dc) of each layer; dc is the change of the mean pre-activations."""
        changes, start = [], 0
        for a, r in self.units:
            size = len(a) * len(r)
            dw = t[start : start + size].reshape(len(a), len(r)) * r
            dw *= a[:, None]
            changes.append((dw, t[start + size : start + size + len(r)] * r))
            start += size + len(r)
        return changes

    def _forward(self, layers: Sequence[DenseLayer], inputs: Sequence[Float64], t: Float64) -> Float64:
        """Return the derivative (R, C) of the logits along t."""
        d = self.x
        for i, (dw, dc) in enumerate(self._changes(t)):
            dz = inputs[i] @ dw + (dc - self.means[i] @ dw)
            if i:
                dz += d @ layers[i].w
            d = np.asarray(ACTIVATIONS[layers[i].activation][1](dz, inputs[i + 1]), np.float64)
        return d

    def _backward(self, layers: Sequence[DenseLayer], inputs: Sequence[Float64], da: Float64) -> Float64:
        """Return the derivative of a function of the logits by t, from its derivative by the logits."""
        parts: list[Float64] = []
        dz = np.asarray(ACTIVATIONS[layers[-1].activation][1](da, inputs[-1]), np.float64)
        for i in range(len(layers) - 1, -1, -1):
            a, r = self.units[i]
            # h^T dz less mean sum(dz): the centred product without a centred copy.
            by_w = inputs[i].T @ dz
            by_w -= np.outer(self.means[i], dz.sum(axis=0))
            by_w *= r
            by_w *= a[:, None]
            # Every step is a sum of such derivatives: where they are 0, t stays 0.
            by_w[self.layers[i].w == 0] = 0.0
            parts = [by_w.ravel(), dz.sum(axis=0) * r, *parts]
            if i:
                back = ACTIVATIONS[layers[i - 1].activation][1]
                dz = np.asarray(back(dz @ layers[i].w.T, inputs[i]), np.float64)
        return np.concatenate(parts)


def _activations(layers: Sequence[DenseLayer], x: Float64) -> list[Float64]:
    """Return x and the outputs of every layer."""
    found = [x]
    for layer in layers:
        found.append(layer_outputs(layer, found[-1]))
    return found


def _make_problem(layers: tuple[DenseLayer, ...], x: Float64, target: Float64, output: str) -> _Problem:
    """Find the units and the pull of S10."""
    inputs = _activations(layers, x)
    units, means, pull = [], [], []
    for layer, h, cost in zip(layers, inputs, mean_costs(layers, inputs[1:], output), strict=False):
        with np.errstate(over="ignore", invalid="ignore"):
            mean, spread = h.mean(axis=0), h.std(axis=0)
            size = np.sqrt(np.square(layer.w) @ cost)
            total = float(np.sqrt(np.square(size * spread).mean()))
        if not np.isfinite(total):
            raise ValueError(f"the inputs of a layer reach {np.abs(h).max():.3g}, whose square overflows; scale them")
        # A neuron that no output hears, or a layer that hears nothing, does not move.
        heard = cost > np.finfo(np.float64).tiny
        units.append((size / total if total > 0 else 0 * size, heard / np.sqrt(np.where(heard, cost, 1.0))))
        means.append(mean)
        pull.append(np.r_[np.full(layer.w.size, PULL * len(layer.w) / len(x)), np.zeros(len(layer.b))])
    return _Problem(layers, x, target, output, tuple(means), tuple(units), np.concatenate(pull))
