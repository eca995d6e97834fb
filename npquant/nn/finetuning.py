"""Training, 10 of 10: fine-tuning, with a teacher, through a quantizer, and with weights that are 0 kept at 0.

Legend: R rows, K features, C outputs; x (R, K) raw real inputs, y (R,) class indices or (R, C) real targets. Labels F13
to F15 are derived in docs/finetuning.md.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64, Indices
from npquant.nn.descent import fit
from npquant.nn.distillation import Teacher, distilled_rows
from npquant.nn.layers import Parameters
from npquant.nn.model import FloatMLP
from npquant.nn.scaling import NetworkScaling, choose_network_scaling
from npquant.nn.settings import Constraints, Progress, QuantizedForward, Quantizer, TrainingSettings
from npquant.nn.training_rows import TrainingRows, Validation, check_training_rows


def finetune(
    model: FloatMLP,
    x: ArrayLike,
    y: ArrayLike,
    epochs: int = 5,
    *,
    teacher: Teacher | None = None,
    temperature: float = 2.0,
    teacher_share: float = 0.7,
    quantizer: Quantizer | None = None,
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
    """Train an existing network further, at its own shapes, activations and dtype; weights that are 0 stay 0.

    Parameters
    ----------
    model : FloatMLP
        Where to start; not changed.
    x, y, epochs, validation, loss, optimizer, learning_rate, batch_size, momentum, weight_decay, patience
        As for `train`. Classes of the network may be without a row.
    teacher : FloatMLP or array of float, shape (R, C), optional
        A network of the same inputs and outputs, or its outputs on x: what to imitate besides y (F13).
    temperature : float
        Divides the teacher's logits, > 0; for classes alone.
    teacher_share : float
        Weight of the teacher against y, in [0, 1].
    quantizer : Quantizer, optional
        What the forward pass rounds the weights by (F14): `npquant.StraightThrough`. The
        weights that are returned lie on its grid.
    progress, rng
        As for `train`.

    Returns
    -------
    FloatMLP
        A new network of the same shapes.

    Raises
    ------
    TypeError, ValueError
        As `train`; also if x, y, the teacher or the quantizer does not fit the network.

    Notes
    -----
    Descends in scaled units, as `train` does: the scaling of x is taken out of the first layer and folded in again at
    the end (F8), so a rate means the same for both.
    F15: a weight that is exactly 0 has been pruned. It gets no step, so a sparse network stays as sparse as it is;
    where all weights of an input are 0, the input is not even read. Biases are always trained.
    The loss sees the outputs, behind the last layer's activation where it has one: cross-entropy behind a ReLU trains,
    but a row whose right class has the output 0 moves that class by no gradient (F3). Real targets are then not scaled.

    Examples
    --------
    >>> from npquant.nn.training import train
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> net = train(x, [0, 0, 1, 1], hidden=(8,), epochs=200, rng=0)
    >>> finetune(net, x, [0, 0, 1, 1], teacher=net, rng=0).neurons == net.neurons
    True
    """
    if not isinstance(model, FloatMLP):
        raise TypeError(f"the model is a {type(model).__name__}; fine-tune the FloatMLP, then quantize it")
    settings = TrainingSettings(epochs, loss, optimizer, learning_rate, batch_size, momentum, weight_decay, patience)
    if quantizer is not None:
        quantizer.check(len(model.layers))
    rows = check_training_rows(x, y, validation, settings, (model.n_inputs, model.neurons[-1]))
    scaling = choose_network_scaling(rows, model.dtype, model.activation_names[-1])
    rows = distilled_rows(rows, teacher, temperature, teacher_share)
    return fit(
        scaling.unfold(model.parameters),
        model.activation_names,
        rows,
        scaling,
        settings,
        progress,
        np.random.default_rng(rng),
        _constraints(model, rows, scaling, quantizer),
    )


def _constraints(
    model: FloatMLP, rows: TrainingRows, scaling: NetworkScaling, quantizer: Quantizer | None
) -> Constraints:
    """Keep zeros where there are any, and put the quantizer into the forward pass."""
    masks = [layer.w != 0 for layer in model.layers]
    dense = all(mask.all() for mask in masks)
    start = None
    if quantizer is not None:
        unit = quantizer.input_steps(rows.x, model.layers[0].w) / scaling.inputs.d
        start = partial(_start_forward, quantizer, model.activation_names, unit)
    return Constraints(None if dense else masks, start)


def _start_forward(
    quantizer: Quantizer,
    activations: tuple[str, ...],
    unit: Float64,
    parameters: Parameters,
    inputs: Indices,
) -> QuantizedForward:
    """Begin the quantizer's forward pass with the steps of the inputs that are left."""
    return quantizer.start(parameters, activations, unit[inputs])
