"""Laws of the integer-only network: it is the spec, scalar by scalar; its fast form is its plain one."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.integer import fast_npquant
from npquant.integer.fast_npquant import prepare_layer, run_prepared
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import dequantize, quantize
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize import requantize_single_rounding
from npquant.profiles.npquant import NPQUANT
from npquant.spec import activation_bounds as spec_bounds
from npquant.spec import linear as spec_linear
from npquant.spec import lookup as spec_lookup
from npquant.spec.multiplier import decompose_multiplier, real_multiplier

Int8 = NDArray[np.int8]
Run = Callable[[IntegerMLP, Int8], Int8]
ACTIVATIONS = ["identity", "relu", "clipped_relu", "sigmoid", "tanh", "softplus"]
BOUNDS = {"identity": (None, None), "relu": (Fraction(0), None), "clipped_relu": (Fraction(0), Fraction(1))}
ENCLOSE = {
    "sigmoid": spec_lookup.enclose_sigmoid,
    "tanh": spec_lookup.enclose_tanh,
    "softplus": spec_lookup.enclose_softplus,
}


def random_params(rng: np.random.Generator, scale: float, narrow: bool = False) -> QuantParams:
    """Draw a per-tensor int8 quantization with a scale near the given one, a power of two at times: ties occur."""
    qmin, qmax = sorted(rng.choice(np.arange(-128, 128), 2, replace=False)) if narrow else (-128, 127)
    factor = 2.0 ** rng.integers(-1, 2) if rng.random() < 0.5 else rng.uniform(0.5, 2)
    return QuantParams(scale * factor, int(rng.integers(qmin, qmax + 1)), int(qmin), int(qmax))


def random_layer(rng: np.random.Generator, x: QuantParams, shape: tuple[int, int], activation: str) -> IntegerLayer:
    """Draw a layer whose outputs use a good part of their interval."""
    depth, outputs = shape
    per_channel = bool(rng.integers(2))
    sw = 2.0 ** rng.integers(-9, -3, outputs) * np.where(rng.random(outputs) < 0.5, 1, rng.uniform(1, 2, outputs))
    zw = 0 if rng.random() < 0.5 else int(rng.integers(-128, 128))
    if activation in ENCLOSE:
        # Pre-activations of a few units: the exact enclosures take more terms, the larger they are.
        sw = sw / float(x.scale) / 2.0**10
    w = QuantParams(sw if per_channel else sw[0], zw, -128, 127)
    w_q = rng.integers(-128, 128, shape).astype(np.int8)
    bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
    step = float(np.max(w.scale) * x.scale) * 128 * np.sqrt(depth)
    pre = random_params(rng, step) if activation in ENCLOSE else None
    y = random_params(rng, 1 / 128 if pre is not None or activation == "clipped_relu" else step, narrow=pre is None)
    return IntegerLayer(w_q, bias, x, w, y, activation, pre)


@st.composite
def networks(draw: st.DrawFn, largest: int = 6) -> tuple[IntegerMLP, Int8]:
    """Draw a small network and input codes of its interval."""
    activations = draw(st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=3))
    widths = draw(st.lists(st.integers(1, largest), min_size=len(activations) + 1, max_size=len(activations) + 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = first = random_params(rng, 1.0, narrow=True)
    layers = []
    for i, activation in enumerate(activations):
        layers.append(random_layer(rng, x, (widths[i], widths[i + 1]), activation))
        x = layers[-1].y  # type: ignore[assignment]
    codes = rng.integers(first.qmin, first.qmax + 1, (draw(st.integers(0, 4)), widths[0])).astype(np.int8)
    return IntegerMLP(tuple(layers), first), codes


def spec_output(layer: IntegerLayer, row: list[int], n: int) -> int:
    """Compute one output code of one layer with the scalar definitions."""
    sw = Fraction(float(np.broadcast_to(layer.w.scale, layer.shape[1])[n]))
    target, y = layer.target, layer.y
    multiplier = decompose_multiplier(
        real_multiplier(Fraction(float(layer.x.scale)), sw, Fraction(float(target.scale)))
    )
    column, zw = [int(v) for v in layer.w_q[:, n]], int(layer.w.zero_point)
    acc = spec_linear.accumulate(row, column, int(layer.bias[n]), int(layer.x.zero_point), zw)
    low, high = target.qmin, target.qmax
    if layer.pre is None:
        bounds = BOUNDS[layer.activation]
        low, high = spec_bounds.clamp_codes(*bounds, Fraction(float(y.scale)), int(y.zero_point), y.qmin, y.qmax)
    code = spec_linear.output_code(acc, *multiplier, int(target.zero_point), low, high)
    if layer.pre is None:
        return code
    pair = [(Fraction(float(p.scale)), int(p.zero_point)) for p in (layer.pre, y)]
    return spec_lookup.table_entry(ENCLOSE[layer.activation], code, pair[0], pair[1], y.qmin, y.qmax)


def law_equals_spec(run: Run, net: IntegerMLP, x_q: Int8) -> None:
    """R9 to R12: every code of every row is the one that the scalar definitions give."""
    want = []
    for row in x_q.tolist():
        for layer in net.layers:
            row = [spec_output(layer, row, n) for n in range(layer.shape[1])]
        want.append(row)
    got = run(net, x_q)
    assert got.dtype == np.int8 and got.shape == (len(x_q), net.neurons[-1])
    assert got.tolist() == want


@given(case=networks())
def test_run_plain_equals_spec(case: tuple[IntegerMLP, Int8]) -> None:
    """R9 to R12, scalar by scalar."""
    law_equals_spec(IntegerMLP.run_plain, *case)


@given(case=networks(largest=40))
def test_run_equals_run_plain(case: tuple[IntegerMLP, Int8]) -> None:
    """The fast form gives the plain one's codes, bit for bit."""
    net, x_q = case
    assert np.array_equal(net.run(x_q), net.run_plain(x_q))


def run_half_down(net: IntegerMLP, x_q: Int8) -> Int8:
    """Requantize with ties down: wrong, and different on ties only."""

    def stage(acc: NDArray[np.int64], fixed: object, zy: int, qmin: int, qmax: int) -> NDArray[np.int64]:
        steps = -requantize_single_rounding(-acc, fixed)
        return np.clip(steps + zy, qmin, qmax)

    return replace(net, profile=replace(NPQUANT, output_stage=stage)).run(x_q)


def run_without_input_zero_point(net: IntegerMLP, x_q: Int8) -> Int8:
    """Forget the constant that the input's zero point makes: wrong."""
    prepared = [prepare_layer(layer) for layer in net.layers]
    wrong = [
        replace(p, scale=None, constant=layer.bias.astype(np.int64))
        for p, layer in zip(prepared, net.layers, strict=True)
    ]
    return run_prepared(tuple(wrong), x_q)  # type: ignore[return-value]


@pytest.mark.parametrize("wrong", [run_half_down, run_without_input_zero_point])
def test_equals_spec_kills_wrong_networks(wrong: Run) -> None:
    """Ties rounded down, and a forgotten zero point, are both seen."""
    x, y = QuantParams(0.5, 3, -128, 127), QuantParams(0.5, 0, -128, 127)
    layer = IntegerLayer(
        np.ones((1, 1), np.int8), np.zeros(1, np.int32), x, QuantParams(0.5, 0, -128, 127), y, "identity"
    )
    net, x_q = IntegerMLP((layer,), x), np.arange(-128, 128).astype(np.int8)[:, np.newaxis]
    law_equals_spec(IntegerMLP.run, net, x_q)
    with pytest.raises(AssertionError):
        law_equals_spec(wrong, net, x_q)


@pytest.mark.parametrize("depth", [513, 514, 515, 1023, 1024, 1025, 2049, 3000])
@pytest.mark.parametrize("zw", [0, 127])
def test_run_equals_run_plain_at_block_edges(depth: int, zw: int) -> None:
    """C6: the largest products, with an odd unit to lose, around the block edges of 8 and 9 bit weights."""
    x, w = QuantParams(1.0, -128, -128, 127), QuantParams(2.0**-10, zw, -128, 127)
    w_q = np.full((depth, 3), -128, np.int8)
    w_q[0], w_q[:, 2] = -127, 127
    y = QuantParams(float(depth), 0, -128, 127)
    net = IntegerMLP((IntegerLayer(w_q, np.array([1, -1, 0], np.int32), x, w, y, "identity"),), x)
    rows = np.stack([np.full(depth, -128), np.full(depth, 127), np.arange(depth) % 256 - 128]).astype(np.int8)
    assert np.array_equal(net.run(rows), net.run_plain(rows))
    sums = [a.astype(np.int64) for a in net.accumulators(rows)]
    exact = (rows.astype(np.int64) + 128) @ (w_q.astype(np.int64) - zw) + [1, -1, 0]
    assert np.array_equal(sums[0], exact)


def test_block_law_kills_a_block_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one float32 block for any depth the odd unit is lost, and the codes change."""
    depth = 3001
    x, w, y = QuantParams(1.0, 0, -128, 127), QuantParams(1.0, 0, -128, 127), QuantParams(1.0, 0, -128, 127)
    w_q = np.full((depth, 1), 127, np.int8)
    bias = np.array([-(depth * 127 * 127 - 1)], np.int32)
    net = IntegerMLP((IntegerLayer(w_q, bias, x, w, y, "identity"),), x)
    row = np.full((1, depth), 127, np.int8)
    assert net.run(row).item() == net.run_plain(row).item() == 1
    monkeypatch.setattr(fast_npquant, "sums_are_exact", lambda reach: reach <= 2**40)
    assert IntegerMLP(net.layers, x).run(row).item() != 1


@given(case=networks(), seed=st.integers(0, 2**32 - 1))
def test_logits_are_run_of_quantize(case: tuple[IntegerMLP, Int8], seed: int) -> None:
    """logits(x) = R2(run(R1(x))), and predict its first largest code; one output is no choice among codes."""
    net, x_q = case
    x = np.random.default_rng(seed).normal(0, 60, x_q.shape)
    y_q = net.run(quantize(x, net.input_params).astype(np.int8))
    assert np.array_equal(net.logits(x), dequantize(y_q, net.output_params))
    if y_q.shape[1] == 1:
        with pytest.raises(ValueError, match="one output"):
            net.predict(x)
    else:
        assert net.predict(x).tolist() == [row.index(max(row)) for row in y_q.tolist()]


def two_layers() -> IntegerMLP:
    """Make a fixed network of 3-2-1."""
    p, y = QuantParams(0.5, 0, -128, 127), QuantParams(1 / 255, -128, -128, 127)
    first = IntegerLayer(np.arange(6, dtype=np.int8).reshape(3, 2), np.zeros(2, np.int32), p, p, y, "clipped_relu")
    last = IntegerLayer(np.ones((2, 1), np.int8), np.zeros(1, np.int32), y, p, p, "identity")
    return IntegerMLP((first, last), p)


def test_integer_mlp_takes_only_codes_of_its_shape() -> None:
    """Wrong dtype, width and interval are named; an empty batch is not wrong."""
    net = two_layers()
    assert net.run(np.zeros((0, 3), np.int8)).shape == (0, 1)
    assert net.logits(np.zeros((0, 3))).shape == (0, 1)
    assert IntegerMLP(net.layers[:1], net.input_params).predict(np.zeros((0, 3))).shape == (0,)
    with pytest.raises(TypeError, match="int8"):
        net.run(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"\(B, 3\)"):
        net.run(np.zeros((1, 2), np.int8))
    with pytest.raises(ValueError, match=r"\(B, 3\)"):
        net.logits(np.zeros(3))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            net.predict([[0.0, bad, 0.0]])
    narrow = QuantParams(0.5, 0, -4, 3)
    layer = replace(net.layers[0], x=narrow)
    with pytest.raises(ValueError, match=r"outside \[-4, 3\]"):
        IntegerMLP((layer, net.layers[1]), narrow).run(np.full((1, 3), 4, np.int8))


def test_integer_mlp_checks_that_neighbours_agree() -> None:
    """Layers that do not fit are refused when the network is made."""
    net = two_layers()
    first, last = net.layers
    other = QuantParams(0.25, 0, -128, 127)
    with pytest.raises(ValueError, match="layer 1 reads"):
        IntegerMLP((first, replace(last, x=other)), net.input_params)
    with pytest.raises(ValueError, match="layer 1 has 2 inputs"):
        IntegerMLP((last, last), last.x)
    with pytest.raises(ValueError, match="must be equal"):
        IntegerMLP((first, last), other)
    with pytest.raises(ValueError, match="at least one layer"):
        IntegerMLP((), other)
    with pytest.raises(ValueError, match="needs pre-activation"):
        replace(last, activation="tanh")
    with pytest.raises(TypeError, match="bias has dtype int64"):
        replace(last, bias=np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="outside"):
        replace(last, w=QuantParams(0.5, 0, -1, 0))
    assert net == two_layers() and net != IntegerMLP((first,), net.input_params)
    assert net.neurons == (2, 1) and net.macs == 8 and net.weight_bits == (8, 8) and net.n_inputs == 3


def test_integer_mlp_is_frozen() -> None:
    """Its arrays are copies, and read-only."""
    w_q = np.zeros((1, 1), np.int8)
    p = QuantParams(0.5, 0, -128, 127)
    layer = IntegerLayer(w_q, np.zeros(1, np.int32), p, p, p, "identity")
    w_q[0] = 9
    assert layer.w_q.item() == 0
    with pytest.raises(ValueError, match="read-only"):
        layer.w_q[0] = 1
