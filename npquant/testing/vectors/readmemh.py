"""The vectors as memory images for $readmemh: codes, words, expected codes, accumulators, values before the clamp.

codes.mem holds 8-bit words, one a line, two hexadecimal digits: the codes of x (B, K) row by row, then those of w
(K, N) row by row, of each vector in turn; signed codes in two's complement. words.mem holds 32-bit words, eight digits,
the most significant first: 4 words of head, then 24 words a vector (`FIELDS`), then its arrays of N words. expected.mem
(8-bit), accumulators.mem and before_clamp.mem (32-bit) hold B x N values a vector at one and the same address. Every
address counts words of its own file from 0. A byte memory takes a 32-bit word with its least significant byte at the
lowest address. signature.txt is what a bench has to print: one line an output code, in order, sign-extended to 32 bits,
eight digits. Legend: collection the set; vector a flat one; words a list that grows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.testing.adapters.operands import Operands, operands_of
from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.rendering import Rendering, as_json, entries_of, layers_only
from npquant.testing.vectors.vector import GoldenVector

SIGNATURE: Final = "signature.txt"
MAGIC: Final = 0x4E505156  # "NPQV"
VERSION: Final = 1
# A vector's words in words.mem, in order. *_address counts words of words.mem, x and w bytes of codes.mem, y values of
# the three files of answers. own_multiplier: 1 where the arithmetic itself multiplies by m 2^(e-31).
FIELDS: Final = (
    "rows", "depth", "outputs", "x_type", "w_type", "y_type", "x_zero", "y_zero", "low", "high", "x_scale", "y_scale",
    "x_address", "w_address", "w_zero_address", "multiplier_address", "shift_address", "w_scale_address",
    "bias_address", "y_address", "own_multiplier", "canonical", "step", "reserved",
)  # fmt: skip
TYPES: Final = (("int8", 1), ("uint8", 2))
HEAD: Final = 4


def render(collection: Collection) -> Rendering:
    """Return the images, the map of addresses, and the signature; layers alone can be said."""
    vectors, left_out = layers_only(collection.flat)
    operands = [operands_of(v.case.model.layers[0], v.case.x_q, collection.profile) for v in vectors]
    headers, codes, words = _laid_out(vectors, operands)
    answers = [vector.layers[0] for vector in vectors]
    ids = [vector.id for vector in vectors]
    head = np.array([MAGIC, VERSION, len(vectors), len(FIELDS)], np.int64)
    heads = [np.array(list(header.values()), np.int64) for header in headers]
    expected = [values.y_q.ravel().astype(np.int64) for values in answers]
    files = {
        "codes.mem": _image(ids, codes, 2),
        "words.mem": _image(["head", *(f"{name} fields" for name in ids), *ids], [head, *heads, *words], 8),
        "expected.mem": _image(ids, expected, 2),
        "accumulators.mem": _image(ids, [values.acc.ravel() for values in answers], 8),
        "before_clamp.mem": _image(ids, [values.before.ravel() for values in answers], 8),
        SIGNATURE: "".join(f"{_hex(code, 8)}\n" for values in expected for code in values.tolist()).encode("ascii"),
        "address_map.json": as_json({"head": ["magic", "version", "vectors", "fields"], "fields": list(FIELDS),
                                     "types": dict(TYPES), "vectors": dict(zip(ids, headers, strict=True))}),
    }  # fmt: skip
    return Rendering(files, entries_of(vectors), left_out)


def _laid_out(
    vectors: tuple[GoldenVector, ...], operands: list[Operands]
) -> tuple[list[dict[str, int]], list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Give every array its address; return the fields, the codes and the words of each vector."""
    headers, codes, words, kinds = [], [], [], dict(TYPES)
    at_code, at_word, at_answer = 0, HEAD + len(FIELDS) * len(vectors), 0
    for vector, o in zip(vectors, operands, strict=True):
        (b, k), n = o.x_q.shape, o.shape[1]
        arrays = (o.w_zero, o.m, o.e, o.w_scale.view(np.int32), o.bias)
        zero, m, e, scale, bias = (at_word + i * n for i in range(len(arrays)))
        fields = (
            b, k, n, kinds[o.x_q.dtype.name], kinds[o.w_q.dtype.name], kinds[o.y_type.name],
            o.x_zero, o.y_zero, o.low, o.high, _bits(o.x_scale), _bits(o.y_scale),
            at_code, at_code + b * k, zero, m, e, scale, bias, at_answer,
            int(vector.layers[0].own), vector.origin, vector.step, 0,
        )  # fmt: skip
        headers.append(dict(zip(FIELDS, fields, strict=True)))
        codes.append(np.concatenate([o.x_q.ravel(), o.w_q.ravel()]).astype(np.int64))
        words.append(np.concatenate([array.astype(np.int64) for array in arrays]))
        at_code, at_word, at_answer = at_code + b * k + k * n, at_word + len(arrays) * n, at_answer + b * n
    return headers, codes, words


def _bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def _hex(value: int, digits: int) -> str:
    return f"{value & (16**digits - 1):0{digits}x}"


def _image(names: list[str], parts: list[Any], digits: int) -> bytes:
    """Return parts one after another as text, each after its address and its name."""
    lines: list[str] = []
    at = 0
    for name, part in zip(names, parts, strict=True):
        if len(part):
            lines += [f"@{at:x} // {name}", *(_hex(value, digits) for value in part.tolist())]
        at += len(part)
    return ("\n".join(lines) + "\n").encode("ascii")
