"""Laws of the method "auto": who is asked, on which rows, and what is made of the answer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.arrays import Indices
from npquant.compression.chain.integer_chain import LayerProblem, Quantized, Rounding, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.held_out import candidates, choose_by_held_out
from npquant.compression.rounding.method_names import AUTO_METHODS, DRAWING_METHODS, METHOD_NAMES
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.network import rectified_codes
from npquant.integer.mlp import IntegerMLP
from npquant.nn.losses import kl_divergence
from npquant.nn.model import DenseLayer, FloatMLP
from tests.compression.rounding.test_peers import drawn_network, drawn_rows


def even(model: FloatMLP, x: np.ndarray, bits: Bits, **options: Any) -> IntegerMLP:
    """The rectified method with all d2 = 1, but for the logits."""

    def round_layer(problem: LayerProblem, bits: Bits) -> LayerCodes:
        weights = (
            activation_weights("identity", problem.z, 0.0, "softmax") if problem.last else np.ones(problem.z.shape)
        )
        return rectified_codes(problem, bits, weights)

    return quantize_by_layers(model, x, bits, 8, round_layer, **options).network


BY_HAND: dict[str, Callable[..., IntegerMLP]] = {
    "rectified": npquant.quantize_rectified,
    "rectified_even": even,
    "gptq_resolved": partial(npquant.quantize_gptq_resolved, damping=0.1, orient=True),
    "gptq": partial(npquant.quantize_gptq, damping=0.3, orient=True),
    "nearest": partial(npquant.quantize_nearest, orient=True),
}


def test_candidates_are_methods_that_draw_nothing() -> None:
    """Each name but one is of the table, and none draws: the same rows give the same choice."""
    assert set(AUTO_METHODS) - {"rectified_even"} <= set(METHOD_NAMES) - set(DRAWING_METHODS)
    assert tuple(candidates("softmax")) == tuple(BY_HAND) == AUTO_METHODS


@pytest.mark.parametrize("bits", [4, 2])
@pytest.mark.parametrize("name", AUTO_METHODS)
def test_candidates_are_the_functions_of_their_names(name: str, bits: int) -> None:
    """The peers have their best settings, and both sides of the grid at 2 bits."""
    model, x = drawn_network(5), drawn_rows(5)
    made = quantize_by_layers(model, x, bits, 8, candidates("softmax")[name])
    assert made.network == BY_HAND[name](model, x, bits)


def test_rows_held_out_reach_no_candidate() -> None:
    """A quarter of the rows, drawn once for all; what decides is their divergence, and nothing else is made."""
    model, x = drawn_network(6), drawn_rows(6, 120)
    seen: list[Indices] = []

    def make(rounding: Rounding, at: Indices) -> Quantized:
        seen.append(at)
        return quantize_by_layers(model, x[at], 3, 8, rounding)

    logits = model.logits(x).astype(np.float64)
    choice = choose_by_held_out(x, logits, "softmax", make)
    assert len(seen) == len(AUTO_METHODS) and all(np.array_equal(at, seen[0]) for at in seen)
    assert len(np.unique(seen[0])) == 90 and choice.rows == 30
    held_out = np.setdiff1d(np.arange(120), seen[0])
    for name, error in choice.errors:
        made = BY_HAND[name](model, x[seen[0]], 3)
        by_hand = kl_divergence(logits[held_out], made.logits(x[held_out]))
        assert error == pytest.approx(by_hand)


def isotropic(seed: int, rows: int, inputs: int, neurons: int) -> tuple[FloatMLP, np.ndarray]:
    """Return a linear network, and rows whose inputs have nothing in common: no error can be carried to another."""
    rng = np.random.default_rng(seed)
    w = rng.normal(0, 1 / np.sqrt(inputs), (inputs, neurons))
    return FloatMLP((DenseLayer(w, np.zeros(neurons), "identity"),)), rng.normal(0, 1, (rows, inputs))


@pytest.mark.parametrize("seed", range(3))
def test_auto_is_the_function_of_what_it_took(seed: int) -> None:
    """The network is that of the method named, on all rows; with fewer rows than inputs on isotropic rows, too."""
    model, x = isotropic(seed, 96, 80, 5)
    made = quantize_model(model, x, 3, method="auto", output="softmax")
    assert made.choice is not None
    assert made.network == BY_HAND[made.choice.taken](model, x, 3, output="softmax")
    assert len(made.report) == made.choice.taken.startswith("rectified")
    assert made.network == quantize_model(model, x, 3, method="auto", output="softmax").network
    errors = dict(made.choice.errors)
    assert errors[made.choice.taken] <= errors["rectified"]


def test_auto_takes_the_first_where_rows_are_few() -> None:
    """Below 64 rows none is held out, and the choice says so."""
    model, x = drawn_network(7), drawn_rows(7, 63)
    made = quantize_model(model, x, 3, method="auto")
    assert made.choice is not None and made.choice.rows == 0 and made.choice.taken == "rectified"
    assert made.network == npquant.quantize_rectified(model, x, 3)
    assert quantize_model(model, drawn_rows(7, 64), 3, method="auto").choice.rows == 16


def test_auto_holds_targets_out_too() -> None:
    """Targets of one's own are what a candidate is compared with, and rounded towards, row by row."""
    model, x = drawn_network(8), drawn_rows(8, 100)
    moved = [np.asarray(z, np.float64) + 0.1 for z in model.pre_activations(x)]
    made = quantize_model(model, x, 4, method="auto", targets=moved)
    assert made.choice is not None
    assert made.network == BY_HAND[made.choice.taken](model, x, 4, targets=moved)
    with pytest.raises(ValueError, match="targets have shapes"):
        quantize_model(model, x, 4, method="auto", targets=moved[:1])


def test_auto_keeps_no_zeros() -> None:
    """A name must be given for that."""
    with pytest.raises(ValueError, match="the method is 'auto'; here it is one of"):
        quantize_model(drawn_network(9), drawn_rows(9), 4, method="auto", keep_zeros=True)
