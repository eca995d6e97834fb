"""A network from named weights and biases, as a PyTorch state_dict or a safetensors file holds them.

Names end in "weight" (out, in) and "bias" (out,); what stands before is the layer. Nothing in the tensors says which
activation stands between two layers, so it must be given: a guess would be silently wrong.

Legend: tensors arrays by name, layers in the order of the computation; activations one name for every hidden layer, or
a sequence with one a layer (the last may be left out); file its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from types import MappingProxyType
from typing import Any, Final

from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.steps import Activation, Clip, Head, Linear, Step

_CLIPS: Final = MappingProxyType(
    {"relu": (0.0, inf), "relu6": (0.0, 6.0), "clipped_relu": (0.0, 1.0), "hardtanh": (-1.0, 1.0)}
)
_SMOOTH: Final = ("sigmoid", "tanh", "hard_sigmoid", "softplus")
_HEADS: Final = ("softmax", "logsoftmax")
ACTIVATION_NAMES: Final = ("identity", *_CLIPS, *_SMOOTH)
_BATCH_NORM: Final = ("running_mean", "running_var", "num_batches_tracked")
HOW_TO_GIVE_THEM: Final = (
    "holds no activation functions, and guessing them would be silently wrong; give activations='relu' for every "
    f"hidden layer, or a list with one name a layer ({', '.join(ACTIVATION_NAMES)}; last also softmax, logsoftmax)"
)


def group_by_layer(tensors: Mapping[str, NDArray[Any]], file: str) -> dict[str, dict[str, NDArray[Any]]]:
    """Return weight and bias of each layer, by its name, layers in the order in which their first tensor stands.

    FormatError, naming the tensor, for a name or a shape that is not that of a fully-connected layer.
    """
    layers: dict[str, dict[str, NDArray[Any]]] = {}
    for name in tensors:
        if name.rpartition(".")[2] in _BATCH_NORM:
            raise FormatError(
                file,
                f"tensor {name!r}",
                "belongs to a batch normalization, whose eps no tensor says (running_mean and running_var are here); "
                "hand the module itself to npquant.interop.from_torch, which folds it",
            )
    for name, array in tensors.items():
        prefix, _, kind = name.rpartition(".")
        place = f"tensor {name!r}"
        if kind not in ("weight", "bias"):
            raise FormatError(file, place, "is no layer's; names must end in 'weight' or 'bias', as of a torch Linear")
        if array.ndim != (2 if kind == "weight" else 1):
            wanted = "a weight (out, in)" if kind == "weight" else "a bias (out,)"
            raise FormatError(file, place, f"has the shape {array.shape}; only fully-connected layers: {wanted}")
        layers.setdefault(prefix, {})[kind] = array
    for prefix, layer in layers.items():
        if "weight" not in layer:
            raise FormatError(file, f"tensor {prefix + '.bias'!r}", f"is a bias, and there is no {prefix}.weight")
    return layers


def steps_of_layers(
    layers: Mapping[str, Mapping[str, NDArray[Any]]], activations: str | Sequence[str] | None, file: str
) -> Iterator[Step]:
    """Yield layers and the given activations in turn.

    FormatError if none are given, or not as many as there are layers; ValueError for a name that is unknown.
    """
    names = _one_a_layer(activations, len(layers), file)
    shapes = [layer["weight"].shape for layer in layers.values()]
    chained = all(one[0] == two[1] for one, two in pairwise(shapes))
    if not chained and all(one[1] == two[0] for one, two in pairwise(shapes)):
        raise FormatError(file, "", f"weights of shapes {shapes} fit as (in, out); transpose them: (out, in) is read")
    for (prefix, layer), name in zip(layers.items(), names, strict=True):
        yield Linear(f"layer {prefix!r}", layer["weight"].T, layer.get("bias"))
        yield from activation_steps(name, f"activation of layer {prefix!r}")


def _one_a_layer(activations: str | Sequence[str] | None, count: int, file: str) -> list[str]:
    if activations is None:
        raise FormatError(file, "activations", HOW_TO_GIVE_THEM)
    hidden = isinstance(activations, str)
    names = [str(activations)] * (count - 1) if hidden else [str(name) for name in activations]
    if len(names) not in (count - 1, count):
        raise FormatError(file, "activations", f"{len(names)} are given for {count} layers; the last may be left out")
    for i, name in enumerate(names):
        allowed = (*ACTIVATION_NAMES, *_HEADS) if i == count - 1 else ACTIVATION_NAMES
        if name not in allowed:
            raise ValueError(f"activations: unknown {name!r} at {i}; known: {', '.join(allowed)}")
    return [*names, "identity"][:count]


def activation_steps(name: str, place: str) -> Iterator[Step]:
    """Yield what an activation called `name` is as a step, called `place`: none for the identity.

    >>> list(activation_steps("relu6", "act"))
    [Clip(place='act', low=0.0, high=6.0)]
    """
    if name in _CLIPS:
        yield Clip(place, *_CLIPS[name])
    elif name in _HEADS:
        yield Head(place, name)
    elif name != "identity":
        yield Activation(place, name)
