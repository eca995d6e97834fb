"""Gradual pruning: weights leave one after the other while the rest is trained, until a share of them is left.

Legend: P weights, d density to reach, s share of the steps that the schedule takes; t step of n; w a weight, v Adam's
second moment of its gradient. Labels F18 to F20 are derived in docs/finetuning.md.
"""

from __future__ import annotations

from numbers import Real as RealNumber
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npquant.compression.pruning.neurons.dead_neurons import drop_dead_neurons
from npquant.compression.pruning.weights.schedule import PruningSchedule
from npquant.nn.descent import fit
from npquant.nn.distillation import Teacher, distilled_rows
from npquant.nn.model import FloatMLP
from npquant.nn.scaling import choose_network_scaling
from npquant.nn.settings import Constraints, Progress, TrainingSettings, check_whole
from npquant.nn.training_rows import Validation, check_training_rows


def prune_gradually(
    model: FloatMLP,
    x: ArrayLike,
    y: ArrayLike,
    density: float,
    epochs: int = 30,
    *,
    teacher: Teacher | None = None,
    temperature: float = 2.0,
    teacher_share: float = 0.7,
    schedule_share: float = 0.6,
    renew_every: int = 50,
    rate_weight: float = 0.0,
    validation: Validation | None = None,
    loss: str = "softmax_cross_entropy",
    learning_rate: float = 2e-3,
    batch_size: int = 64,
    weight_decay: float = 0.0,
    progress: Progress | None = None,
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Train a network while its weights are pruned, by one ranking over all layers.

    Parameters
    ----------
    model : FloatMLP
        The float network; not changed. Weights that are 0 stay 0.
    x, y, epochs, validation, loss, learning_rate, batch_size, weight_decay, progress
        As for `npquant.nn.training.train`, by Adam; validation rows are for `progress` alone.
    density : float
        d in (0, 1]: share of the model's weights to keep.
    teacher, temperature, teacher_share
        As for `npquant.nn.finetuning.finetune`. The given model makes a good teacher.
    schedule_share : float
        s in (0, 1]: share of the steps after which d is reached; the rest trains what is left.
    renew_every : int
        Steps between two rankings.
    rate_weight : float
        How much the bits of a weight's position count against it, >= 0 (F20); 0 ranks by F19 alone.
    rng : int, Generator or None
        Order of the rows.

    Returns
    -------
    FloatMLP
        At most d P nonzero weights, all inputs, and the neurons that lie on a path of nonzero weights.

    Raises
    ------
    TypeError, ValueError
        As `finetune`; also if density is outside (0, 1] or would leave fewer weights than the network has layers.

    Notes
    -----
    F18: after step t of n, P d + P (1 - d) (1 - min(1, t / (s n)))^3 weights are left (Zhu and Gupta 2017, "To prune,
    or not to prune", equation 1), chosen anew each `renew_every` steps and at the step s n.
    F19: score = w^2 sqrt(v): with a diagonal curvature of the size sqrt(v), the loss that setting w to 0 costs (LeCun,
    Denker and Solla 1989, "Optimal brain damage", and Adam's own estimate of it). Every layer keeps its best weight.
    A pruned weight stays 0. Neurons without inputs are folded into the next biases, those without outputs are dropped.

    Examples
    --------
    >>> from npquant.nn.training import train
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 6))
    >>> y = (x[:, 0] + x[:, 1] > 0).astype(int)
    >>> net = train(x, y, hidden=(16,), epochs=20, rng=0)
    >>> small = prune_gradually(net, x, y, 0.1, 60, renew_every=10, learning_rate=0.01, rng=0)
    >>> sum(int((layer.w != 0).sum()) for layer in small.layers), bool((small.predict(x) == y).mean() > 0.9)
    (12, True)
    """
    settings = TrainingSettings(epochs, loss, "adam", learning_rate, batch_size, 0.9, weight_decay, None)
    schedule = _checked_schedule(model, density, schedule_share, renew_every, rate_weight)
    rows = check_training_rows(x, y, validation, settings, (model.n_inputs, model.neurons[-1]))
    scaling = choose_network_scaling(rows, model.dtype, model.activation_names[-1])
    rows = distilled_rows(rows, teacher, temperature, teacher_share)
    sparse = fit(
        scaling.unfold(model.parameters),
        model.activation_names,
        rows,
        scaling,
        settings,
        progress,
        np.random.default_rng(rng),
        Constraints([layer.w != 0 for layer in model.layers], mask_schedule=schedule),
    )
    return drop_dead_neurons(sparse)


def _checked_schedule(model: Any, density: float, share: float, every: int, rate_weight: float) -> PruningSchedule:
    if not isinstance(model, FloatMLP):
        raise TypeError(f"the model is a {type(model).__name__}; gradual pruning trains a FloatMLP")
    for name, value in (("density", density), ("schedule_share", share), ("rate_weight", rate_weight)):
        if isinstance(value, bool) or not isinstance(value, RealNumber):
            raise TypeError(f"{name} is {value!r}; it must be a number")
    for name, value in (("density", density), ("schedule_share", share)):
        if not 0 < value <= 1:
            raise ValueError(f"{name} is {value}; it must be in (0, 1]")
    if not 0 <= rate_weight < np.inf:
        raise ValueError(f"rate_weight is {rate_weight}; it must be at least 0 and finite")
    weights = sum(layer.w.size for layer in model.layers)
    goal = int(density * weights + 1e-9)
    if goal < len(model.layers):
        raise ValueError(
            f"density {density} leaves {goal} of {weights} weights in {len(model.layers)} layers; "
            f"give at least {len(model.layers) / weights:.3g}"
        )
    return PruningSchedule(weights, goal, share, check_whole(every, "renew_every"), rate_weight)
