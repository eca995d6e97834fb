"""Laws of the dynamic network: it is its definition in whole numbers, near the float network by a bound, row by row."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.integer.dynamic_layer import GRANULARITIES, DynamicLayer, input_params, quantize_rows, run_dynamic_layer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.kernels.affine import quantize, quantize_truncating
from npquant.kernels.dynamic import dynamic_quantize_unit_empty
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams, choose_affine
from npquant.nn.activations import ACTIVATIONS, activate

Real = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
Run = Callable[[DynamicLayer, Real, str], Real]
SEEDS = st.integers(0, 2**32 - 1)
U = 2.0**-24


def gamma(roundings: int) -> float:
    """Return the relative error that so many float32 roundings in a row may leave."""
    return roundings * U / (1 - roundings * U)


def drawn_layer(rng: np.random.Generator, k: int, n: int, activation: str, x_bits: int) -> DynamicLayer:
    """Draw a layer; some columns are all zero."""
    w_q = rng.integers(-127, 128, (k, n)).astype(np.int8)
    w_q[:, rng.random(n) < 0.1] = 0
    w = QuantParams(rng.uniform(0.5, 2, n) / 127 / np.sqrt(k), 0, -128, 127)
    return DynamicLayer(w_q, w, rng.normal(0, 1, n), activation, x_bits)


def drawn_rows(rng: np.random.Generator, rows: int, k: int) -> Float64:
    """Draw rows of very different size and sign, some of them constant or zero."""
    x = rng.normal(rng.normal(0, 1, (rows, 1)), 1, (rows, k)) * 2.0 ** rng.integers(-20, 20, (rows, 1))
    kind = rng.integers(0, 8, rows)
    x[kind == 0] = 0.0
    x[kind == 1] = x[kind == 1][:, :1]
    x[kind == 2] = np.abs(x[kind == 2])
    x[kind == 3] = -np.abs(x[kind == 3])
    return x


@st.composite
def cases(draw: st.DrawFn) -> tuple[DynamicLayer, Float64, str]:
    """Draw a layer, rows for it and a granularity."""
    rng = np.random.default_rng(draw(SEEDS))
    k, n = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    layer = drawn_layer(rng, k, n, draw(st.sampled_from(list(ACTIVATIONS))), draw(st.integers(2, 8)))
    return layer, drawn_rows(rng, draw(st.integers(1, 6)), k), draw(st.sampled_from(GRANULARITIES))


def rows_of(params: QuantParams, rows: int) -> tuple[Float64, Float64]:
    """Return scale and zero point (rows, 1), in float64."""
    scale, zero = (np.broadcast_to(np.reshape(v, (-1, 1)), (rows, 1)) for v in (params.scale, params.zero_point))
    return scale.astype(np.float64), zero.astype(np.float64)


def by_definition(layer: DynamicLayer, x: Real, granularity: str) -> Real:
    """Compute D1 to D4 with Python's integers and one float32 number at a time."""
    z = np.empty((len(x), layer.shape[1]), np.float32)
    whole = [float(x.min()), float(x.max())]
    for i, row in enumerate(x):
        lo, hi = whole if granularity == "batch" else [float(row.min()), float(row.max())]
        p = choose_affine(lo, hi, layer.x_bits)
        codes = [int(v) - int(p.zero_point) for v in quantize(row, p)]
        for n in range(layer.shape[1]):
            acc = sum(c * int(v) for c, v in zip(codes, layer.w_q[:, n], strict=True))
            sw = np.float32(np.broadcast_to(layer.w.scale, layer.shape[1])[n])
            z[i, n] = np.float32(acc) * (np.float32(p.scale) * sw) + layer.b[n]
    return activate(layer.activation, z)


def law_run_is_its_definition(run: Run, layer: DynamicLayer, x: Float64, granularity: str) -> None:
    """D1 to D4, bit for bit, dtype and shape included."""
    result, wanted = run(layer, x, granularity), by_definition(layer, x, granularity)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, wanted)


@given(cases())
def test_run_dynamic_layer_is_its_definition(case: tuple[DynamicLayer, Float64, str]) -> None:
    """The layer on arrays is the layer in whole numbers."""
    law_run_is_its_definition(run_dynamic_layer, *case)


@given(SEEDS, st.integers(2, 8), st.sampled_from(GRANULARITIES), st.sampled_from([np.float32, np.float64]))
def test_quantize_rows_is_the_kernel(seed: int, bits: int, granularity: str, dtype: type) -> None:
    """R1: the codes of `quantize`, whose channels are the last axis, bit for bit."""
    x = drawn_rows(np.random.default_rng(seed), 9, 6).astype(dtype)  # type: ignore[var-annotated]
    params = input_params(x, bits, granularity)
    codes = quantize_rows(x, params)
    assert codes.dtype == np.int8
    np.testing.assert_array_equal(codes, quantize(x.T, params).T)


def without_zero_point(layer: DynamicLayer, x: Real, granularity: str) -> Real:
    """Forget the correction of D3."""
    params = input_params(x, layer.x_bits, granularity)
    acc = layer.accumulate(quantize(x.T, params).T.astype(np.int8), 0)
    scale, _ = rows_of(params, len(x))
    return np.asarray(activate(layer.activation, np.asarray(acc * scale * layer.w.scale + layer.b, np.float32)))


def of_the_next_row(layer: DynamicLayer, x: Real, granularity: str) -> Real:
    """Take the scale of the row below."""
    return np.roll(run_dynamic_layer(layer, np.roll(x, 1, axis=0), granularity), 1, axis=0)


def without_bias(layer: DynamicLayer, x: Real, granularity: str) -> Real:
    """Forget the bias."""
    return run_dynamic_layer(replace(layer, b=np.zeros_like(layer.b)), x, granularity)


@pytest.mark.parametrize("mutant", [without_zero_point, of_the_next_row, without_bias])
def test_law_run_is_its_definition_kills(mutant: Run) -> None:
    """A layer without D3's correction, with a neighbour's scale, or without bias is seen."""
    rng = np.random.default_rng(0)
    layer, x = drawn_layer(rng, 6, 5, "identity", 8), rng.normal(1, 1, (4, 6))
    with pytest.raises(AssertionError):
        law_run_is_its_definition(mutant, layer, x, "row")


def law_input_error_is_bounded(codes_of: Callable[[Float64, QuantParams], Any], x: Float64, bits: int) -> None:
    """D2: no value is farther from its code than half a step and what float32 adds to the range."""
    params = input_params(x, bits, "row")
    scale, zero = rows_of(params, len(x))
    error = np.abs(x - scale * (codes_of(x.T, params).T - zero))
    assert (error <= scale * (0.5 + (2**bits - 1) * 2.0**-23)).all()


@given(SEEDS, st.integers(2, 8))
def test_input_params_error_is_bounded(seed: int, bits: int) -> None:
    """D2 holds for rows of any size, sign and shape."""
    law_input_error_is_bounded(quantize, drawn_rows(np.random.default_rng(seed), 20, 7), bits)


def test_law_input_error_is_bounded_kills_truncation() -> None:
    """Codes that are cut off instead of rounded are up to a whole step away."""

    def truncated(x: Float64, params: QuantParams) -> Any:
        return quantize_truncating(np.abs(x) / params.scale / 256, 256).astype(np.int64) + params.zero_point

    with pytest.raises(AssertionError):
        law_input_error_is_bounded(truncated, np.abs(drawn_rows(np.random.default_rng(0), 20, 7)), 8)


@given(st.floats(-(2.0**100), 2.0**100, width=32), st.integers(1, 4), st.integers(2, 8))
def test_input_params_of_a_constant_row(value: float, k: int, bits: int) -> None:
    """Zero is code zero exactly; a constant row, or a single value, comes back up to float32's step."""
    x = np.full((1, k), value)
    params = input_params(x, bits, "row")
    scale, zero = rows_of(params, 1)
    assert (quantize(np.zeros((k, 1)), params).T == zero).all()
    if value == 0:
        assert params == QuantParams([1.0], [-(2 ** (bits - 1))], -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    back = scale * (quantize(x.T, params).T - zero)
    # The value is L steps; one rounding of the step moves it by L 2^-24 of a step. Below normal steps it is 0.
    normal = abs(value) / (2**bits - 1) >= FLOAT32_TINY
    assert (np.abs(back - x) <= (abs(value) * U * (1 + U) if normal else abs(value))).all()


def float_bound(layers: tuple[DynamicLayer, ...], weights: list[Float64], x: Float64, granularity: str) -> Float64:
    """Return D5 of every logit (B, C), from the rows that the dynamic network itself delivers."""
    error, h = np.zeros_like(x), np.asarray(x)
    for layer, w in zip(layers, weights, strict=True):
        params = input_params(h, layer.x_bits, granularity)
        scale, zero = rows_of(params, len(h))
        w_hat = layer.w_q * np.asarray(layer.w.scale, np.float64)
        v = (scale * (quantize(h.T, params).T - zero)) @ w_hat
        half_step = scale * (0.5 + (2**layer.x_bits - 1) * 2.0**-23)
        local = half_step * np.abs(w_hat).sum(axis=0) + np.abs(h) @ np.abs(w - w_hat)
        local += gamma(4) * np.abs(v) + gamma(2) * np.abs(layer.b) + 2.0**-118
        # The sums of this bound are themselves float64: K + 4 roundings.
        local += (len(w) + 4) * 2.0**-52 * (np.abs(h) @ np.abs(w) + np.abs(v))
        # Every activation moves by no more than its input; float32 exp and tanh are within 2^-20 of values up to 1.
        error = error @ np.abs(w) + local + (0 if layer.activation in ("identity", "relu") else 2.0**-20)
        h = np.asarray(run_dynamic_layer(layer, h, granularity), np.float64)
    return np.asarray(error)


def law_logits_are_near_float(run: Run, seed: int, activation: str, bits: int, granularity: str) -> None:
    """D5: every logit is within the bound of the float network's."""
    rng = np.random.default_rng(seed)
    widths = [int(n) for n in rng.integers(1, 9, 4)]
    weights = [rng.normal(0, 1, (k, n)) / np.sqrt(k) for k, n in pairwise(widths)]
    biases = [rng.normal(0, 1, n).astype(np.float32) for n in widths[1:]]
    names = [activation, activation, "identity"]
    layers = []
    for w, b, name in zip(weights, biases, names, strict=True):
        params = QuantParams(np.maximum(np.abs(w).max(axis=0), 1e-6) / 127, 0, -128, 127)
        layers.append(DynamicLayer(quantize(w, params).astype(np.int8), params, b, name, bits))
    x = drawn_rows(rng, 5, widths[0])
    h, real = np.asarray(x), x
    for layer, w in zip(layers, weights, strict=True):
        h = np.asarray(run(layer, h, granularity), np.float64)
        real = np.asarray(activate(layer.activation, real @ w + layer.b), np.float64)
    assert (np.abs(h - real) <= float_bound(tuple(layers), weights, x, granularity)).all()


@given(SEEDS, st.sampled_from(list(ACTIVATIONS)), st.integers(2, 8), st.sampled_from(GRANULARITIES))
def test_logits_are_near_float(seed: int, activation: str, bits: int, granularity: str) -> None:
    """D5 holds through three layers, for every activation, width and granularity."""
    law_logits_are_near_float(run_dynamic_layer, seed, activation, bits, granularity)


@pytest.mark.parametrize("mutant", [without_zero_point, of_the_next_row, without_bias])
def test_law_logits_are_near_float_kills(mutant: Run) -> None:
    """The bound is narrow enough to see each of these mistakes at 8 bits."""
    with pytest.raises(AssertionError):
        for seed in range(20):
            law_logits_are_near_float(mutant, seed, "relu", 8, "row")


@given(SEEDS, st.integers(-8, 8))
def test_logits_equal_float_on_the_grid(seed: int, exponent: int) -> None:
    """Weights and rows that lie on the grid lose nothing: the logits are the float network's, exactly."""
    rng = np.random.default_rng(seed)
    step = 2.0**exponent
    w_q = rng.integers(-127, 128, (6, 3)).astype(np.int8)
    w = QuantParams(np.full(3, step), 0, -128, 127)
    x = rng.integers(-100, 156, (8, 6)).astype(np.float64)
    x[:, 0], x[:, 1] = -100, 155
    hidden = DynamicLayer(
        np.eye(6, dtype=np.int8)[rng.permutation(6)], QuantParams(1.0, 0, -1, 1), np.zeros(6), "identity"
    )
    net = DynamicMLP((hidden, DynamicLayer(w_q, w, np.ones(3), "identity")))
    real = (x @ hidden.w_q.astype(np.float64)) @ (w_q * step) + 1
    np.testing.assert_array_equal(net.logits(x), real.astype(np.float32))


def networks(seed: int, granularity: str) -> tuple[DynamicMLP, Float64]:
    """Draw a network of every kind of activation, and rows that differ in size."""
    rng = np.random.default_rng(seed)
    names = [*rng.permutation(list(ACTIVATIONS))[:2], "identity"]
    widths = [int(n) for n in rng.integers(1, 40, 4)]
    layers = [drawn_layer(rng, widths[i], widths[i + 1], str(name), 8) for i, name in enumerate(names)]
    return DynamicMLP(tuple(layers), granularity), drawn_rows(rng, 9, widths[0])


def law_rows_are_independent(net: DynamicMLP, x: Float64) -> None:
    """A row's logits are the same alone, among others, and in another order; bit for bit."""
    together = net.logits(x)
    np.testing.assert_array_equal(np.concatenate([net.logits(row[np.newaxis]) for row in x]), together)
    np.testing.assert_array_equal(net.logits(x[::-1])[::-1], together)


@given(SEEDS)
def test_rows_are_independent(seed: int) -> None:
    """With one scale a row, no row looks at another."""
    law_rows_are_independent(*networks(seed, "row"))


def test_law_rows_are_independent_kills_batch_granularity() -> None:
    """With one scale a batch, every row pays for the largest."""
    with pytest.raises(AssertionError):
        for seed in range(10):
            law_rows_are_independent(*networks(seed, "batch"))


@given(SEEDS)
def test_batch_of_one_is_a_row(seed: int) -> None:
    """For a single row the two granularities are the same."""
    net, x = networks(seed, "row")
    np.testing.assert_array_equal(net.logits(x[:1]), replace(net, granularity="batch").logits(x[:1]))


def test_batch_granularity_costs_the_small_rows() -> None:
    """A row a thousand times smaller than its neighbour keeps no code of its own in a batch, and all in its row."""
    layer = DynamicLayer(np.eye(4, dtype=np.int8), QuantParams(1.0, 0, -1, 1), np.zeros(4), "identity")
    x = np.array([[0.0, 1.0, 2.0, 3.0], [0.0, 1000.0, 2000.0, 3000.0]])
    by_row, by_batch = (DynamicMLP((layer,), g).logits(x) for g in GRANULARITIES)
    assert not by_batch[0].any()
    assert np.abs(by_row[0] - x[0]).max() <= 3 / 255
    np.testing.assert_array_equal(by_row[1], by_batch[1])


@given(SEEDS)
def test_batch_codes_are_near_the_engines(seed: int) -> None:
    """D1 and R60 differ by float32's roundings of span and scale alone: 3 of 2^-24 on the scale, 1 on a code."""
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(), 1, (5, 7)).astype(np.float32)
    params, engine = input_params(x, 8, "batch"), dynamic_quantize_unit_empty(x)
    assert abs(float(params.scale) / float(engine.scale) - 1) <= gamma(3)
    assert abs(int(params.zero_point) + 128 - int(engine.zero_point)) <= 1
    assert np.abs(quantize(x, params).astype(int) + 128 - engine.codes.astype(int)).max() <= 2


def test_batch_codes_are_the_engines_where_the_scale_is() -> None:
    """Of 300 tensors most have R60's scale to the last bit, and then nearly all have its codes too."""
    same_scale = same_codes = 0
    rng = np.random.default_rng(0)
    for _ in range(300):
        x = rng.normal(rng.normal(), 1, (5, 7)).astype(np.float32)
        params, engine = input_params(x, 8, "batch"), dynamic_quantize_unit_empty(x)
        same_scale += bool(params.scale == engine.scale)
        same_codes += bool((quantize(x, params).astype(int) + 128 == engine.codes).all())
    assert same_scale > 150 and same_codes > 290


@given(SEEDS, st.integers(2, 8))
def test_accumulator_bits_are_needed_and_enough(seed: int, bits: int) -> None:
    """D3: rows that are large where a column is positive, and only there, attain the bound; nothing exceeds it."""
    rng = np.random.default_rng(seed)
    layer = drawn_layer(rng, 5, 3, "identity", bits)
    net = DynamicMLP((layer,))
    worst = [sign * np.where(sign * column > 0, 1.0, 0.0) for column in layer.w_q.T.astype(int) for sign in (1, -1)]
    attained = np.abs(net.accumulators(np.array(worst))[0].astype(np.int64)).max()
    assert int(attained).bit_length() + 1 == layer.accumulator_bits
    drawn = np.abs(net.accumulators(drawn_rows(rng, 30, 5))[0].astype(np.int64)).max()
    assert drawn <= attained


def test_accumulator_that_could_overflow_is_refused() -> None:
    """255 * 127 * 66,312 is beyond int32, one row fewer is not."""
    deepest = (2**31 - 1) // (255 * 127)
    w = QuantParams(1.0, 0, -128, 127)
    assert DynamicLayer(np.full((deepest, 1), 127, np.int8), w, np.zeros(1), "identity").accumulator_bits == 32
    with pytest.raises(OverflowError, match="D3"):
        DynamicLayer(np.full((deepest + 1, 1), 127, np.int8), w, np.zeros(1), "identity")


def test_network_says_what_it_is() -> None:
    """Shapes, products and widths are those of its layers; equal networks are equal; arrays cannot be written to."""
    rng = np.random.default_rng(0)
    layers = (drawn_layer(rng, 7, 4, "relu", 8), drawn_layer(rng, 4, 2, "identity", 4))
    net = DynamicMLP(layers)
    assert (net.n_inputs, net.neurons, net.macs, net.weight_bits) == (7, (4, 2), 36, (8, 8))
    assert net == DynamicMLP(tuple(replace(layer) for layer in layers)) and net != DynamicMLP(layers, "batch")
    assert net.logits(np.zeros((0, 7))).shape == (0, 2) and net.predict(np.zeros((0, 7))).shape == (0,)
    with pytest.raises(ValueError, match="read-only"):
        layers[0].w_q[0, 0] = 1


W = QuantParams(1.0, 0, -128, 127)
ONES = np.ones((2, 3), np.int8)


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda: DynamicLayer(ONES.astype(np.int16), W, np.zeros(3), "relu"), TypeError, "int8"),
        (lambda: DynamicLayer(ONES[:0], W, np.zeros(3), "relu"), ValueError, "shape"),
        (lambda: DynamicLayer(ONES, W, np.zeros(2), "relu"), ValueError, "bias"),
        (lambda: DynamicLayer(ONES, W, np.full(3, 1e39), "relu"), ValueError, "finite"),
        (lambda: DynamicLayer(ONES, W, np.zeros(3), "gelu"), ValueError, "gelu"),
        (lambda: DynamicLayer(ONES, W, np.zeros(3), "relu", 9), ValueError, "2..8"),
        (lambda: DynamicLayer(ONES, W, np.zeros(3), "relu", True), ValueError, "2..8"),
        (lambda: DynamicLayer(ONES, QuantParams(1.0, [1, 1], -1, 1), np.zeros(3), "relu"), ValueError, "zero point"),
        (lambda: DynamicLayer(ONES, QuantParams([1.0, 1.0], 0, -1, 1), np.zeros(3), "relu"), ValueError, "scale"),
        (lambda: DynamicLayer(ONES * 2, QuantParams(1.0, 0, -1, 1), np.zeros(3), "relu"), ValueError, "outside"),
        (lambda: DynamicMLP(()), ValueError, "at least one"),
        (lambda: DynamicMLP((DynamicLayer(ONES, W, np.zeros(3), "relu"),) * 2), ValueError, "takes"),
        (lambda: DynamicMLP((DynamicLayer(ONES, W, np.zeros(3), "relu"),), "column"), ValueError, "granularity"),
    ],
)
def test_records_refuse_what_they_cannot_hold(make: Callable[[], object], error: type[Exception], word: str) -> None:
    """Each wrong part is named."""
    with pytest.raises(error, match=word):
        make()


@pytest.mark.parametrize(
    ("x", "error", "word"),
    [
        ([[np.nan, 0]], ValueError, "NaN"),
        ([[np.inf, 0]], ValueError, "NaN"),
        ([[1e39, 0]], ValueError, "beyond float32"),
        ([[1, 2, 3]], ValueError, "shape"),
        ([1, 2], ValueError, "one row an example"),
        ([["a", "b"]], TypeError, "real numbers"),
        ([[3e38, 3e38]], ValueError, "pre-activation"),
    ],
)
def test_logits_refuse_bad_rows(x: Any, error: type[Exception], word: str) -> None:
    """NaN, infinities, wrong widths, words, and rows whose sums leave float32 are refused by name."""
    with pytest.raises(error, match=word):
        DynamicMLP((DynamicLayer(ONES, W, np.zeros(3), "identity"),)).logits(x)
