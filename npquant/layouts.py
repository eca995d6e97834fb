"""How the two networks are laid out as named arrays and facts; `npquant.storage` puts these into a file.

L1 (float)    tensors w0, b0, w1, b1, ... as the layers hold them; fact `activations`
L2 (integer)  tensors: `weights` uint8, the packed codes of all layers one after the other; `biases` int32, all layers;
              `scales` float32, all QuantParams in L3's order; `offset` float64 (K,), only if inputs are shifted.
              Facts: `profile`; `input` and `x`, QuantParams of the real inputs and of layer 0; `layers`, for each
              [K, N, activation, form of the codes, w, y, pre or null]
L3 (params)   a QuantParams is [n, zero_point, qmin, qmax]: n scales (0: one for the whole tensor, without an axis) are
              the next in `scales`; zero_point an integer or a list. Order: input, x, then w, y, pre of each layer.

A layer reads what the one before it writes, so only layer 0's x is stored. Letters: K inputs, N outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.compression.weight_stream import decode_weights, encode_weights, weights_bytes
from npquant.integer_layer import IntegerLayer
from npquant.integer_mlp import IntegerMLP
from npquant.kernels.profile import NPQUANT, Profile
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP

Facts = Mapping[str, Any]
Tensors = Mapping[str, NDArray[Any]]


def float_layout(model: FloatMLP) -> tuple[Facts, Tensors]:
    """Lay a float network out (L1).

    Parameters
    ----------
    model : FloatMLP
        The network.

    Returns
    -------
    facts : mapping
        What JSON can hold.
    tensors : mapping from str to ndarray
        The arrays, in their order.

    Examples
    --------
    >>> layer = DenseLayer(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> list(float_layout(FloatMLP((layer,)))[1])
    ['w0', 'b0']
    """
    tensors: dict[str, NDArray[Any]] = {}
    for number, layer in enumerate(model.layers):
        tensors[f"w{number}"] = layer.w
        tensors[f"b{number}"] = layer.b
    return {"activations": [layer.activation for layer in model.layers]}, tensors


def float_model(facts: Facts, tensors: Tensors) -> FloatMLP:
    """Undo `float_layout`.

    Parameters
    ----------
    facts, tensors : mappings
        L1; nothing in them is trusted.

    Returns
    -------
    FloatMLP
        The network.

    Raises
    ------
    ValueError, TypeError, KeyError
        If they do not describe one.

    Examples
    --------
    >>> layer = DenseLayer(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> float_model(*float_layout(FloatMLP((layer,)))).n_inputs
    1
    """
    activations = facts["activations"]
    if not isinstance(activations, list) or not all(isinstance(name, str) for name in activations):
        raise TypeError("activations must be a list of names")
    _require_tensors(tensors, [f"{letter}{n}" for n in range(len(activations)) for letter in "wb"])
    return FloatMLP(tuple(DenseLayer(tensors[f"w{n}"], tensors[f"b{n}"], name) for n, name in enumerate(activations)))


def integer_layout(model: IntegerMLP) -> tuple[Facts, Tensors]:
    """Lay an integer network out (L2).

    Parameters
    ----------
    model : IntegerMLP
        The network.

    Returns
    -------
    facts : mapping
        What JSON can hold.
    tensors : mapping from str to ndarray
        The arrays, in their order.

    Raises
    ------
    ValueError
        If the profile is none that `npquant.profiles` knows: it could not be found again.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> integer_layout(IntegerMLP((layer,), p))[0]["layers"]
    [[2, 1, 'relu', 'dense6', [0, 0, -128, 127], [0, 0, -128, 127], None]]
    """
    if _profile(model.profile.name) is not model.profile:
        raise ValueError(
            f"profile {model.profile.name!r} is not npquant's own of that name; it cannot be stored by name"
        )
    scales: list[NDArray[np.float32]] = []
    facts: dict[str, Any] = {
        "profile": model.profile.name,
        "input": _params_facts(model.input_params, scales),
        "x": _params_facts(model.layers[0].x, scales),
        "layers": [],
    }
    streams = []
    for layer in model.layers:
        form, stream = encode_weights(layer.w_q)
        streams.append(stream)
        w, y = _params_facts(layer.w, scales), _params_facts(layer.y, scales)
        pre = None if layer.pre is None else _params_facts(layer.pre, scales)
        facts["layers"].append([*layer.shape, layer.activation, form, w, y, pre])
    tensors: dict[str, NDArray[Any]] = {
        "weights": np.concatenate(streams),
        "biases": np.concatenate([layer.bias for layer in model.layers]),
        "scales": np.concatenate(scales),
    }
    if model.input_offset is not None:
        tensors["offset"] = model.input_offset
    return facts, tensors


def integer_model(facts: Facts, tensors: Tensors) -> IntegerMLP:
    """Undo `integer_layout`.

    Parameters
    ----------
    facts, tensors : mappings
        L2; nothing in them is trusted.

    Returns
    -------
    IntegerMLP
        The network; its accumulator bounds are proven anew.

    Raises
    ------
    ValueError, TypeError, KeyError, OverflowError
        If they do not describe one.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> net = IntegerMLP((layer,), p)
    >>> integer_model(*integer_layout(net)) == net
    True
    """
    offset = ["offset"] if "offset" in tensors else []
    _require_tensors(tensors, ["weights", "biases", "scales", *offset])
    for name, dtype in (("weights", "uint8"), ("biases", "int32"), ("scales", "float32"), ("offset", "float64")):
        if name in tensors and (tensors[name].dtype != dtype or tensors[name].ndim != 1):
            raise TypeError(f"tensor {name} must be one-dimensional {dtype}")
    weights, biases, scales = (_Reader(tensors[name], name) for name in ("weights", "biases", "scales"))
    input_params = _params(facts["input"], scales)
    x = _params(facts["x"], scales)
    layers = []
    if not isinstance(facts["layers"], list):
        raise TypeError("layers must be a list")
    for fact in facts["layers"]:
        k, n, activation, form = _layer_facts(fact)
        w, y = _params(fact[4], scales), _params(fact[5], scales)
        pre = None if fact[6] is None else _params(fact[6], scales)
        w_q = decode_weights(form, weights.take(weights_bytes(form, (k, n))), (k, n))
        layers.append(IntegerLayer(w_q, biases.take(n), x, w, y, activation, pre))
        x = y
    for reader in (weights, biases, scales):
        reader.require_end()
    return IntegerMLP(tuple(layers), input_params, tensors.get("offset"), _profile(facts["profile"]))


class _Reader:
    """Hand out the items of a tensor from front to back."""

    def __init__(self, tensor: NDArray[Any], name: str) -> None:
        self._tensor, self._name, self._at = tensor, name, 0

    def take(self, count: int) -> NDArray[Any]:
        """Return the next items."""
        self._at += count
        if self._at > self._tensor.size:
            raise ValueError(f"tensor {self._name} has {self._tensor.size} items, at least {self._at} are needed")
        return self._tensor[self._at - count : self._at]

    def require_end(self) -> None:
        """Refuse a tensor with items to spare."""
        if self._at != self._tensor.size:
            raise ValueError(f"tensor {self._name} has {self._tensor.size} items, {self._at} are used")


def _layer_facts(fact: Any) -> tuple[int, int, str, str]:
    """Check the plain facts of one layer."""
    if not isinstance(fact, list) or len(fact) != 7:
        raise TypeError("a layer is [K, N, activation, form, w, y, pre]")
    k, n, activation, form = fact[:4]
    if type(k) is not int or type(n) is not int or k < 1 or n < 1:
        raise ValueError(f"a layer has K, N >= 1, not {k!r}, {n!r}")
    if not isinstance(activation, str) or not isinstance(form, str):
        raise TypeError("activation and form must be names")
    return k, n, activation, form


def _params_facts(params: QuantParams, scales: list[NDArray[np.float32]]) -> list[Any]:
    """Lay QuantParams out (L3); their scales go to the end of `scales`."""
    scale = np.asarray(params.scale, np.float32)
    scales.append(scale.reshape(-1))
    zero_point = np.asarray(params.zero_point).tolist()
    return [scale.size if scale.ndim else 0, zero_point, params.qmin, params.qmax]


def _params(fact: Any, scales: _Reader) -> QuantParams:
    """Undo `_params_facts`."""
    if not isinstance(fact, list) or len(fact) != 4 or type(fact[0]) is not int or fact[0] < 0:
        raise TypeError("quantization parameters are [n, zero_point, qmin, qmax]")
    count, zero_point, qmin, qmax = fact
    values = zero_point if isinstance(zero_point, list) else [zero_point]
    if not all(type(value) is int for value in values):
        raise TypeError(f"a zero point is an integer or a list of integers, not {zero_point!r}")
    scale = scales.take(max(count, 1))
    return QuantParams(scale if count else scale[0], zero_point, qmin, qmax)


def _profile(name: Any) -> Profile:
    """Find an engine's arithmetic by its name."""
    if name == NPQUANT.name:
        return NPQUANT
    # On demand: a network of npquant's own arithmetic needs no other engine's record.
    profile = import_module("npquant.profiles").get(name)
    if not isinstance(profile, Profile):
        raise ValueError(f"unknown profile {name!r}; see npquant.profiles.names()")
    return profile


def _require_tensors(tensors: Tensors, expected: list[str]) -> None:
    """Refuse missing, additional and reordered tensors."""
    if list(tensors) != expected:
        raise ValueError(f"expected the tensors {expected}, found {list(tensors)}")
