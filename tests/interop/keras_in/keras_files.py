"""Keras files as Keras writes them, made by hand: the JSON, the groups of either format, the zip."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    """Return what Keras writes of a layer."""
    return {"class_name": kind, "config": {"name": name, **config}}


def dense(name: str, units: int, activation: Any = "linear", **config: Any) -> dict[str, Any]:
    """Return what Keras writes of a Dense layer."""
    return layer("Dense", name, units=units, activation=activation, **config)


def sequential(*layers: dict[str, Any], name: str = "sequential") -> dict[str, Any]:
    """Return what Keras writes of a Sequential model."""
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def functional(
    layers: Sequence[dict[str, Any]], calls: Sequence[Sequence[str]], ends: tuple[Any, Any], *, keras: int = 3
) -> dict[str, Any]:
    """Return what Keras writes of a Functional model: the layers that each layer takes from, and its two ends."""
    made = []
    for one, sources in zip(layers, calls, strict=True):
        if keras == 3:
            tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [s, 0, 0]}} for s in sources]
            nodes: list[Any] = [{"args": tensors if len(tensors) < 2 else [tensors], "kwargs": {}}] if tensors else []
        else:
            nodes = [[[s, 0, 0, {}] for s in sources]] if sources else []
        made.append({**one, "name": one["config"]["name"], "inbound_nodes": nodes})
    return {"class_name": "Functional", "config": {"layers": made, "input_layers": ends[0], "output_layers": ends[1]}}


def h5(
    model: Any, weights: dict[str, dict[str, Any]], *, version: str = "2.15.0", root: str = "model_weights"
) -> bytes:
    """Return an .h5 file: for each layer of the outermost model its weights, by their `weight_names`."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        if model is not None:
            file.attrs["model_config"] = json.dumps(model)
        file.attrs["keras_version"] = version
        top = file.create_group(root) if root else file
        top.attrs["layer_names"] = list(weights) or np.array([])
        for name, arrays in weights.items():
            group = top.create_group(name)
            group.attrs["weight_names"] = list(arrays) or np.array([])
            for path, values in arrays.items():
                group.create_dataset(path, data=values)
    return buffer.getvalue()


def zipped(
    model: Any, stores: dict[str, Sequence[Any]], *, version: str = "3.9.0", compression: int = zipfile.ZIP_STORED
) -> bytes:
    """Return a .keras file: for each group path the variables under its vars."""
    import h5py

    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        for path, arrays in stores.items():
            group = file.create_group(path).create_group("vars")
            for i, values in enumerate(arrays):
                group.create_dataset(str(i), data=values)
    members = {
        "metadata.json": json.dumps({"keras_version": version}),
        "config.json": json.dumps(model),
        "model.weights.h5": inner.getvalue(),
    }
    return zip_of(members, compression)


def zip_of(members: dict[str, Any], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
