"""Layers from named tensors: activations are asked for, and every name means one function."""

from __future__ import annotations

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.named_tensors import ACTIVATION_NAMES, activation_steps, group_by_layer, steps_of_layers
from npquant.interop.steps import Linear, fold

X = np.linspace(-8, 8, 33).reshape(-1, 1)
WANTED = {
    "identity": X, "relu": np.maximum(X, 0), "relu6": np.clip(X, 0, 6), "clipped_relu": np.clip(X, 0, 1),
    "hardtanh": np.clip(X, -1, 1), "sigmoid": 1 / (1 + np.exp(-X)), "tanh": np.tanh(X),
    "hard_sigmoid": np.clip(X / 6 + 0.5, 0, 1), "softplus": np.log1p(np.exp(X)),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_every_name_is_its_function(name: str) -> None:
    """J2. Between two identities, each name computes what it says, within a few roundings."""
    eye = Linear("fc", np.eye(1))
    net, _, _ = fold([eye, *activation_steps(name, "act"), eye], "net")
    assert np.abs(net.logits(X) - WANTED[name]).max() <= 16 * 2.0**-53 * 8


def test_layers_are_grouped_in_the_order_of_their_first_tensor() -> None:
    """A layer stands where its weight or its bias stands first."""
    tensors = {"b.bias": np.zeros(1), "a.weight": np.eye(1), "b.weight": np.eye(1), "weight": np.eye(1)}
    assert list(group_by_layer(tensors, "net")) == ["b", "a", ""]


def test_one_name_is_for_hidden_layers() -> None:
    """A name alone leaves the last layer as it is; a sequence may name it too."""
    layers = {str(i): {"weight": np.eye(1)} for i in range(3)}
    for given, names in (("relu", ("relu", "relu", "identity")), (["tanh", "relu", "relu"], ("tanh", "relu", "relu"))):
        assert fold(steps_of_layers(layers, given, "net"), "net")[0].activation_names == names
    with pytest.raises(FormatError, match="net: activations: 1 are given for 3 layers"):
        fold(steps_of_layers(layers, ["relu"], "net"), "net")
