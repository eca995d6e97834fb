"""A Keras model's JSON as the chain of its layers: Sequential, Functional, and models inside models.

Source: keras-team/keras 3.15.1, keras/src/saving/serialization_lib.py, saving_lib.py (_save_container_state) and
models/functional.py (get_config); keras-team/tf-keras 2.21, tf_keras/engine/functional.py.

Legend: model, layer and config what Keras wrote of each, text its JSON; kind the name of a class; file the name of the
file; place what to call a layer in a message.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from npquant.files.format_error import FormatError

_MODELS: Final = ("Sequential", "Functional", "Model")
# A layer takes about a kilobyte of JSON; text of this length takes less than 64 MB as objects.
_JSON_LIMIT: Final = 1 << 20
_DEPTH: Final = 16
_LAYERS: Final = 1000


class KerasLayer(NamedTuple):
    """One layer of the chain, with its way through the models that hold it."""

    kind: str  # name of its class
    config: dict[str, Any]
    names: tuple[str, ...]  # of the models that hold it, but for the outermost, and its own
    trail: tuple[tuple[str, int, int], ...]  # at each level the class, in snake case; its how-manieth; of how many

    @property
    def place(self) -> str:
        """Layer and class, for messages."""
        return f"layer {'/'.join(self.names)!r} ({self.kind})"


def parse_model(text: bytes | str, file: str, place: str) -> dict[str, Any]:
    """Parse JSON of at most a megabyte; FormatError if it is none, or no object."""
    if len(text) > _JSON_LIMIT:
        raise FormatError(file, place, f"takes {len(text)} bytes, the limit for a perceptron is {_JSON_LIMIT}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(file, place, f"is no JSON in UTF-8 ({error})") from error
    if not isinstance(found, dict):
        raise FormatError(file, place, "is no JSON object")
    return found


def chain_of(model: dict[str, Any], file: str) -> list[KerasLayer]:
    """Return the layers of a model in the order of the computation, those of inner models in their place."""
    return list(_chain(model, file, (), ()))


def _chain(
    model: dict[str, Any], file: str, names: tuple[str, ...], trail: tuple[tuple[str, int, int], ...]
) -> Iterator[KerasLayer]:
    kind, place = model.get("class_name"), f"model {'/'.join(names)!r}" if names else "model"
    if kind not in _MODELS:
        raise FormatError(
            file, place, f"is a {kind!r}, whose code is not in the file; Sequential and Functional models are read"
        )
    if len(names) > _DEPTH:
        raise FormatError(file, place, "holds models inside models without end")
    config = model.get("config")
    layers = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise FormatError(file, place, "has no list of layers in its config")
    if len(layers) > _LAYERS:
        raise FormatError(file, place, f"has {len(layers)} layers; npquant reads up to {_LAYERS}")
    found = [_layer(layer, file, place, names) for layer in layers]
    if found and isinstance(config, dict) and isinstance(config.get("build_input_shape"), list):
        found[0].config.setdefault("batch_input_shape", config["build_input_shape"])
    snakes = [snake_case(one.kind) for one in found]
    counts, made = Counter(snakes), []
    for i, (one, snake) in enumerate(zip(found, snakes, strict=True)):
        made.append(one._replace(trail=(*trail, (snake, snakes[:i].count(snake), counts[snake]))))
    order = range(len(made)) if kind == "Sequential" else _path(config, layers, made, file, place)
    for i in order:
        if made[i].kind in _MODELS:
            yield from _chain(layers[i], file, made[i].names, made[i].trail)
        else:
            yield made[i]


def _layer(layer: dict[str, Any], file: str, place: str, names: tuple[str, ...]) -> KerasLayer:
    kind, config = layer.get("class_name"), layer.get("config")
    if not isinstance(kind, str) or not isinstance(config, dict | list):
        raise FormatError(file, place, "has a layer without class_name or config")
    name = config.get("name", layer.get("name")) if isinstance(config, dict) else layer.get("name")
    if isinstance(config, dict) and "batch_shape" not in config and "batch_input_shape" not in config:
        built = layer.get("build_config")
        if isinstance(built, dict):
            config = {**config, "batch_shape": built.get("input_shape")}
    registered = layer.get("registered_name")
    if isinstance(registered, str) and ">" in registered:
        raise FormatError(file, f"layer {name!r}", f"is a {registered}, whose code is not in the file")
    return KerasLayer(kind, config if isinstance(config, dict) else {}, (*names, str(name)), ())


def snake_case(kind: str) -> str:
    """Return the name that Keras gives the weights of a class.

    >>> snake_case("BatchNormalization"), snake_case("PReLU")
    ('batch_normalization', 'p_re_lu')
    """
    word = re.sub(r"\W+", "", kind)
    word = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", word)
    return re.sub("([a-z])([A-Z])", r"\1_\2", word).lower()


def _path(config: Any, layers: list[Any], made: list[KerasLayer], file: str, place: str) -> list[int]:
    """Return the layers of a Functional model from its one input to its one output."""
    ends = [_ends(config.get(key)) for key in ("input_layers", "output_layers")]
    for found, what in zip(ends, ("inputs", "outputs"), strict=True):
        if len(found) != 1:
            raise FormatError(file, place, f"has {len(found)} {what} {found}; one is read, with one output")
    index = {one.names[-1]: i for i, one in enumerate(made)}
    (start,), (at,) = ends
    path: list[int] = []
    while True:
        i = index.get(at)
        if i is None or i in path:
            raise FormatError(file, f"layer {at!r}", "is called by a layer, and is missing or behind it")
        path.append(i)
        if at == start:
            return path[::-1]
        calls = layers[i].get("inbound_nodes")
        if not isinstance(calls, list) or len(calls) != 1:
            raise FormatError(file, made[i].place, "must be called once; layers that share weights are not read")
        sources = sorted(set(_sources(calls[0])))
        if len(sources) != 1:
            raise FormatError(
                file,
                made[i].place,
                f"takes {len(sources)} inputs {sources}; {made[i].kind} is not read, only a chain is",
            )
        at = sources[0]


def _ends(value: Any) -> list[str]:
    """Return the layers in [["a", 0, 0], ...], or in ["a", 0, 0], as Keras 3 writes of one."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return []
    if value and isinstance(value[0], str):
        value = [value]
    return [str(one[0]) for one in value if isinstance(one, list) and one]


def _sources(call: Any) -> Iterator[str]:
    """Yield the layers that a call takes tensors from: keras_history in Keras 3, ["a", 0, 0, {}] in Keras 2."""
    stack = [call]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            history = value.get("keras_history")
            if isinstance(history, list) and history:
                yield str(history[0])
            else:
                stack.extend(value.values())
        elif isinstance(value, list):
            if len(value) in (3, 4) and isinstance(value[0], str) and type(value[1]) is type(value[2]) is int:
                yield value[0]
            else:
                stack.extend(value)
