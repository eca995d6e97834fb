"""Laws of the tuning of scales: the slope is that of the loss, codes stay, the network gets no worse on its rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.compression.rounding.rectified import scale_tuning as module
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.rectified.scale_tuning import loss, tune_scales
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.nn.losses import kl_divergence
from npquant.nn.model import DenseLayer, FloatMLP

Float64 = NDArray[np.float64]
HIDDEN = ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"]
Slope = Callable[[Any, Float64, Float64, Float64, str], Float64]


def random_model(seed: int, activation: str, last: str = "identity") -> tuple[FloatMLP, Float64]:
    """Draw a classifier of three layers, and 800 rows near a plane."""
    rng = np.random.default_rng(seed)

    def dense(k: int, n: int, name: str) -> DenseLayer:
        return DenseLayer(rng.normal(0, 2 / np.sqrt(k), (k, n)), rng.normal(0, 0.3, n), name)

    model = FloatMLP((dense(8, 12, activation), dense(12, 10, activation), dense(10, 4, last)))
    return model, rng.normal(0, 1, (800, 4)) @ rng.normal(0, 1, (4, 8))


# ------------------------------------------------------------------------------------------------------------- slope


def law_slope_is_that_of_the_loss(
    slope: Slope, seed: int, activation: str, output: str, last: str = "identity"
) -> None:
    """E24: along one random direction the slope is the difference quotient of E25, with R1 so fine that it vanishes."""
    model, x = random_model(seed, activation, last)
    x = x[:40]
    network = quantize_uniform(model, x, 8)
    stages = module._stages(network, module.dequantize(network.encode(x), network.input_params).astype(np.float64))  # type: ignore[attr-defined]
    rng = np.random.default_rng(seed)
    latent = rng.normal(0, 0.1, 2 * sum(len(stage.s) for stage in stages))
    direction = rng.normal(0, 1, latent.size)
    logits = model.logits(x).astype(np.float64)

    def at(step: float) -> float:
        h = x
        for stage, (growth, shift) in zip(stages, module._changes(stages, latent + step * direction), strict=True):
            z = (h @ stage.q) * (stage.s * growth) + stage.b + stage.size * shift
            h = np.asarray(module.ACTIVATIONS[stage.activation][0](z), np.float64)  # type: ignore[attr-defined]
        return kl_divergence(logits, h) if output == "softmax" else float(np.mean(np.square(h - logits)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_rounded", lambda a, y: (a, np.ones(a.shape, bool)))
        found = float(slope(stages, latent, x, logits, output) @ direction)
    step = 1e-6
    # A central quotient errs by step^2 times the third derivative, and by 2^-53 / step of the loss; a kink of ReLU lies
    # within a step of one of 10^3 values with a chance of 10^-3, and the seeds below meet none.
    quotient = (at(step) - at(-step)) / (2 * step)
    assert abs(found - quotient) <= 1e-5 * (abs(quotient) + at(0.0))


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_tune_scales_slope_is_that_of_the_loss(activation: str, output: str) -> None:
    """For every activation and both outputs."""
    for seed in range(3):
        law_slope_is_that_of_the_loss(module._slope, seed, activation, output)


@pytest.mark.parametrize("last", ["relu", "tanh", "softplus"])
@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_tune_scales_slope_passes_the_output_activation(last: str, output: str) -> None:
    """E24: the logits of a network that ends in an activation stand behind it, and so does the loss."""
    law_slope_is_that_of_the_loss(module._slope, 0, "clipped_relu", output, last)


@pytest.mark.parametrize("last", ["relu", "tanh", "softplus"])
def test_polishing_aims_at_the_outputs(last: str) -> None:
    """E25: the target is the float network's output behind its last activation, not its pre-activation."""
    model, x = random_model(1, "clipped_relu", last)
    plain = quantize_rectified(model, x, 3, output="identity")
    polished = quantize_rectified(model, x, 3, output="identity", polish_steps=60, rng=0)
    logits = np.asarray(model.logits(x), np.float64)
    assert loss(polished, x, logits, "identity") < loss(plain, x, logits, "identity")


def test_tune_scales_slope_law_kills() -> None:
    """A slope without the growth of the scales, and one with scales and biases exchanged, are caught."""

    def without_growth(stages: Any, latent: Float64, x: Float64, logits: Float64, output: str) -> Float64:
        return module._slope(stages, 0 * latent, x, logits, output)

    def exchanged(stages: Any, latent: Float64, x: Float64, logits: Float64, output: str) -> Float64:
        return module._slope(stages, latent, x, logits, output)[::-1]

    for wrong in (without_growth, exchanged):
        with pytest.raises(AssertionError):
            law_slope_is_that_of_the_loss(wrong, 0, "sigmoid", "softmax")


def test_tune_scales_passes_nothing_through_saturated_outputs() -> None:
    """E26: the slope passes R1 where the code is inside its interval, and is 0 where it is at an end."""
    y = module.QuantParams(0.5, 0, -4, 3)  # type: ignore[attr-defined]
    values, inside = module._rounded(np.array([[-9.0, -2.0, -1.4, 0.0, 1.1, 1.5, 9.0]]), y)
    np.testing.assert_array_equal(values, [[-2.0, -2.0, -1.5, 0.0, 1.0, 1.5, 1.5]])
    np.testing.assert_array_equal(inside, [[False, False, True, True, True, False, False]])
    model, x = random_model(0, "relu")
    network, logits = quantize_uniform(model, x, 8), np.asarray(model.logits(x), np.float64)
    stages = module._stages(network, module.dequantize(network.encode(x), network.input_params).astype(np.float64))  # type: ignore[attr-defined]
    latent = np.zeros(2 * sum(len(stage.s) for stage in stages))
    assert module._slope(stages, latent, x, logits, "identity").any()
    latent[-len(stages[-1].s) :] = 1e3  # every logit far beyond its last code
    assert not module._slope(stages, latent, x, logits, "identity").any()


# ----------------------------------------------------------------------------------------------------------- network

Tune = Callable[[IntegerMLP, Float64, Float64, str], IntegerMLP]


def law_never_worse_and_same_codes(tune: Tune, seed: int, activation: str, output: str) -> None:
    """The weight codes stay, the loss on the calibration rows does not rise: whatever the start is worth."""
    model, x = random_model(seed, activation)
    logits = np.asarray(model.logits(x), np.float64)
    network = quantize_rectified(model, x, 2, output=output)
    tuned = tune(network, x, logits, output)
    for one, two in zip(network.layers, tuned.layers, strict=True):
        np.testing.assert_array_equal(one.w_q, two.w_q)
        assert (one.x, one.y, one.pre, one.activation) == (two.x, two.y, two.pre, two.activation)
    assert loss(tuned, x, logits, output) <= loss(network, x, logits, output)


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_tune_scales_never_worse_and_same_codes(activation: str, output: str) -> None:
    """For every activation, classes and regression."""

    def tuned(network: IntegerMLP, x: Float64, logits: Float64, output: str) -> IntegerMLP:
        return tune_scales(network, x, logits, steps=40, output=output, rng=0)

    law_never_worse_and_same_codes(tuned, 0, activation, output)


def test_tune_scales_law_kills() -> None:
    """The end without a comparison, after steps that are far too long, and other codes, are caught."""

    def last_step(network: IntegerMLP, x: Float64, logits: Float64, output: str) -> IntegerMLP:
        stages = module._stages(network, module.dequantize(network.encode(x), network.input_params).astype(np.float64))  # type: ignore[attr-defined]
        latent = np.random.default_rng(0).normal(0, 1, 2 * sum(len(stage.s) for stage in stages))
        return module._assembled(network, stages, latent)

    def other_codes(network: IntegerMLP, x: Float64, logits: Float64, output: str) -> IntegerMLP:
        first = network.layers[0]
        return replace(network, layers=(replace(first, w_q=-first.w_q.clip(-1, 1)), *network.layers[1:]))

    for wrong in (last_step, other_codes):
        with pytest.raises(AssertionError):
            law_never_worse_and_same_codes(wrong, 0, "clipped_relu", "softmax")


def test_tune_scales_helps_on_rows_that_it_has_not_seen() -> None:
    """At 2 bits KL to the float network falls on other rows, in the mean of three networks."""
    ratios = []
    for seed in range(3):
        model, x = random_model(seed, "clipped_relu")
        plain, tuned = (quantize_rectified(model, x[:600], 2, rng=0, polish_steps=n) for n in (0, 300))
        wanted = model.logits(x[600:])
        ratios.append(kl_divergence(wanted, tuned.logits(x[600:])) / kl_divergence(wanted, plain.logits(x[600:])))
    assert np.exp(np.mean(np.log(ratios))) < 1


def test_tune_scales_repeats_itself() -> None:
    """The same seed gives the same network, a Generator in the same state too; no steps give the network itself."""
    model, x = random_model(1, "clipped_relu")
    one, two, three = (
        quantize_rectified(model, x, 2, rng=rng, polish_steps=30) for rng in (5, 5, np.random.default_rng(5))
    )
    assert one == two == three
    network = quantize_rectified(model, x, 2)
    assert tune_scales(network, x, model.logits(x), steps=0, rng=0) == network


def test_tune_scales_refuses() -> None:
    """Too few rows, logits of another shape, one scale for a layer, and steps that are no number of steps."""
    model, x = random_model(2, "clipped_relu")
    network, logits = quantize_rectified(model, x, 3), model.logits(x)
    with pytest.raises(ValueError, match="511 rows are too few to polish on: give at least 512"):
        tune_scales(network, x[:511], logits[:511], rng=0)
    with pytest.raises(ValueError, match="logits have shape"):
        tune_scales(network, x, logits[:, :2], rng=0)
    with pytest.raises(ValueError, match="per channel"):
        tune_scales(quantize_uniform(model, x, granularity="per_tensor"), x, logits, rng=0)
    for steps in (-1, 1.5, True):
        with pytest.raises(ValueError, match="polish_steps"):
            quantize_rectified(model, x, 3, polish_steps=steps)
