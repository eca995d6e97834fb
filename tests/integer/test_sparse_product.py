"""Laws of the sparse product: the sums of the dense one, one multiply-accumulate a nonzero, a rule that says when."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.integer import fast_npquant
from npquant.integer.fast_npquant import prepare_layer, run_prepared
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.integer.sparse_product import (
    SPARSE_BELOW,
    SPARSE_FROM,
    choose_kernel,
    compress_weights,
    multiply_compressed,
)
from npquant.kernels.exact import FLOAT32_EXACT
from npquant.kernels.matmul import matmul_int8
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.npquant import NPQUANT
from tests.integer.test_mlp import ACTIVATIONS, random_layer, random_params

Int8 = NDArray[np.int8]
Product = Callable[[Int8, Int8], NDArray[np.int32]]
SEEDS = st.integers(0, 2**32 - 1)
DENSITIES = st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0])


def law_product_is_exact(product: Product, x_q: Int8, w_q: Int8) -> None:
    """R15: the sums of the plain product, bit for bit, dtype and shape included."""
    sums, wanted = product(x_q, w_q), matmul_int8(x_q, w_q)
    assert sums.dtype == np.int32
    np.testing.assert_array_equal(sums, wanted)


def matmul_int8_sparse(x_q: Int8, w_q: Int8) -> NDArray[np.int32]:
    """Take the sparse product of two int8 matrices: compress, multiply one example a column, turn back."""
    weights = compress_weights(w_q.astype(np.int16), 128)
    codes = np.ascontiguousarray(x_q.T).astype(np.float32)
    return np.ascontiguousarray(multiply_compressed(weights, codes).T).astype(np.int32)


def thinned(rng: np.random.Generator, w_q: Int8, density: float, zero: int = 0) -> Int8:
    """Set all but a share of the weights to the zero point."""
    return np.where(rng.random(w_q.shape) < density, w_q, np.int8(zero))


@given(SEEDS, DENSITIES, st.integers(0, 5), st.integers(0, 40), st.integers(0, 9))
def test_multiply_compressed_is_exact(seed: int, density: float, b: int, k: int, n: int) -> None:
    """Every density and shape, empty ones too."""
    rng = np.random.default_rng(seed)
    x_q, w_q = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((b, k), (k, n)))
    law_product_is_exact(matmul_int8_sparse, x_q, thinned(rng, w_q, density))


@pytest.mark.parametrize("k", [1024, 1025, 2048])
def test_multiply_compressed_is_exact_at_the_largest_sums(k: int) -> None:
    """C6: 1,024 products of 2^14 fill float32's integers; odd sums above need float64, and get it."""
    x_q, w_q = np.full((2, k), -128, np.int8), np.full((k, 2), -128, np.int8)
    x_q[1, 0], w_q[0, 1] = 1, 127
    assert compress_weights(w_q.astype(np.int16), 128).dtype == (np.float32 if k == 1024 else np.float64)
    law_product_is_exact(matmul_int8_sparse, x_q, w_q)


def always_float32(x_q: Int8, w_q: Int8) -> NDArray[np.int32]:
    """Trust float32 beyond 2^24."""
    weights = compress_weights(w_q.astype(np.int16), 128).astype(np.float32)
    return np.asarray(weights @ x_q.T.astype(np.float32)).T.astype(np.int32)


def in_int8(x_q: Int8, w_q: Int8) -> NDArray[np.int32]:
    """Accumulate in the operands' own type."""
    return (x_q @ w_q).astype(np.int32)


@pytest.mark.parametrize("mutant", [always_float32, in_int8])
def test_law_product_is_exact_kills(mutant: Product) -> None:
    """Sums rounded to float32, or wrapped to int8, are seen."""
    x_q, w_q = np.full((1, 1025), -127, np.int8), np.full((1025, 1), -127, np.int8)
    x_q[0, 0] = 1
    assert 127 * 127 * 1025 > FLOAT32_EXACT - 2**18
    big = np.full((1, 3001), 127, np.int8), np.full((3001, 1), 127, np.int8)
    with pytest.raises(AssertionError):
        law_product_is_exact(mutant, x_q, w_q)
        law_product_is_exact(mutant, *big)


@st.composite
def sparse_networks(draw: st.DrawFn) -> tuple[IntegerMLP, Int8, list[str]]:
    """Draw a network whose layers have few nonzero weights, codes, and a product for each layer."""
    activations = draw(st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=3))
    widths = draw(st.lists(st.integers(1, 12), min_size=len(activations) + 1, max_size=len(activations) + 1))
    rng = np.random.default_rng(draw(SEEDS))
    x = first = random_params(rng, 1.0, narrow=True)
    layers = []
    for i, activation in enumerate(activations):
        layer = random_layer(rng, x, (widths[i], widths[i + 1]), activation)
        zero = int(layer.w.zero_point)
        layers.append(replace(layer, w_q=thinned(rng, layer.w_q, draw(DENSITIES), zero)))
        x = layers[-1].y  # type: ignore[assignment]
    codes = rng.integers(first.qmin, first.qmax + 1, (draw(st.integers(0, 6)), widths[0])).astype(np.int8)
    products = [draw(st.sampled_from(["dense", "sparse"])) for _ in layers]
    return IntegerMLP(tuple(layers), first), codes, products


def law_route_is_plain(net: IntegerMLP, codes: Int8, products: list[str]) -> None:
    """Whatever product a layer uses, and whatever its neighbours use, the codes are those of the plain layer."""
    prepared = tuple(prepare_layer(layer, kernel) for layer, kernel in zip(net.layers, products, strict=True))
    assert [part.kernel for part in prepared] == products
    np.testing.assert_array_equal(run_prepared(prepared, codes), net.run_plain(codes))


@given(sparse_networks())
def test_run_prepared_is_plain_for_any_mixture(case: tuple[IntegerMLP, Int8, list[str]]) -> None:
    """Dense and sparse layers in any order, in blocks of rows of any size."""
    net, codes, products = case
    law_route_is_plain(net, codes, products)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_npquant, "BLOCK_ROWS", 3)
        patch.setattr(fast_npquant, "PART_ELEMENTS", 4)
        law_route_is_plain(net, codes, products)


def deep_layer(k: int, scale: float) -> IntegerLayer:
    """Return a layer of two neurons whose sums leave float32, or whose formula fails at tiny scales."""
    p, y = QuantParams(1.0, 0, -128, 127), QuantParams(scale, 3, -128, 127)
    w_q = np.random.default_rng(0).integers(-128, 128, (k, 2)).astype(np.int8)
    return IntegerLayer(w_q, np.array([5, -9], np.int32), p, QuantParams(1.0, 0, -128, 127), y, "relu")


@pytest.mark.parametrize("layer", [deep_layer(3000, 2.0**16), deep_layer(3000, 1e15), deep_layer(30, 2.0**40)])
def test_run_prepared_is_plain_beyond_float32(layer: IntegerLayer) -> None:
    """Sums beyond 2^24 are taken in float64, and a layer without a float formula in int64."""
    net = IntegerMLP((layer,), layer.x)
    codes = np.random.default_rng(1).integers(-128, 128, (7, layer.shape[0])).astype(np.int8)
    law_route_is_plain(net, codes, ["sparse"])


def test_law_route_is_plain_kills_a_lost_nonzero(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product that loses the last nonzero weight of the layer is seen."""

    def losing(weights: object, codes: NDArray[np.float32]) -> NDArray[np.floating]:
        return np.asarray(weights.multiply(np.arange(weights.shape[1]) < weights.indices.max()) @ codes)  # type: ignore[attr-defined]

    monkeypatch.setattr(fast_npquant, "multiply_compressed", losing)
    layer = deep_layer(30, 2.0**10)
    codes = np.full((1, 30), 100, np.int8)
    with pytest.raises(AssertionError):
        law_route_is_plain(IntegerMLP((layer,), layer.x), codes, ["sparse"])


def test_choose_kernel_goes_by_count_and_size() -> None:
    """Sparse below the density and from the size on, on both sides of each limit."""
    size = 128 * 128
    assert size == SPARSE_FROM
    w = np.zeros(size, np.int16)
    w[: int(SPARSE_BELOW * size)] = 1
    assert choose_kernel(w.reshape(128, 128)) == "sparse"
    w[int(SPARSE_BELOW * size)] = 1
    assert choose_kernel(w.reshape(128, 128)) == "dense"
    assert choose_kernel(np.zeros((127, 129), np.int16)) == "dense"


def wide_network(density: float, profile: str | None = None) -> IntegerMLP:
    """Return a network with one layer large enough for the sparse product, and one that is not."""
    rng = np.random.default_rng(0)
    p = QuantParams(1.0, 0, -128, 127)
    layers: list[Any] = []
    for k, n in ((200, 150), (150, 10)):
        w_q = thinned(rng, rng.integers(1, 128, (k, n)).astype(np.int8), density)
        y = QuantParams(128.0, 0, -128, 127) if not layers else p
        layers.append(IntegerLayer(w_q, np.zeros(n, np.int32), p if not layers else layers[-1].y, p, y, "identity"))
    return IntegerMLP(tuple(layers), p, profile=get(profile) if profile else NPQUANT)


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_network_says_what_it_executes(density: float) -> None:
    """kernels follow the rule, executed_macs counts nonzeros in sparse layers alone, macs never does."""
    net = wide_network(density)
    nonzeros = int(np.count_nonzero(net.layers[0].w_q))
    assert net.macs == 200 * 150 + 1500
    if density < SPARSE_BELOW:
        assert net.kernels == ("sparse", "dense") and net.executed_macs == nonzeros + 1500
    else:
        assert net.kernels == ("dense", "dense") and net.executed_macs == net.macs
    codes = np.random.default_rng(1).integers(-128, 128, (600, 200)).astype(np.int8)
    np.testing.assert_array_equal(net.run(codes), net.run_plain(codes))


def test_network_under_an_engine_has_no_sparse_product() -> None:
    """Another profile runs dense, or plainly where float32 is not exact for it."""
    assert wide_network(0.05, "ort").kernels == ("dense", "dense")
    assert wide_network(0.05, "fbgemm").kernels == ("plain", "plain")
    assert wide_network(0.05, "ort").executed_macs == wide_network(0.05).macs


def test_sparse_layer_counts_from_the_zero_point() -> None:
    """A weight at the zero point is no product; one whose code is 0 is."""
    p = QuantParams(1.0, 0, -128, 127)
    w = QuantParams(1.0, 7, -128, 127)
    w_q = np.full((128, 128), 7, np.int8)
    w_q[0, 0] = 0
    net = IntegerMLP((IntegerLayer(w_q, np.zeros(128, np.int32), p, w, p, "identity"),), p)
    assert net.kernels == ("sparse",) and net.executed_macs == 1
    codes = np.random.default_rng(1).integers(-128, 128, (5, 128)).astype(np.int8)
    np.testing.assert_array_equal(net.run(codes), run_layer_plain(net.layers[0], codes, NPQUANT))
