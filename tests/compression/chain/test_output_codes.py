"""Laws of output codes: widths spread over hidden layers, and kept by every hidden output of a network."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.chain.output_codes import activation_bits_per_layer
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import DenseLayer, FloatMLP

Spread = Callable[[int | Sequence[int], int], tuple[int, ...]]
Widths = int | list[int]


def law_hidden_layers_have_theirs(spread: Spread, widths: list[int]) -> None:
    """One width a hidden layer, in order, then 8 for the logits; one number means that number everywhere."""
    assert spread(widths, len(widths) + 1) == (*widths, 8)
    assert spread(tuple(widths), len(widths) + 1) == (*widths, 8)
    for width in widths:
        assert spread(width, len(widths) + 1) == (width,) * len(widths) + (8,)


@given(widths=st.lists(st.integers(1, 8), max_size=4))
def test_activation_bits_per_layer_hidden_layers_have_theirs(widths: list[int]) -> None:
    """Any number of hidden layers, none included."""
    law_hidden_layers_have_theirs(activation_bits_per_layer, widths)


def test_activation_bits_per_layer_law_kills() -> None:
    """Widths in the wrong order, and logits that lose bits, are caught."""

    def reversed_widths(bits: int | Sequence[int], layers: int) -> tuple[int, ...]:
        return (*activation_bits_per_layer(bits, layers)[-2::-1], 8)

    def logits_too(bits: int | Sequence[int], layers: int) -> tuple[int, ...]:
        found = activation_bits_per_layer(bits, layers)
        return (*found[:-1], min(found))

    for wrong in (reversed_widths, logits_too):
        with pytest.raises(AssertionError):
            law_hidden_layers_have_theirs(wrong, [4, 8, 2])


@pytest.mark.parametrize(
    ("bits", "layers", "text"),
    [
        (9, 3, "activation_bits is 9; it must be an integer in 1..8"),
        (0, 1, "activation_bits is 0"),
        (True, 3, "activation_bits is True"),
        ([8, 4.0], 3, "activation_bits is 4.0"),
        ([8], 3, "1 activation_bits for 2 hidden layers"),
        ([8, 8, 8], 3, r"3 activation_bits for 2 hidden layers.*logits have 8"),
    ],
)
def test_activation_bits_per_layer_refuses(bits: Widths, layers: int, text: str) -> None:
    """Widths that are no integers in 1..8, and another number of them, are errors that name them."""
    with pytest.raises(ValueError, match=text):
        activation_bits_per_layer(bits, layers)


@pytest.mark.parametrize("quantize", [quantize_uniform, quantize_rectified])
@pytest.mark.parametrize("activation", ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"])
def test_every_width_of_hidden_outputs_works(quantize: Callable[..., IntegerMLP], activation: str) -> None:
    """Each hidden output has the 2^a codes of its width, 8..2 or mixed, and so have the next layer's inputs."""
    rng = np.random.default_rng(0)
    model = FloatMLP(
        tuple(
            DenseLayer(rng.normal(0, 1, (k, n)), rng.normal(0, 0.3, n), name)
            for k, n, name in ((5, 7, activation), (7, 6, activation), (6, 3, "identity"))
        )
    )
    x = rng.normal(0, 1, (60, 5))
    for widths in (*range(2, 9), [8, 2], [3, 6]):
        net = quantize(model, x, 8, widths)
        each = [widths, widths] if isinstance(widths, int) else widths
        assert [layer.y.qmax - layer.y.qmin + 1 for layer in net.layers] == [*(2**a for a in each), 256]
        assert [layer.x for layer in net.layers[1:]] == [layer.y for layer in net.layers[:-1]]
