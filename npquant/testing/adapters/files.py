"""Questions and answers in a folder, for what runs elsewhere: RTL, a board, another machine.

Legend: what the files of a folder hold, `adapters.folder` tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.adapters.folder import (
    ARRAYS,
    MANIFEST,
    QUESTIONS,
    SCHEMA,
    TEXT,
    Folder,
    beside_the_line,
    checksum,
    read_answers,
    read_manifest,
)
from npquant.testing.adapters.operands import LayerByLayer, plain_capabilities
from npquant.testing.adapters.pipe import codes_of_line, layer_line, quantize_line, write_question
from npquant.testing.backend import Capabilities, capabilities_of, why_not_asked
from npquant.testing.case import Case, Layer, Model, Params


@dataclass(frozen=True, slots=True, eq=False)
class FilesBackend:
    """A backend whose answers lie in a folder: a question that is not there is declined."""

    name: str
    profile: str
    record: Profile
    can: Capabilities
    answers: MappingProxyType[str, str | NDArray[Any]]

    def capabilities(self) -> Capabilities:
        """Return what its questions can hold."""
        return self.can

    def prepare(self, model: Model) -> LayerByLayer:
        """Keep the model."""
        return LayerByLayer(self.answer, model)

    def answer(self, layer: Layer, x_q: Codes) -> Any:
        """Look the layer's answer up."""
        shape = (x_q.shape[0], layer.w_q.shape[1])
        return self._found(layer_line(layer, x_q, self.record), shape, layer.y.dtype)

    def quantize(self, x: NDArray[Any], params: Params) -> Any:
        """Look the answer to QUANTIZE up."""
        return self._found(quantize_line(x, params), x.shape, params.dtype)

    def _found(self, line: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        answer = self.answers.get(line)
        if answer is None:
            raise NotImplementedError("not among the questions of the folder")
        if isinstance(answer, np.ndarray):
            return answer.copy()
        return codes_of_line(answer, shape, dtype)


def write_questions(folder: Folder, cases: Iterable[Case]) -> int:
    """Write cases to a folder as questions, for a backend that runs elsewhere.

    Parameters
    ----------
    folder : str or path
        Made if it is not there. Its questions.txt and manifest.json are overwritten; an answers.txt or answers.npz of
        other questions is removed.
    cases : iterable of Case
        All of one profile. A case that one line cannot hold (a network, shapes that differ) or that has an answer
        nobody can give (it must be refused, or the engine does not take it) is left out, and so is a case that is there
        already.

    Returns
    -------
    int
        How many questions were written.

    Raises
    ------
    ValueError
        If the cases are of several profiles, or none can be written.

    Notes
    -----
    The form is the pipe's, so that the program that reads it can read a pipe too. Layouts and earlier calls are not
    written: earlier calls are earlier lines.

    Examples
    --------
    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.testing import verify_offline
    >>> from npquant.testing.case import one_layer
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> folder = Path("asked")
    >>> case = one_layer(np.array([[1]], np.int8), np.array([[4]], np.int8), None, p, p, p, "npquant")
    >>> write_questions(folder, [case])
    1
    >>> (folder / "answers.txt").write_text("2\\n")
    2
    >>> verify_offline(folder).passed
    True
    """
    lines: dict[str, dict[str, Any]] = {}
    profiles = set()
    for case in cases:
        if case.status != "valid" or why_not_asked(case, capabilities_of(get(case.model.profile))):
            continue
        try:
            line = write_question(case)
        except NotImplementedError:
            continue
        profiles.add(case.model.profile)
        lines.setdefault(line, beside_the_line(case))
    if len(profiles) != 1:
        raise ValueError(f"the cases are of {len(profiles)} profiles; give cases of one, at least one of them a layer")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name in (TEXT, ARRAYS):
        (place / name).unlink(missing_ok=True)
    text = "".join(line + "\n" for line in lines).encode("ascii")
    (place / QUESTIONS).write_bytes(text)
    beside = list(lines.values())
    manifest = {
        "schema": SCHEMA,
        "profile": profiles.pop(),
        "questions": len(lines),
        "sha256": checksum(text, beside),
        "cases": beside,
    }
    (place / MANIFEST).write_text(json.dumps(manifest, indent=0) + "\n", encoding="utf-8")
    return len(lines)


def from_files(folder: Folder, *, profile: str | Profile | None = None, name: str = "") -> FilesBackend:
    """Make a backend of answers that were worked out elsewhere.

    Parameters
    ----------
    folder : str or path
        With questions.txt and manifest.json as `write_questions` wrote them, and answers.txt or answers.npz.
    profile : str or Profile, optional
        The arithmetic that it claims; by default the one that the questions were written under.
    name : str
        For reports; by default the folder's name.

    Returns
    -------
    Backend
        It answers the folder's questions, and declines any other. `verify_offline` asks exactly those.

    Raises
    ------
    FileNotFoundError
        If questions or manifest are missing.
    ValueError
        If the questions were edited, or the answers are cut short, too many or cannot be read; or the profile is not
        the one that the questions were written under, or unknown.

    Notes
    -----
    answers.txt holds one answer a line, in the order of the questions: codes, `reject WHY`, or `decline WHY` for a
    question that was not run. answers.npz holds an array (B, N) of the output's dtype for each, named by the number of
    its question; one that is missing counts as declined.

    Examples
    --------
    >>> from_files("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere has no manifest.json: write_questions writes it
    """
    manifest, lines = read_manifest(folder)
    record = get(manifest["profile"])
    if profile is not None and get(profile).name != record.name:
        raise ValueError(f"the questions were written under {record.name}, not {get(profile).name}: m and e may differ")
    answers = dict(zip(lines, read_answers(folder, len(lines)), strict=True))
    can = plain_capabilities(record)
    return FilesBackend(name or Path(folder).name, record.name, record, can, MappingProxyType(answers))
