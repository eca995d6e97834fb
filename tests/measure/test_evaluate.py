"""Laws of evaluation and comparison."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.rounding.uniform import quantize_uniform
from npquant.measure.evaluate import compare, evaluate, in_float64, layer_sqnr
from npquant.nn.model import DenseLayer, FloatMLP


def drawn_net(seed: int) -> FloatMLP:
    rng = np.random.default_rng(seed)
    shapes = ((4, 6, "clipped_relu"), (6, 5, "relu"), (5, 3, "identity"))
    return FloatMLP(tuple(DenseLayer(rng.normal(0, 0.5, (k, n)), rng.normal(0, 0.2, n), name) for k, n, name in shapes))


def drawn_rows(seed: int, rows: int = 40) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 2, (rows, 4)), rng.integers(0, 3, rows)


@given(st.integers(0, 1000))
def test_compare_counts_add_up(seed: int) -> None:
    """Correct rows of both differ by exactly b - c; a network agrees with itself on every row."""
    (x, y), one, two = drawn_rows(seed), drawn_net(seed), drawn_net(seed + 1)
    a, b = evaluate(one, x, y), evaluate(two, x, y)
    found = compare(a, b)
    assert a.n_correct - b.n_correct == found.paired.b - found.paired.c
    assert found.agreement >= found.rows - (found.paired.b + found.paired.c) - int(np.sum(~a.correct & ~b.correct))
    assert (compare(a, a).agreement, compare(a, a).kl) == (a.rows, 0.0)


def test_evaluate_refuses_classes_and_empty_rows() -> None:
    """A class that the network does not have, and no rows at all, are errors."""
    x, y = drawn_rows(0)
    with pytest.raises(ValueError, match="class 7"):
        evaluate(drawn_net(0), x, np.where(y == 0, 7, y))
    with pytest.raises(ValueError, match="R >= 1"):
        evaluate(drawn_net(0), x[:0], y[:0])


def test_layer_sqnr_grows_with_bits() -> None:
    """More bits, less noise, in every layer; one ratio a layer."""
    net, (x, _) = drawn_net(3), drawn_rows(3)
    coarse, fine = (layer_sqnr(net, quantize_uniform(net, x, bits), x) for bits in (3, 8))
    assert len(coarse) == 3
    assert all(a < b for a, b in zip(coarse, fine, strict=True))


def test_layer_sqnr_kept_selects_the_reference_neurons() -> None:
    """A network without some neurons is compared with those it still has; comparing with others shows."""
    net, (x, _) = drawn_net(4), drawn_rows(4)
    kept = np.array([5, 0, 3])
    first, second, last = net.layers
    # The removed neurons' output weights are zeroed in the reference, so that removing them changes nothing.
    w = np.zeros_like(second.w)
    w[kept] = second.w[kept]
    reference = FloatMLP((first, DenseLayer(w, second.b, second.activation), last))
    smaller = FloatMLP(
        (DenseLayer(first.w[:, kept], first.b[kept], "clipped_relu"), DenseLayer(w[kept], second.b, "relu"), last)
    )
    integer = quantize_uniform(smaller, x, 8)
    everything = np.arange(5), np.arange(3)
    right = layer_sqnr(reference, integer, x, (kept, *everything))
    wrong = layer_sqnr(reference, integer, x, (np.sort(kept), *everything))
    assert right[0] > 30 > wrong[0]
    assert right[1:] == wrong[1:]


def test_in_float64_is_exact() -> None:
    """Every float32 weight is a float64 number, unchanged."""
    net = drawn_net(5)
    layers = ((e.w.astype(np.float32), e.b.astype(np.float32), e.activation) for e in net.layers)
    narrow = FloatMLP(tuple(DenseLayer(*parts) for parts in layers))
    for layer, wide in zip(narrow.layers, in_float64(narrow).layers, strict=True):
        assert wide.w.dtype == np.float64
        np.testing.assert_array_equal(layer.w, wide.w)
