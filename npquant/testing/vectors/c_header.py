"""The vectors as a C99 header and a checker: who implements `npquant_linear` of npquant_backend.h compiles and runs.

    cc -std=c99 -Wall -Wextra -pedantic checker.c my_kernel.c -o checker && ./checker

The function is the one that `npquant.testing.from_ctypes` asks. Legend: collection the set; vector a flat one."""

from __future__ import annotations

from importlib.resources import files as resource_files
from typing import Any

import numpy as np

from npquant.testing.adapters.operands import Operands, operands_of
from npquant.testing.adapters.pipe import hexadecimal
from npquant.testing.adapters.shared import c_header
from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.rendering import Rendering, entries_of, layers_only
from npquant.testing.vectors.vector import GoldenVector
from npquant.version import __version__

WIDTH = 110
START = """/* Golden vectors of npquant {version}: {equation}
 * profile {profile}. Written by a program: do not edit. One array a line of the struct, in C order. */
#ifndef NPQUANT_VECTORS_H
#define NPQUANT_VECTORS_H

#include "npquant_backend.h"

typedef struct npquant_vector {{
    const char *id, *subject;
    npquant_layer layer; /* y is yours to give */
    const void *y;       /* rows x outputs output codes, of layer.y_type */
    const int32_t *accumulators, *before_clamp;
}} npquant_vector;
"""


def render(collection: Collection) -> Rendering:
    """Return vectors.h, the checker, and the header with the function; layers alone can be said."""
    vectors, left_out = layers_only(collection.flat)
    profile = collection.profile
    text = START.format(version=__version__, profile=profile.name, equation=profile.equation)
    rows = []
    for i, vector in enumerate(vectors):
        o = operands_of(vector.case.model.layers[0], vector.case.x_q, profile)
        text += "\n" + "".join(_array(f"v{i}_{name}", values) for name, values in _arrays(vector, o))
        rows.append(_row(f"v{i}", vector, o))
    text += "\nstatic const npquant_vector npquant_vectors[] = {\n" + ",\n".join(rows) + "\n};\n\n#endif\n"
    checker = resource_files("npquant.testing.vectors").joinpath("checker.c").read_bytes()
    files = {
        "vectors.h": text.encode("ascii"),
        "checker.c": checker,
        "npquant_backend.h": c_header().read_bytes(),
    }
    return Rendering(files, entries_of(vectors), left_out)


def _arrays(vector: GoldenVector, o: Operands) -> tuple[tuple[str, Any], ...]:
    values = vector.layers[0]
    return (
        ("x", o.x_q),
        ("w", o.w_q),
        ("wz", o.w_zero),
        ("m", o.m),
        ("e", o.e),
        ("ws", o.w_scale),
        ("b", o.bias),
        ("y", values.y_q),
        ("acc", values.acc),
        ("pre", values.before),
    )


def _array(name: str, values: Any) -> str:
    """Return an array's definition; C has no empty ones, so such an array has an element that is not used."""
    flat = values.ravel() if values.size else np.zeros(1, values.dtype)
    kind = "float" if flat.dtype.kind == "f" else f"{flat.dtype.name}_t"
    words = [f"{hexadecimal(v)}f" if kind == "float" else literal(v) for v in flat.tolist()]
    lines = [f"static const {kind} {name}[] = {{"]
    for word in words:
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append("    ")
        lines[-1] += f"{word}, "
    return "\n".join(line.rstrip() for line in lines)[:-1] + "};\n"


def literal(value: int) -> str:
    """Return a value of int32 as a C99 constant of type int; the smallest one has no literal.

    >>> literal(-5), literal(-(2**31))
    ('-5', '-2147483647 - 1')
    """
    return str(value) if value > -(2**31) else f"{value + 1} - 1"


def _row(name: str, vector: GoldenVector, o: Operands) -> str:
    (b, k), n = o.x_q.shape, o.shape[1]
    types = ", ".join(f"NPQUANT_{dtype.name.upper()}" for dtype in (o.x_q.dtype, o.w_q.dtype, o.y_type))
    head = f"(int32_t)sizeof(npquant_layer), {b}, {k}, {n}, {types}"
    clamp = f"{o.x_zero}, {o.y_zero}, {o.low}, {o.high}, {hexadecimal(o.x_scale)}f, {hexadecimal(o.y_scale)}f"
    pointers = f"{name}_x, {name}_w, NULL, {k}, 1, {n}, 1, {n}, 1, {name}_wz, {name}_m, {name}_e, {name}_ws, {name}_b"
    return (
        f'    {{"{vector.id}", "{vector.case.group}",\n     {{{head},\n      {clamp},\n      {pointers}}},\n'
        f"     {name}_y, {name}_acc, {name}_pre}}"
    )
