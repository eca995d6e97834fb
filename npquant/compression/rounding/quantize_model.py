"""The front door of quantization: a float network, a width and a method in; an integer network and its report out.

Legend: R calibration rows, K inputs. Labels as in method_names, U6 in keeping_zeros, E24 to E26 in
rectified/scale_tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Indices
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import (
    Quantized,
    Rounding,
    checked_targets,
    quantize_by_layers,
    rows_of,
)
from npquant.compression.chain.method_choice import MethodChoice
from npquant.compression.chain.output_ends import output_kind
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.held_out import candidates, choose_by_held_out
from npquant.compression.rounding.keeping_zeros import round_keeping_zeros
from npquant.compression.rounding.method_names import AUTO
from npquant.compression.rounding.methods import deterministic_rounding, rounding_of
from npquant.compression.rounding.rectified.network import rectified_codes, tuning_by
from npquant.nn.activations import activate

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


def quantize_model(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    method: str | Rounding = "rectified",
    keep_zeros: bool = False,
    polish_steps: int = 0,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
) -> Quantized:
    """Quantize a network by any method, and say what the rounding of each layer cost.

    Parameters
    ----------
    model : FloatMLP
        The float network; not modified.
    x_calibration : array, shape (R, K)
        Training rows, real values; a few hundred suffice.
    bits : int, "ternary" or sequence of these
        Weight width: 2..8 or ternary, for all layers or for each.
    activation_bits : int or sequence of int
        1..8 (tanh at least 2) or 16, for the outputs of all hidden layers or of each. Inputs and logits have 16 bits
        beside hidden outputs of 16, else 8; 16 for all makes them 16 without hidden layers, too.
    rng : int, Generator or None
        For "adaround" and for polish_steps; nothing else is drawn.
    method : {"rectified", "uniform", "nearest", "gptq", "gptq_resolved", "gpfq", "adaround", "auto"} or callable
        How weights are rounded: `quantize_<method>` with its defaults, or a function (LayerProblem, bits) ->
        LayerCodes. "auto" tries "rectified", the same with all rows alike, "gptq_resolved", "gptq" and "nearest" on
        three calibration rows in four, and takes what is best on the others (E31), in several times the time.
    keep_zeros : bool
        Round each neuron's nonzero weights alone, so that no 0 comes back: `quantize_keeping_zeros`. Needs a name, and
        not "adaround".
    polish_steps : int
        Steps that tune scales and biases of all layers together at the end, 0 for none; they need 512 rows.
    calibrate : callable
        Values -> (lo, hi), for ranges that the activation does not bound.
    targets : sequence of arrays, shapes (R, N), optional
        Pre-activations that every layer is to come close to; by default those of `model`. A pruned model takes the
        original's.
    inputs : {"auto", "exact", "by_feature"}
        Whole numbers that span at most 255 (at 16 bits: within 32,767 of 0) as they are, one step of 1 for all, or a
        scale a feature, folded into the first layer. "auto" takes exact ones where they cost the weights no more than
        half a bit.
    output : {"auto", "softmax", "identity"}
        What the outputs are: logits of classes, or real values, which get an offset, and several of them factors,
        where 8-bit codes around 0 would leave an output less than half of its steps. "auto": real if there is one.

    Returns
    -------
    Quantized
        `network`, an IntegerMLP with its accumulators proven, and `report`, one LayerReport a layer (before the tuning)
        for "rectified", else (). With "auto" `choice` says which method was taken, and why; else it is None.

    Raises
    ------
    TypeError
        If the model is an integer one already.
    ValueError
        If a parameter, the rows or the weights are not valid.
    OverflowError
        If a bias or an accumulator cannot be held in int32, or beside 16-bit inputs in 48 bits.

    Notes
    -----
    Layer by layer: each sees the real values of the codes that the integer layers before it deliver, so that it repairs
    what they did.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> network, (report,) = quantize_model(model, [[0, 4], [4, 0]], "ternary")
    >>> network.layers[0].w_q.ravel(), report.phi <= report.phi_uniform, report.phi <= report.bound
    (array([ 1, -1], dtype=int8), True, True)
    """
    kind = output_kind(output, model.neurons[-1])
    finish, choice = tuning_by(polish_steps, kind, rng), None
    if method == AUTO and not keep_zeros:
        choice = choose_method(
            model,
            x_calibration,
            bits,
            activation_bits,
            calibrate=calibrate,
            targets=targets,
            inputs=inputs,
            output=output,
        )
        method = candidates(kind)[choice.taken]
    made = quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        _rounding_of(method, rng, kind, keep_zeros=keep_zeros),
        calibrate=calibrate,
        targets=targets,
        inputs=inputs,
        output=output,
        finish=finish,
    )
    return replace(made, choice=choice)


def choose_method(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits],
    activation_bits: int | Sequence[int] = 8,
    *,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
) -> MethodChoice:
    """E31: say which method rows held out of calibration take.

    model, x_calibration, bits, activation_bits, calibrate, targets, inputs, output and errors as in `quantize_model`.

    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> choose_method(model, [[0, 4], [4, 0]], 4).reason
    'rows are too few to hold any out'
    """
    rows = rows_of(model, x_calibration)
    z = checked_targets(model.pre_activations(rows) if targets is None else targets, model, len(rows))
    logits = np.asarray(activate(model.layers[-1].activation, z[-1]), np.float64)

    def make(rounding: Rounding, at: Indices) -> Quantized:
        return quantize_by_layers(
            model,
            rows[at],
            bits,
            activation_bits,
            rounding,
            calibrate=calibrate,
            targets=[one[at] for one in z],
            inputs=inputs,
            output=output,
        )

    return choose_by_held_out(rows, logits, output_kind(output, model.neurons[-1]), make)


def _rounding_of(
    method: str | Rounding, rng: int | np.random.Generator | None, kind: str, *, keep_zeros: bool
) -> Rounding:
    """Return the way to round that a name stands for, or the function given; refuse what does not go together."""
    if keep_zeros:
        if not isinstance(method, str):
            raise ValueError(f"keep_zeros needs the name of a method, not {method!r}")
        deterministic_rounding(method)  # refuses a name before any row is looked at
        return partial(round_keeping_zeros, method=method, output=kind)
    if method == "rectified":
        return partial(rectified_codes, output=kind)
    return rounding_of(method, rng) if isinstance(method, str) else method
