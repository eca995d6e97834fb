"""Bugs that only a network of several layers shows: parameters of the neighbour, scratch that two layers share.

Legend: call one layer's operands, i its place among the layers; a mutant is an object with `prepare(model).run(x)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile
from npquant.testing.bugs.honest import Call, answer
from npquant.testing.case import Layer, Model, checked

Change = Callable[[tuple[Layer, ...], int], Layer]


@dataclass(frozen=True, slots=True, eq=False)
class ChangedNetwork:
    """A backend that computes every layer honestly, after one change to what it takes for the layer."""

    name: str
    profile: str
    record: Profile
    change: Change

    def prepare(self, model: Model) -> PreparedNetwork:
        """Change the layers."""
        layers = tuple(self.change(model.layers, i) for i in range(len(model.layers)))
        return PreparedNetwork(self.record, layers)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedNetwork:
    """The changed layers, to be computed honestly."""

    record: Profile
    layers: tuple[Layer, ...]

    def run(self, x: Any) -> Any:
        """Compute the layers, one after another."""
        codes = x
        for layer in self.layers:
            params = (checked(layer.x), checked(layer.w), checked(layer.y))
            codes = answer(Call(codes, layer.w_q, layer.bias, *params, layer.activation, self.record))
        return codes


def output_zero_point_is_the_next_layers(layers: tuple[Layer, ...], i: int) -> Layer:
    """Layer i adds the output zero point of layer i + 1."""
    if i + 1 == len(layers):
        return layers[i]
    return replace(layers[i], y=_with_zero_point(layers[i].y, layers[i + 1].y.zero_point))


def input_zero_point_is_the_first_layers(layers: tuple[Layer, ...], i: int) -> Layer:
    """Every layer subtracts the zero point of the network's input."""
    x, first = layers[i].x, layers[0].x
    return replace(layers[i], x=_with_zero_point(x, first.zero_point))


def activation_is_the_last_layers(layers: tuple[Layer, ...], i: int) -> Layer:
    """All layers have the activation of the last."""
    return replace(layers[i], activation=layers[-1].activation)


def bias_is_the_layers_before(layers: tuple[Layer, ...], i: int) -> Layer:
    """Layer i uses the bias of layer i - 1, as far as it goes."""
    before, bias = layers[max(i - 1, 0)].bias, layers[i].bias
    if bias is None or before is None:
        return layers[i]
    return replace(layers[i], bias=np.resize(before, bias.shape).astype(bias.dtype))


def output_scale_is_the_networks(layers: tuple[Layer, ...], i: int) -> Layer:
    """Hidden layers are requantized to the scale of the network's output."""
    y = layers[i].y
    return replace(layers[i], y=QuantParams(layers[-1].y.scale, y.zero_point, y.qmin, y.qmax))


def _with_zero_point(params: Any, zero_point: Any) -> Any:
    return QuantParams(params.scale, zero_point, params.qmin, params.qmax)
