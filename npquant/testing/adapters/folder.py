"""The files of a folder of questions, read back: what was asked, what was answered, and whether either is whole.

Legend: folder holds questions.txt, one question a line in the pipe's form; manifest.json, what the lines do not tell
and their checksum; answers.txt, one answer a line in the same order, or answers.npz, one array a question. count is
the number of questions."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.qparams import QuantParams
from npquant.testing.adapters.pipe import answers_in
from npquant.testing.case import Case, Layer, Model

SCHEMA: Final = 1
QUESTIONS, TEXT, ARRAYS, MANIFEST = "questions.txt", "answers.txt", "answers.npz", "manifest.json"
# What a folder without an answer says for it.
NOT_ANSWERED: Final = "not answered"

Folder = str | os.PathLike[str]


def beside_the_line(case: Case) -> dict[str, Any]:
    """Return what a case holds beside its line."""
    layer = case.model.layers[0]
    bounds = {role: [params.qmin, params.qmax] for role, params in (("x", layer.x), ("w", layer.w), ("y", layer.y))}
    each = [bool(np.ndim(layer.w.scale)), bool(np.ndim(layer.w.zero_point))]
    return {"tags": list(case.tags), "activation": layer.activation, "each": each, **bounds}


def checksum(text: bytes, beside: list[dict[str, Any]]) -> str:
    """Return the SHA-256 of questions.txt's text, and of what stands beside its lines."""
    return hashlib.sha256(text + json.dumps(beside, sort_keys=True).encode("ascii")).hexdigest()


def read_manifest(folder: Folder) -> tuple[dict[str, Any], list[str]]:
    """Return a folder's manifest and its questions; ValueError if they are edited, cut short or of a newer schema."""
    place = Path(folder)
    for name in (MANIFEST, QUESTIONS):
        if not (place / name).is_file():
            raise FileNotFoundError(f"{place} has no {name}: write_questions writes it")
    try:
        manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        schema, count = manifest["schema"], manifest["questions"]
        digest, beside = manifest["sha256"], manifest["cases"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{place / MANIFEST} cannot be read: {error}") from error
    if schema != SCHEMA:
        raise ValueError(f"{place / MANIFEST} has schema {schema}; this version reads {SCHEMA}")
    text = (place / QUESTIONS).read_bytes()
    if checksum(text, beside) != digest:
        lines = text.count(b"\n")
        cut = f"; it has {lines} lines for {count}" if lines != count else ""
        raise ValueError(
            f"{place / QUESTIONS} or {MANIFEST} was edited since it was written: the checksum differs{cut}"
        )
    return manifest, text.decode("ascii").splitlines()


def read_answers(folder: Folder, count: int) -> list[str | NDArray[Any]]:
    """Return a folder's answers; ValueError if there are not as many as questions, or the archive cannot be read.

    In answers.txt `decline WHY` stands for an answer that there is not; in answers.npz such an array is missing."""
    place = Path(folder)
    present = [name for name in (TEXT, ARRAYS) if (place / name).is_file()]
    if len(present) != 1:
        raise ValueError(f"{place} must hold {TEXT} or {ARRAYS}, one of the two; it holds {len(present)}")
    if present == [ARRAYS]:
        return _arrays(place / ARRAYS, count)
    text = (place / TEXT).read_bytes().decode("utf-8", "replace")
    lines = list(answers_in(text.splitlines()))
    if len(lines) != count or (text and not text.endswith("\n")):
        what = f"{len(lines)} lines for {count} questions" if len(lines) != count else "no end of its last line"
        raise ValueError(f"{place / TEXT} is cut short or too long: {what}; `decline WHY` stands for no answer")
    return list(lines)


def _arrays(path: Path, count: int) -> list[str | NDArray[Any]]:
    names = [str(i) for i in range(count)]
    try:
        # Opened here, so that it is closed if it is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            stray = sorted(set(archive.files) - set(names))
            found = [archive[name] if name in archive.files else f"decline {NOT_ANSWERED}" for name in names]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if stray:
        raise ValueError(f"{path} holds {stray[0]!r}; arrays are named by questions, 0 to {count - 1}")
    return found


def read_cases(folder: Folder) -> list[Case]:
    """Return the cases that a folder's questions ask; ValueError as `read_manifest`."""
    manifest, lines = read_manifest(folder)
    return [
        read_question(line, manifest["profile"], **beside)
        for line, beside in zip(lines, manifest["cases"], strict=True)
    ]


def read_question(
    line: str,
    profile: str,
    *,
    tags: Iterable[str],
    activation: str,
    each: list[bool],
    x: list[int],
    w: list[int],
    y: list[int],
) -> Case:
    """Return the case that a question asks of a profile: the line, and what it does not tell: activation, tags, code
    intervals x, w, y, and whether weight scale and zero point are one `each` output.

    >>> line = "linear int8 int8 int8 1 2 1 3 3 -128 127 0x1p-1 0x1p-1 3 1073741824 0 0x1p-1 9 -5 7 1 2"
    >>> whole = [-128, 127]
    >>> case = read_question(line, "npquant", tags=(), activation="none", each=[0, 0], x=whole, w=whole, y=whole)
    >>> case.x_q, case.model.layers[0].bias
    (array([[1, 2]], dtype=int8), array([9], dtype=int32))
    """
    words = line.split()
    if words[0] == "quantize":
        zero, scale = int(words[3]), float.fromhex(words[6])
        p = QuantParams(scale, zero, x[0], x[1])
        values = np.array([float.fromhex(word) for word in words[7:]], np.float32)
        layer = Layer(np.zeros((1, 1), np.int8), None, p, p, p)
        return Case(Model((layer,), profile), values, op="quantize", tags=tuple(tags))
    b, k, n, zx, zy = (int(word) for word in words[4:9])
    sx, sy = (float.fromhex(word) for word in words[11:13])
    outputs = np.array(words[13 : 13 + 5 * n], object).reshape(n, 5)
    rest = np.array(words[13 + 5 * n :], np.int64)
    zw, bias = outputs[:, 0].astype(np.int32), outputs[:, 4].astype(np.int32)
    sw = np.array([float.fromhex(word) for word in outputs[:, 3]], np.float32)
    weights = QuantParams(sw if each[0] else sw[0], zw if each[1] else int(zw[0]), *w)
    w_q = rest[: k * n].reshape(k, n).astype(words[2])
    x_q = rest[k * n :].reshape(b, k).astype(words[1])
    layer = Layer(w_q, bias, QuantParams(sx, zx, *x), weights, QuantParams(sy, zy, *y), activation)
    return Case(Model((layer,), profile), x_q, tags=tuple(tags))
