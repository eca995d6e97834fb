"""Laws of rectified quantization of networks: never worse than uniform on its objective, within its stated bound."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.weight_codes import Bits, choose_weight_params
from npquant.compression.rounding.gptq import quantize_gptq_resolved
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rectified import network as network_module
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.evidence import chance_of, pull_by_evidence
from npquant.compression.rounding.rectified.layer_objective import make_objective
from npquant.compression.rounding.rectified.network import error_reach, quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.datasets import load_optdigits
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import quantize
from npquant.nn.losses import kl_divergence
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train

Float64 = NDArray[np.float64]
Quantize = Callable[[FloatMLP, Float64, Bits], tuple[IntegerMLP, tuple[LayerReport, ...]]]
HIDDEN = ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"]


def random_model(seed: int, activation: str) -> tuple[FloatMLP, Float64]:
    """Draw a network and calibration rows; some inputs are dead, some rows equal."""
    rng = np.random.default_rng(seed)
    widths = [int(n) for n in rng.integers(2, 14, 4)]
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        name = activation if i < len(widths) - 2 else "identity"
        layers.append(DenseLayer(rng.normal(0, 1.5 / np.sqrt(k), (k, n)), rng.normal(0, 0.3, n), name))
    x = rng.normal(0, 1, (int(rng.integers(2, 60)), widths[0]))
    x[:, rng.random(widths[0]) < 0.1] = 0.0
    x[-1] = x[0]
    return FloatMLP(tuple(layers)), x


def recomputed(network: IntegerMLP, model: FloatMLP, x: Float64, bits: Bits) -> list[tuple[Float64, Float64]]:
    """Return Phi and carried error of each layer of an integer network, from its own codes alone."""
    found, codes = [], network.encode(x)
    z_by_layer = [np.asarray(z, np.float64) for z in model.pre_activations(x)]
    assert network.profile.name == "npquant"
    for i, layer in enumerate(network.layers):
        real = (codes.astype(np.float64) - int(layer.x.zero_point)) * float(layer.x.scale)
        dense, z = model.layers[i], z_by_layer[i]
        w, activation = np.asarray(dense.w, np.float64), dense.activation
        if activation == "hard_sigmoid":
            w, z, activation = w / 6, z / 6 + 0.5, "clipped_relu"
        if i == 0 and np.ndim(network.input_params.scale):
            w = w * np.asarray(network.input_params.scale, np.float64)[:, np.newaxis]
        last = i == len(network.layers) - 1
        # E34 reaches as far as uniform errors of the spread of nearest rounding's.
        nearest = choose_weight_params(w, bits, granularity="per_channel", weight_scale="auto")
        off = z - real @ (np.asarray(nearest.scale, np.float64) * quantize(w, nearest))
        d2 = activation_weights("softmax" if last else activation, z, np.sqrt(3) * off.std(axis=0))
        problem = make_objective(real, z, w, d2, pull=pull_by_evidence(chance_of(real), d2))
        v = np.asarray(layer.centred_weights * np.asarray(layer.w.scale, np.float64), np.float64)
        found.append((problem.phi(v), problem.carried_error(v)))
        before = IntegerMLP(network.layers[: i + 1], network.input_params, network.input_offset)
        codes = before.run(network.encode(x))
    return found


def law_report_is_true(quantize: Quantize, seed: int, bits: Bits, activation: str) -> None:
    """Per layer phi <= phi of uniform, phi <= bound, carried <= phi: and they are those of the codes in the network."""
    model, x = random_model(seed, activation)
    network, reports = quantize(model, x, bits)
    assert [r.bits for r in reports] == [bits] * len(model.layers)
    for report, (phi, carried) in zip(reports, recomputed(network, model, x, bits), strict=True):
        # Phi sums under 10^4 products that carry 2^-53 each; both sides are within 2^-36 of their size.
        near = 2.0**-36 * max(report.bound, report.phi_uniform, 1e-12)
        assert report.phi <= report.phi_uniform + near
        assert report.phi <= report.bound + near
        assert (report.carried_by_neuron <= report.phi_by_neuron).all()
        assert (report.real_by_neuron <= report.phi_by_neuron).all()
        assert (report.phi_by_neuron <= report.phi_nearest_by_neuron + near).all()
        assert (report.phi_by_neuron <= report.bound_by_neuron + near).all()
        assert (np.abs(report.phi_by_neuron - phi) <= near).all()
        assert (np.abs(report.carried_by_neuron - carried) <= near).all()
        assert report.phi == report.phi_by_neuron.sum() and report.carried == report.carried_by_neuron.sum()
        assert not report.bound_by_neuron.flags.writeable and report.bound_by_neuron.dtype == np.float64
        assert 0 <= report.share_of_bound <= 1 + 1e-9


@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.sampled_from([2, 3, 4, 8, "ternary"]),
    activation=st.sampled_from(HIDDEN),
)
def test_quantize_rectified_report_is_true(seed: int, bits: Bits, activation: str) -> None:
    """Never worse than uniform on its own calibration objective; the carried error within the stated bound."""
    law_report_is_true(quantize_model, seed, bits, activation)


def with_uniform_codes(model: FloatMLP, x: Float64, bits: Bits) -> tuple[IntegerMLP, tuple[LayerReport, ...]]:
    """Report the rectified figures, and deliver a uniform network."""
    return quantize_uniform(model, x, bits), quantize_model(model, x, bits).report


def with_unbounded_phi(model: FloatMLP, x: Float64, bits: Bits) -> tuple[IntegerMLP, tuple[LayerReport, ...]]:
    """Deliver rectified codes, and report a bound without the pass's quarter steps."""
    network, reports = quantize_model(model, x, bits)
    return network, tuple(replace(r, bound_by_neuron=r.phi_by_neuron / 2) for r in reports)


@pytest.mark.parametrize("mutant", [with_uniform_codes, with_unbounded_phi])
def test_quantize_rectified_law_kills(mutant: Quantize) -> None:
    """Uniform codes under rectified figures, and a bound that is too small, are caught."""
    with pytest.raises(AssertionError):
        law_report_is_true(mutant, 1, 2, "clipped_relu")


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("bits", [3, 2, "ternary"])
def test_quantize_rectified_nearer_than_uniform(bits: Bits, activation: str) -> None:
    """On rows that calibration did not see, logits have less than half of uniform's squared error, in the mean."""
    ratios = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        widths = [16, 32, 32, 6]
        model = FloatMLP(
            tuple(
                DenseLayer(rng.normal(0, 1 / np.sqrt(k), (k, n)), np.zeros(n), activation if n != 6 else "identity")
                for k, n in pairwise(widths)
            )
        )
        x = np.maximum(rng.normal(0, 1, (900, 6)) @ rng.normal(0, 1, (6, 16)), 0)
        want = np.asarray(model.logits(x[600:]), np.float64)

        def error(network: IntegerMLP, want: Float64 = want, rows: Float64 = x[600:]) -> float:
            return float(np.square(network.logits(rows) - want).sum())

        one = error(quantize_rectified(model, x[:600], bits, output="identity"))
        ratios.append(one / error(quantize_uniform(model, x[:600], bits)))
    assert np.exp(np.mean(np.log(ratios))) < 0.5


def test_quantize_rectified_is_exact_on_the_grid() -> None:
    """Integer weights that reach 127, integer inputs: the codes are the weights, as uniform quantization has them."""
    rng = np.random.default_rng(0)
    w = rng.integers(-127, 128, (12, 5)).astype(np.float64)
    w[0] = 127
    model = FloatMLP((DenseLayer(w / 64, rng.normal(0, 1, 5), "identity"),))
    x = rng.integers(0, 200, (80, 12))
    network = quantize_rectified(model, x, 8)
    np.testing.assert_array_equal(network.layers[0].w_q, w)
    assert network == quantize_rectified(model, x, 8)
    uniform = quantize_uniform(model, x, 8)
    np.testing.assert_array_equal(network.layers[0].w.scale, uniform.layers[0].w.scale)
    # The bias is that of the float net: the mean of Z - X w, within a last bit of sums of 80 terms below 2^16.
    assert np.abs(network.layers[0].bias - uniform.layers[0].bias).max() <= 1


def test_quantize_rectified_repeats_itself_and_keeps_its_input() -> None:
    """Deterministic; neither the model nor the rows are changed; a sequence of widths goes layer by layer."""
    model, x = random_model(4, "clipped_relu")
    kept = x.copy()
    widths: list[Bits] = [2, "ternary", 5]
    one, two = quantize_rectified(model, x, widths), quantize_rectified(model, x, widths)
    assert one == two
    np.testing.assert_array_equal(x, kept)
    for layer, bits in zip(one.layers, widths, strict=True):
        top = {2: 2, "ternary": 1, 5: 15}[bits]
        assert np.abs(layer.w_q.astype(int)).max() <= top + (bits == 5)
    assert all(
        (layer.w_q.min(axis=0) >= -1)[n] or (layer.w_q.max(axis=0) <= 1)[n]
        for layer in one.layers[:1]
        for n in range(layer.shape[1])
    )


def test_quantize_rectified_targets_and_output() -> None:
    """The model's own pre-activations are the default targets; other targets, and other output weights, are used."""
    model, x = random_model(7, "clipped_relu")
    own = quantize_rectified(model, x, 3)
    assert own == quantize_rectified(model, x, 3, targets=model.pre_activations(x))
    line = FloatMLP(model.layers[-1:])
    rows = np.abs(np.random.default_rng(0).normal(0, 1, (40, line.n_inputs)))
    z = line.pre_activations(rows)[0]
    own = quantize_rectified(line, rows, 3, output="identity")
    other = quantize_rectified(line, rows, 3, targets=[z + 0.25], output="identity")
    np.testing.assert_array_equal(other.layers[0].w_q, own.layers[0].w_q)
    # A constant in the targets goes into the offset, or into the bias, rounded to a step of the accumulator, twice.
    step = float(own.layers[0].x.scale) * np.asarray(own.layers[0].w.scale, np.float64) * own.output_factor  # type: ignore[operator]
    moved = (other.layers[0].bias - own.layers[0].bias) * step + (other.output_offset - own.output_offset)  # type: ignore[operator]
    assert (np.abs(moved - 0.25) <= 2 * step).all()
    model, x = random_model(11, "tanh")
    assert quantize_rectified(model, x, 2, output="softmax") != quantize_rectified(model, x, 2, output="identity")


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"bits": 1}, "2..8"),
        ({"bits": [4, 4]}, "one a layer"),
        ({"output": "sigmoid"}, "output"),
        ({"activation_bits": 9}, "activation_bits"),
        ({"targets": []}, "targets"),
    ],
)
def test_quantize_rectified_refuses(keywords: dict[str, object], text: str) -> None:
    """Wrong widths, outputs, activation bits and targets are errors that name them."""
    model, x = random_model(3, "clipped_relu")
    with pytest.raises(ValueError, match=text):
        quantize_rectified(model, x, **keywords)


def test_quantize_rectified_refuses_nan_and_no_rows() -> None:
    """Rows that are not finite, and no rows, are errors."""
    model, x = random_model(3, "clipped_relu")
    x[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        quantize_rectified(model, x, 4)
    with pytest.raises(ValueError, match="at least 1"):
        quantize_rectified(model, x[:0], 4)


def test_quantize_rectified_takes_degenerate_layers() -> None:
    """Zero weights, one row, neurons saturated on every row, constant features: right codes, no warning."""
    zero = FloatMLP(
        (
            DenseLayer(np.zeros((3, 2)), np.array([5.0, -5.0]), "clipped_relu"),
            DenseLayer(np.ones((2, 2)), np.zeros(2), "identity"),
        )
    )
    for x in (np.ones((1, 3)), np.zeros((4, 3)), np.full((5, 3), 2.5)):
        network = quantize_rectified(zero, x, 4)
        assert np.abs(network.logits(x) - 1.0).max() <= 0.5 * float(network.output_params.scale) + 1 / 255


@pytest.fixture(scope="module")
def saturated_networks() -> list[tuple[FloatMLP, Float64, Float64]]:
    """Train on pixels in [0, 1], all scaled by one number: most units are saturated on most rows."""
    digits = load_optdigits()
    x, found = digits.x.astype(np.float64) / 16, []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(x))
        rows, others = x[order[:1200]], x[order[1200:]]
        model = train(rows, digits.y[order[:1200]], (32, 32), dtype=np.float64, rng=seed)
        found.append((model, rows, others))
    return found


def law_rectified_is_ahead_where_units_saturate(
    quantize: Callable[[FloatMLP, Float64, Bits], IntegerMLP],
    networks: list[tuple[FloatMLP, Float64, Float64]],
    bits: Bits,
) -> None:
    """E34: where errors are larger than the ramp, at most 3/4 of re-solved GPTQ's KL on new rows, over networks."""
    logs = []
    for model, rows, others in networks:
        want = np.asarray(model.logits(others), np.float64)
        nets = quantize(model, rows, bits), quantize_gptq_resolved(model, rows, bits, damping=0.1, orient=True)
        ours, peer = (kl_divergence(want, net.logits(others)) for net in nets)
        logs.append(np.log(ours / peer))
    assert np.exp(np.mean(logs)) < 0.75


@pytest.mark.parametrize("bits", [2, "ternary"])
def test_quantize_rectified_is_ahead_where_units_saturate(
    saturated_networks: list[tuple[FloatMLP, Float64, Float64]], bits: Bits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reach of E35 is what does it: with the derivative at the float value alone the same code is behind GPTQ."""
    law_rectified_is_ahead_where_units_saturate(quantize_rectified, saturated_networks, bits)
    monkeypatch.setattr(network_module, "error_reach", lambda problem, bits: np.zeros(problem.w.shape[1]))
    with pytest.raises(AssertionError):
        law_rectified_is_ahead_where_units_saturate(quantize_rectified, saturated_networks, bits)


@given(seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([2, 3, 4, 8, "ternary"]), power=st.integers(-12, 12))
def test_error_reach_is_each_neuron_s_own(seed: int, bits: Bits, power: int) -> None:
    """E35: it scales with x, w and z, no constant of z moves it, neurons are independent, and it ends at 0."""
    rng = np.random.default_rng(seed)
    x, w = rng.integers(0, 256, (30, 6)) / 256.0, rng.normal(0, 1, (6, 4)).round(3)
    z = x @ w + rng.normal(0, 0.1, (30, 4))
    problem = LayerProblem(w, np.zeros(4), x, z, "clipped_relu", 0, False)
    reach = error_reach(problem, bits)
    assert reach.shape == (4,) and (reach > 0).all()
    scaled = replace(problem, w=w * 2.0**power, z=z * 2.0**power)
    assert (error_reach(scaled, bits) == reach * 2.0**power).all()
    # Sums of 30 products and less, each within 2^-48 of values below 8.
    near = 2.0**-40
    np.testing.assert_allclose(error_reach(replace(problem, z=z + 3), bits), reach, rtol=0, atol=near)
    alone = replace(problem, w=w[:, 1:2], z=z[:, 1:2])
    np.testing.assert_allclose(error_reach(alone, bits), reach[1:2], rtol=0, atol=near)
    params = choose_weight_params(w, bits, granularity="per_channel", weight_scale="auto")
    exact = x @ (np.asarray(params.scale, np.float64) * quantize(w, params))
    assert error_reach(replace(problem, z=exact + 1), bits).max() < near
