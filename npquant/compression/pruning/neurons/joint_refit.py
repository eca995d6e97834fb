"""Move all layers of a pruned network together so that its outputs come close to the float network's; no labels.

Legend: R calibration rows, K inputs and N outputs of a layer, C logits; x (R, K) rows, h (R, K) a layer's inputs, z
(R, C) logits, `target` (R, C) the float network's, all float64; `output` what the logits are, "softmax" (classes) or
"identity" (real values); t the change of all parameters in units of S10, M (N, N) metric of S9. Label S10 is derived
in docs/pruning.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import PULL, add_multiple, conjugate_gradients
from npquant.compression.pruning.float_layers import layer_outputs
from npquant.compression.pruning.neurons.output_metric import mean_costs, output_curvature, output_loss
from npquant.nn.activations import ACTIVATIONS, activate
from npquant.nn.model import DenseLayer

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
            gained, value = value - trial, trial
            # Where the step stood: vectors as long as all weights are most of the memory.
            step *= share
            t = np.add(t, step, out=step)
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
    pull: tuple[float, ...]  # on the weights of a layer; biases are free

    def zeros(self) -> Float64:
        """Return t of the network as it is."""
        return np.zeros(sum(layer.w.size + layer.b.size for layer in self.layers))

    def layers_at(self, t: Float64) -> tuple[DenseLayer, ...]:
        """Return the network with the change t."""
        moved = zip(self.layers, self._moved(t), strict=True)
        return tuple(DenseLayer(w, b, layer.activation) for layer, (w, b) in moved)

    def objective(self, t: Float64) -> float:
        """Return the objective of S10; infinite or NaN where the network overflows."""
        a: NDArray[Any] = self.x
        for layer, (w, b) in zip(self.layers, self._moved(t), strict=True):
            a = activate(layer.activation, a @ w + b)
        pulled = sum(pull * np.vdot(by_w, by_w) for pull, (by_w, _) in zip(self.pull, self._views(t), strict=True))
        return output_loss(self.target, a, self.output)[0] + 0.5 * float(pulled)

    def newton_step(self, t: Float64) -> Float64:
        """Solve (J^T G J + pull) step = -gradient by conjugate gradients, as far as CG_STEPS go."""
        inputs, later = self._outputs(t)
        z = inputs[-1]

        def curvature(direction: Float64) -> Float64:
            bent = output_curvature(z, self._forward(later, inputs, direction), self.output)
            return self._backward(later, inputs, bent, direction)

        downhill = -output_loss(self.target, z, self.output)[1]
        return conjugate_gradients(
            curvature, self._backward(later, inputs, downhill, t, -1.0), CG_STEPS, enough=ROUNDING
        )

    def _outputs(self, t: Float64) -> tuple[list[Float64], list[Float64]]:
        """Return x and the outputs of every layer with the change t, and the weights of all layers but the first."""
        inputs, later = [self.x], []
        for layer, (w, b) in zip(self.layers, self._moved(t), strict=True):
            # No derivative goes through the weights of the first layer.
            later += [w] if len(inputs) > 1 else []
            inputs.append(np.asarray(activate(layer.activation, inputs[-1] @ w + b), np.float64))
        return inputs, later

    def _views(self, t: Float64) -> list[tuple[Float64, Float64]]:
        """Return the parts of t, where they stand: (K, N) for the weights of each layer, (N,) for its biases."""
        views, start = [], 0
        for a, r in self.units:
            middle = start + len(a) * len(r)
            views.append((t[start:middle].reshape(len(a), len(r)), t[middle : middle + len(r)]))
            start = middle + len(r)
        return views

    def _changes(self, t: Float64) -> Iterator[tuple[Float64, Float64]]:
        """Yield the changes (dw, dc) of each layer; dc is the change of the mean pre-activations."""
        for (a, r), (by_w, by_b) in zip(self.units, self._views(t), strict=True):
            dw = by_w * r
            dw *= a[:, None]
            yield dw, by_b * r

    def _moved(self, t: Float64) -> Iterator[tuple[Float64, Float64]]:
        """Yield w and b of each layer with the change t."""
        for layer, (dw, dc), mean in zip(self.layers, self._changes(t), self.means, strict=True):
            b = layer.b + dc - mean @ dw
            dw += layer.w
            yield dw, b

    def _forward(self, later: Sequence[Float64], inputs: Sequence[Float64], t: Float64) -> Float64:
        """Return the derivative (R, C) of the logits along t; `later` are the weights after the first layer's."""
        d = self.x
        for i, (dw, dc) in enumerate(self._changes(t)):
            dz = inputs[i] @ dw
            dz += dc - self.means[i] @ dw
            if i:
                dz += d @ later[i - 1]
            d = np.asarray(ACTIVATIONS[self.layers[i].activation][1](dz, inputs[i + 1]), np.float64)
        return d

    def _backward(
        self, later: Sequence[Float64], inputs: Sequence[Float64], da: Float64, t: Float64, sign: float = 1.0
    ) -> Float64:
        """Return the derivative of a function of the logits by t, from that by the logits, and sign pull t on top."""
        found = np.empty_like(t)
        parts, pulled = self._views(found), self._views(t)
        dz = np.asarray(ACTIVATIONS[self.layers[-1].activation][1](da, inputs[-1]), np.float64)
        for i in range(len(parts) - 1, -1, -1):
            (a, r), (by_w, by_b), total = self.units[i], parts[i], dz.sum(axis=0)
            np.multiply(total, r, out=by_b)
            # h^T dz less mean sum(dz): the centred product without centred inputs.
            np.matmul(inputs[i].T, dz * r, out=by_w)
            add_multiple(by_w, -by_b, self.means[i][:, None])
            by_w *= a[:, None]
            # Every step is a sum of such derivatives: where they are 0, t stays 0.
            by_w[self.layers[i].w == 0] = 0.0
            add_multiple(by_w, sign * self.pull[i], pulled[i][0])
            if i:
                back = ACTIVATIONS[self.layers[i - 1].activation][1]
                dz = np.asarray(back(dz @ later[i - 1].T, inputs[i]), np.float64)
        return found


def _make_problem(layers: tuple[DenseLayer, ...], x: Float64, target: Float64, output: str) -> _Problem:
    """Find the units and the pull of S10."""
    inputs = [x]
    for layer in layers:
        inputs.append(layer_outputs(layer, inputs[-1]))
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
        pull.append(PULL * len(layer.w) / len(x))
    return _Problem(layers, x, target, output, tuple(means), tuple(units), tuple(pull))
