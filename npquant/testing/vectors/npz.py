"""The vectors as `vectors.npz`, for NumPy and whatever else opens a zip of .npy arrays, with all that a case holds.

Arrays are named ID/x_q, ID/y_q, ID/earlier0 ... and for layer L of the model ID/L/w_q, bias, x_scale, x_zero,
w_scale, w_zero, y_scale, y_zero; of valid cases also multiplier, shift, accumulators, before_clamp and codes; the
neighbour's layers are ID/neighbour/L/... What is no number stands in cases.json. Legend: collection the set; place a
folder; part a prefix of names; arrays by their name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.files.archive import encode_npy, encode_zip
from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Case, Layer, Model, Params, RawParams
from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.rendering import Rendering, as_json, entries_of
from npquant.testing.vectors.vector import GoldenVector, LayerValues

Arrays = Mapping[str, NDArray[Any]]
ARCHIVE, CASES = "vectors.npz", "cases.json"
ROLES = ("x", "w", "y")


def render(collection: Collection) -> Rendering:
    """Return the archive and the page of cases; every canonical vector can be said."""
    arrays: dict[str, NDArray[Any]] = {}
    cases: dict[str, Any] = {}
    for vector in collection.canonical:
        arrays.update(_arrays_of(vector))
        cases[vector.id] = _described(vector.case)
    members = {f"{name}.npy": encode_npy(array) for name, array in arrays.items()}
    files = {ARCHIVE: encode_zip(members), CASES: as_json(cases)}
    return Rendering(files, entries_of(collection.canonical), {})


def _arrays_of(vector: GoldenVector) -> Iterator[tuple[str, NDArray[Any]]]:
    case, name = vector.case, vector.id
    yield f"{name}/x_q", case.x_q
    if vector.y_q is not None:
        yield f"{name}/y_q", vector.y_q
    for i, codes in enumerate(case.earlier):
        yield f"{name}/earlier{i}", codes
    for part, model in ((name, case.model), (f"{name}/neighbour", case.neighbour)):
        for i, layer in enumerate(model.layers if model else ()):
            yield from _arrays_of_layer(f"{part}/{i}", layer)
    for i, values in enumerate(vector.layers):
        yield from _arrays_of_values(f"{name}/{i}", values)


def _arrays_of_layer(part: str, layer: Layer) -> Iterator[tuple[str, NDArray[Any]]]:
    yield f"{part}/w_q", layer.w_q
    if layer.bias is not None:
        yield f"{part}/bias", layer.bias
    for role in ROLES:
        params = getattr(layer, role)
        yield f"{part}/{role}_scale", np.asarray(params.scale, np.float32)
        yield f"{part}/{role}_zero", np.asarray(params.zero_point, np.int32)


def _arrays_of_values(part: str, values: LayerValues) -> Iterator[tuple[str, NDArray[Any]]]:
    if values.own:
        yield f"{part}/multiplier", values.m
        yield f"{part}/shift", values.e
    yield f"{part}/accumulators", values.acc
    yield f"{part}/before_clamp", values.before
    yield f"{part}/codes", values.y_q


def _described(case: Case) -> dict[str, Any]:
    """Return what of a case is no array."""
    return {
        "op": case.op,
        "status": case.status,
        "profile": case.model.profile,
        "tags": list(case.tags),
        "x_layout": case.x_layout,
        "w_layout": case.w_layout,
        "earlier": len(case.earlier),
        "same_buffer": case.same_buffer,
        "layers": _described_layers(case.model),
        "neighbour": None if case.neighbour is None else _described_layers(case.neighbour),
    }


def _described_layers(model: Model) -> list[dict[str, Any]]:
    return [
        {"activation": layer.activation, **{role: _described_params(getattr(layer, role)) for role in ROLES}}
        for layer in model.layers
    ]


def _described_params(params: Params) -> dict[str, Any]:
    return {"qmin": params.qmin, "qmax": params.qmax, "legal": isinstance(params, QuantParams)}


def read_cases(place: Path) -> dict[str, Case]:
    """Return the cases of a folder in this format by their names, as they were written; errors as of any npz."""
    described = json.loads((place / CASES).read_text(encoding="ascii"))
    with np.load(place / ARCHIVE, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return {name: _read_case(name, facts, arrays) for name, facts in described.items()}


def _read_case(name: str, facts: dict[str, Any], arrays: Arrays) -> Case:
    beside = facts["neighbour"]
    return Case(
        _read_model(name, facts["layers"], facts["profile"], arrays),
        arrays[f"{name}/x_q"],
        op=facts["op"],
        status=facts["status"],
        x_layout=facts["x_layout"],
        w_layout=facts["w_layout"],
        earlier=tuple(arrays[f"{name}/earlier{i}"] for i in range(facts["earlier"])),
        neighbour=None if beside is None else _read_model(f"{name}/neighbour", beside, facts["profile"], arrays),
        same_buffer=facts["same_buffer"],
        tags=tuple(facts["tags"]),
    )


def _read_model(part: str, layers: list[dict[str, Any]], profile: str, arrays: Arrays) -> Model:
    return Model(tuple(_read_layer(f"{part}/{i}", facts, arrays) for i, facts in enumerate(layers)), profile)


def _read_layer(part: str, facts: dict[str, Any], arrays: Arrays) -> Layer:
    x, w, y = (_read_params(f"{part}/{role}", facts[role], arrays) for role in ROLES)
    return Layer(arrays[f"{part}/w_q"], arrays.get(f"{part}/bias"), x, w, y, facts["activation"])


def _read_params(part: str, facts: dict[str, Any], arrays: Arrays) -> Params:
    make = QuantParams if facts["legal"] else RawParams
    return make(arrays[f"{part}_scale"], arrays[f"{part}_zero"], facts["qmin"], facts["qmax"])
