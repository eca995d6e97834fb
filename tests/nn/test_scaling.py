"""Scaling: chosen by what the rows are, and folded into a network without a trace."""

import numpy as np
import pytest

from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.scaling import choose_input_scaling
from npquant.nn.training import train


def test_choose_input_scaling_keeps_zero_for_pixels():
    """Integers in 0..255 share one factor and no offset; anything else is standardized."""
    for pixels in (np.array([[0.0, 255.0], [3.0, 0.0]]), np.array([[0, 255], [3, 0]], np.uint8)):
        scaling = choose_input_scaling(pixels, np.float32)
        assert not scaling.o.any() and (scaling.d == 255).all()
    assert choose_input_scaling(np.zeros((2, 2), np.uint8), np.float32).d.tolist() == [1.0, 1.0]
    real = choose_input_scaling(np.array([[0.5, 7.1], [1.5, 7.1], [0.5, 7.1], [1.5, 7.1]]), np.float32)
    assert real.o.tolist() == [1.0, 7.1] and real.d.tolist() == [0.5, 1.0]


def test_train_folds_a_power_of_two_exactly():
    """F8: with d = 16, the raw network's logits are bit for bit those of a network trained on inputs scaled before."""
    rng = np.random.default_rng(0)
    pixels, y = rng.integers(0, 17, (90, 12)), rng.integers(0, 3, 90)
    pixels[0] = 16
    raw = train(pixels, y, hidden=(8,), epochs=4, rng=0)
    scaled = FloatMLP([DenseLayer(raw.layers[0].w * 16, raw.layers[0].b, "clipped_relu"), raw.layers[1]])
    assert np.array_equal(raw.logits(pixels), scaled.logits(pixels / 16))


@pytest.mark.parametrize("layers", [(), (8,)])
def test_finetune_at_a_rate_of_nothing_is_the_identity(layers):
    """F8: taking the scaling out of both ends and folding it in again changes the outputs by rounding only."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(1e3, 2.0, (50, 3)), rng.normal(-7e2, 30.0, (50, 2))
    net = train(x, y, hidden=layers, loss="squared_error", epochs=5, dtype=np.float64, rng=0)
    same = finetune(net, x, y, 1, loss="squared_error", optimizer="sgd", learning_rate=1e-300, rng=0)
    # Each parameter rounds a few times; sums of 3 + 8 terms of the size of the largest product, a mean of 1e3 times w.
    largest = 1e3 * max(float(np.abs(layer.w).max()) for layer in net.layers) + 7e2
    bound = 64 * np.finfo(np.float64).eps * largest * (1 + 8 * float(np.abs(net.layers[-1].w).max()))
    assert np.abs(net.logits(x) - same.logits(x)).max() <= bound
