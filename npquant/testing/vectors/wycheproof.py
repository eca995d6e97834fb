"""The vectors as one JSON document in the manner of C2SP/wycheproof: groups of tests, flags, and a note for each flag.

A test's result is "valid" (the codes y are the one answer), "acceptable" (any answer will do, a crash will not) or
"invalid" (the only answer is a refusal). Its flags are the bugs that it catches; the note of a flag says what the bug
does and where the field met it. Legend: collection the set; vector one of it; layer one of its model."""

from __future__ import annotations

import json
from importlib.resources import files as resource_files
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.case import Layer, Params
from npquant.testing.trial import CLASSES
from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.rendering import Rendering, as_json, entries_of, numbers
from npquant.testing.vectors.vector import GoldenVector, LayerValues
from npquant.version import __version__, numerics_version

DOCUMENT, SCHEMA = "vectors.json", "vectors.schema.json"
RESULTS: Final = MappingProxyType({"valid": "valid", "unpredictable": "acceptable", "must_reject": "invalid"})
HEADER: Final = (
    "Quantized linear layers, y = clamp(rescale(sum (x - zx)(w - zw) + bias) + zy), under one engine's arithmetic.",
    "Matrices are rows of numbers: x (B, K), w (K, N), y (B, N). Scales are float32 numbers, written exactly.",
    "earlier holds inputs that the same prepared model is run on first; neighbour a model that is prepared after",
    "this one and run once on x before it. Layouts say how x and w lie in memory; whoever cannot may ignore them.",
)


def render(collection: Collection) -> Rendering:
    """Return the document and its schema; every canonical vector can be said."""
    groups: dict[tuple[str, str], list[GoldenVector]] = {}
    for vector in collection.canonical:
        groups.setdefault((vector.case.group, vector.case.op), []).append(vector)
    used = {name for vector in collection.canonical for name in vector.kills}
    document = {
        "algorithm": "quantized linear layer",
        "schema": SCHEMA,
        "generatorVersion": __version__,
        "numericsVersion": numerics_version,
        "profile": collection.profile.name,
        "equation": collection.profile.equation,
        "source": collection.profile.source,
        "numberOfTests": len(collection.canonical),
        "header": list(HEADER),
        "notes": {bug.name: _note(bug.group, bug.says, bug.met) for bug in CATALOGUE if bug.name in used},
        "testGroups": [_group(*key, vectors) for key, vectors in groups.items()],
    }
    schema = resource_files("npquant.testing.vectors").joinpath(SCHEMA).read_bytes()
    return Rendering({DOCUMENT: as_json(document), SCHEMA: schema}, entries_of(collection.canonical), {})


def load_schema(name: str = SCHEMA) -> dict[str, Any]:
    """Return one of the JSON schemas beside this module: name "vectors.schema.json", "manifest..." or "errata..."."""
    text = resource_files("npquant.testing.vectors").joinpath(name).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _note(group: str, says: str, met: str) -> dict[str, Any]:
    note: dict[str, Any] = {"bugType": group, "description": says}
    return {**note, "metIn": met.split(", ")} if met else note


def _group(name: str, op: str, vectors: list[GoldenVector]) -> dict[str, Any]:
    subject = next((module.SUBJECT for module in CLASSES if name == module.NAME), name)
    kind = "QuantizeTest" if op == "quantize" else "LinearTest"
    return {"type": kind, "class": name, "comment": subject, "tests": [_test(vector) for vector in vectors]}


def _test(vector: GoldenVector) -> dict[str, Any]:
    case = vector.case
    comment = ", ".join(case.tags) + f": {case.x_q.shape[0]} rows, {len(case.model.layers)} layer(s)"
    test: dict[str, Any] = {"tcId": vector.origin, "comment": comment, "flags": list(vector.kills)}
    if case.op == "quantize":
        test |= {"to": _params(case.model.layers[0].x), "x": numbers(case.x_q)}
    else:
        layers = case.model.layers
        test |= {
            "xLayout": case.x_layout,
            "wLayout": case.w_layout,
            "layers": [_layer(layer) for layer in layers],
            "neighbour": None if case.neighbour is None else [_layer(layer) for layer in case.neighbour.layers],
            "earlier": [codes.tolist() for codes in case.earlier],
            "sameBuffer": case.same_buffer,
            "x": case.x_q.tolist(),
            "steps": [_values(values) for values in vector.layers],
        }
    return {**test, "result": RESULTS[case.status], "y": None if vector.y_q is None else vector.y_q.tolist()}


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "inputs": layer.w_q.shape[0],
        "outputs": layer.w_q.shape[1],
        "x": _params(layer.x),
        "w": _params(layer.w),
        "y": _params(layer.y),
        "activation": layer.activation,
        "bias": None if layer.bias is None else layer.bias.tolist(),
        "weights": layer.w_q.tolist(),
    }


def _params(params: Params) -> dict[str, Any]:
    zero: Any = np.asarray(params.zero_point).tolist()
    return {
        "type": params.dtype.name,
        "scale": numbers(params.scale),
        "zeroPoint": zero,
        "qmin": params.qmin,
        "qmax": params.qmax,
    }


def _values(values: LayerValues) -> dict[str, Any]:
    """Return a layer's values; multiplier and shift where the arithmetic has them."""
    fixed = {"multiplier": values.m.tolist(), "shift": values.e.tolist()} if values.own else {}
    return {
        **fixed,
        "clamp": [values.low, values.high],
        "accumulators": values.acc.tolist(),
        "beforeClamp": values.before.tolist(),
        "y": values.y_q.tolist(),
    }
