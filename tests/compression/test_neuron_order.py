"""Laws of the order of neurons (O1, O2): another order, the same function; alike neurons beside each other."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.codec.weight_stream import encode_weights
from npquant.compression.neuron_order import reorder_neurons
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams


def network(rng: np.random.Generator, widths: Any, kinds: Any = 1, per_channel: bool = True) -> Any:
    """A network whose hidden neurons are of so many kinds by the weights that lead on from them."""
    p, layers = QuantParams(0.5, 3, -128, 127), []
    for k, n in pairwise(widths):
        kind = rng.integers(0, kinds, k)
        w_q = np.where(rng.random((kinds, n)) < 0.3, rng.integers(-7, 8, (kinds, n)), 0)[kind].astype(np.int8)
        zero_point = rng.integers(-8, 8, n) if per_channel else 0
        w = QuantParams(rng.uniform(0.01, 0.1, n) if per_channel else 0.1, zero_point, -8, 7)
        layers.append(IntegerLayer(w_q, rng.integers(-99, 99, n).astype(np.int32), p, w, p, "relu"))
    return IntegerMLP(tuple(layers), p)


def law_same_function(reorder: Any, model: Any, rng: np.random.Generator) -> None:
    x = rng.integers(-128, 128, (20, model.n_inputs)).astype(np.int8)
    other = reorder(model)
    np.testing.assert_array_equal(other.run(x), model.run(x))
    assert [layer.shape for layer in other.layers] == [layer.shape for layer in model.layers]
    np.testing.assert_array_equal(np.sort(other.layers[0].bias), np.sort(model.layers[0].bias))


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 12), min_size=2, max_size=4), st.booleans())
def test_reorder_neurons_keeps_the_function(seed: int, widths: Any, per_channel: bool) -> None:
    """Every output code stays, per-channel scales and zero points included."""
    rng = np.random.default_rng(seed)
    law_same_function(reorder_neurons, network(rng, widths, 3, per_channel), rng)


def test_law_kills_an_order_that_forgets() -> None:
    """The law fails where biases keep their places."""

    def forgetful(model: Any) -> Any:
        other = reorder_neurons(model)
        first = other.layers[0]
        kept = IntegerLayer(first.w_q, model.layers[0].bias, first.x, first.w, first.y, first.activation)
        return IntegerMLP((kept, *other.layers[1:]), other.input_params)

    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError):
        law_same_function(forgetful, network(rng, (4, 12, 3), 3), rng)


def law_is_a_chain(order_of: Any, model: Any) -> None:
    """O2: each neuron is the nearest of those that come after the one before it, of equals the first by index."""
    rows = np.sign(model.layers[1].centred_weights.astype(int))
    order = order_of(model)
    assert sorted(order) == list(range(len(rows)))
    assert order[0] == int(np.argmax(np.abs(rows).sum(axis=1)))
    for at in range(1, len(order)):
        rest = sorted(order[at:])
        distances = [int(np.abs(rows[i] - rows[order[at - 1]]).sum()) for i in rest]
        assert order[at] == rest[int(np.argmin(distances))]


def order_found(model: Any) -> Any:
    """Which neuron stands where: recognized by its bias."""
    biases = model.layers[0].bias.tolist()
    return [biases.index(b) for b in reorder_neurons(model).layers[0].bias.tolist()]


def test_reorder_neurons_is_the_chain_of_nearest() -> None:
    """O1 and O2, place by place; the law fails on the order of the number of weights."""
    rng = np.random.default_rng(1)
    model = network(rng, (5, 15, 6), 15, per_channel=False)
    assert len(set(model.layers[0].bias.tolist())) == 15
    law_is_a_chain(order_found, model)
    with pytest.raises(AssertionError):
        law_is_a_chain(lambda m: np.argsort(-np.count_nonzero(m.layers[1].w_q, axis=1)).tolist(), model)


def test_alike_neurons_take_fewer_bytes_together() -> None:
    """Where neurons come in kinds, the next layer's arithmetic code is shorter in the new order."""
    model = network(np.random.default_rng(2), (5, 60, 40), 6, per_channel=False)
    before, after = (len(encode_weights(m.layers[1].w_q, 0, "arithmetic")[1]) for m in (model, reorder_neurons(model)))
    assert after < before
    assert reorder_neurons(reorder_neurons(model)).run(np.zeros((1, 5), np.int8)).shape == (1, 40)
