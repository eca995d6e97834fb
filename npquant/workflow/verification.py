"""Does a runtime answer what npquant says it must? One record for every artefact and every engine.

Legend: path the artefact; engine the runtime that it is handed to; profile the arithmetic of npquant's own answers;
x (B, K) inputs as the artefact takes them, B rows; found a `Verification`.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.reading import read
from npquant.nn.model import FloatMLP
from npquant.profiles import get
from npquant.testing.divergence import Divergence, divergence_as_json, render_divergence
from npquant.workflow.verification_answers import PAIRS_SAY, Expected, expected_of, explained
from npquant.workflow.verification_engines import artefact_at, engine_for, golden_of, profile_for, run_engine
from npquant.workflow.verification_inputs import inputs_for


@dataclass(frozen=True, slots=True)
class FirstMismatch:
    """Hold the first output that came back otherwise: codes, or real values."""

    row: int
    output: int
    expected: float
    answered: float


@dataclass(frozen=True, slots=True)
class Verification:
    """Hold what a runtime answered, counted against npquant's own answers."""

    path: str
    format: str  # "onnx", "tflite", "c", "readmemh"
    engine: str  # "onnxruntime", "litert", "tflm", "cc", "verilog"
    engine_version: str
    profile: str  # of npquant's answers; "" for a float network, and for golden vectors that an artefact carries
    rows: int
    outputs: int  # compared
    differing: int  # of them: other bytes, or farther apart than `bound` says
    largest: float  # difference, in codes or in real units
    bound: str  # "byte for byte", or what a float answer may be off by
    first: FirstMismatch | None
    explained_by: tuple[str, ...]  # profiles that give every answer, where `profile` does not
    divergence: Divergence | None  # `profile` against the first of them, as `npquant diff` says it
    input_codes: int = 0  # of real inputs, on which the two profiles differ at the door already
    suspected: tuple[str, ...] = ()  # wrong rules that give every answer of the last layer, where no profile does

    @property
    def equal(self) -> bool:
        """Whether there was something to compare and nothing differed: the one decision that users act on."""
        return self.outputs > 0 and self.differing == 0


def verify(
    path: str | os.PathLike[str],
    *,
    engine: str | None = None,
    profile: str | None = None,
    model: FloatMLP | IntegerMLP | DynamicMLP | None = None,
    rows: int = 1000,
    rng: int | np.random.Generator = 0,
) -> Verification:
    """Hand an artefact and `rows` inputs, drawn from `rng` beside those at the limits, to its runtime, and compare.

    engine is told from the artefact where it is not given. model is what the artefact must compute, where it cannot be
    read back: a C program or a memory image, whose own golden vectors are run where it is not given. FormatError if the
    artefact cannot be read, ImportError if the engine is not installed, ValueError if the engine is unknown or does not
    run the artefact, RuntimeError if it fails on it.
    """
    kind, place = artefact_at(path)
    name = engine_for(kind, engine)
    if kind in ("c", "readmemh") and model is None:
        x, golden = golden_of(kind, place)
        answered, version = run_engine(name, place, x, "")
        return _compared(str(path), kind, name, version, "", Expected(golden, None), answered)
    found = _network(place, kind, name, profile, model)
    x = inputs_for(found, rows, np.random.default_rng(rng))
    under = "" if isinstance(found.model, FloatMLP) else found.model.profile.name
    expected = expected_of(found, x, kind)
    answered, version = run_engine(name, place, x, under)
    seen = _compared(str(path), kind, name, version, under, expected, answered)
    if seen.equal or isinstance(found.model, FloatMLP) or expected.bound is not None:
        return seen
    return dataclasses.replace(seen, **explained(found, x, answered, kind))


def _network(
    place: Path, kind: str, engine: str, profile: str | None, model: FloatMLP | IntegerMLP | DynamicMLP | None
) -> Imported:
    """What must be computed: read from the artefact, or the model as a C program or memory image takes its codes."""
    asked = profile_for(engine) if profile is None else profile
    if model is None:
        return read(place, profile=asked)
    if asked is not None and not isinstance(model, FloatMLP):
        model = dataclasses.replace(model, profile=get(asked))
    if kind not in ("c", "readmemh"):
        try:
            return dataclasses.replace(read(place), model=model)
        except FormatError:  # what cannot be read back has real inputs and logits
            return Imported(model, "none", (), kind)
    if not isinstance(model, IntegerMLP):
        raise TypeError(f"{place} computes on integers; model is a {type(model).__name__}")
    return Imported(model, "none", (), kind, model.input_params, model.output_params)


def _compared(
    path: str, kind: str, engine: str, version: str, profile: str, expected: Expected, answered: NDArray[Any]
) -> Verification:
    """Count what differs; ValueError where the answers have another shape."""
    y = expected.values
    if y.shape[1:] == (1,) and answered.shape == (len(y), 2):
        answered = answered[:, 1:]  # a classifier of two classes writes 1 - p beside p
    if answered.shape != y.shape:
        raise ValueError(f"{path}: {engine} answers shape {answered.shape}; npquant expects {y.shape}")
    apart = np.abs(answered.astype(np.float64) - y.astype(np.float64))
    # NaN is no answer that is near enough
    differs = (answered != y) if expected.bound is None else ~(apart <= expected.bound)
    first = None
    if differs.any():
        row, output = (int(i) for i in np.argwhere(differs)[0])
        first = FirstMismatch(row, output, float(y[row, output]), float(answered[row, output]))
    said = "byte for byte" if expected.bound is None else "to within the bound derived for sums in float32"
    return Verification(
        path, kind, engine, version, profile, len(y), int(y.size), int(differs.sum()),
        float(apart[differs].max(initial=0.0)), said, first, (), None,
    )  # fmt: skip


def render_verification(found: Verification) -> str:
    """Write it for a terminal: what was compared, the verdict, and what explains a difference."""
    under = f" under profile {found.profile}" if found.profile else ""
    lines = [
        f"{found.path} in {found.engine} {found.engine_version}",
        f"  {found.outputs:,} outputs of {found.rows:,} rows compared with npquant's{under}, {found.bound}",
        f"  {found.differing:,} differ" + (f", by up to {found.largest:g}" if found.differing else ""),
    ]
    if found.first is not None:
        first = found.first
        lines.append(
            f"  first: row {first.row}, output {first.output}: {found.engine} answered {first.answered:.9g}, "
            f"npquant expects {first.expected:.9g}"
        )
    if found.explained_by:
        lines.append(f"  every answer is that of profile {', '.join(found.explained_by)}")
    if "ort_pair16" in found.explained_by:
        lines.append(f"  {PAIRS_SAY}")
    if found.input_codes:
        lines.append(f"  {found.input_codes:,} real inputs become other codes under {found.explained_by[0]}")
    if found.suspected:
        lines.append(f"  every answer of the last layer is that of {'; or of '.join(found.suspected)}")
    if found.divergence is not None:
        lines += ["", render_divergence(found.divergence).rstrip()]
    return "\n".join(lines) + "\n"


def verification_as_json(found: Verification) -> dict[str, Any]:
    """Describe it in JSON's types, with the verdict as "equal"."""
    record: dict[str, Any] = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    record["first"] = None if found.first is None else dataclasses.asdict(found.first)
    record["explained_by"], record["suspected"] = list(found.explained_by), list(found.suspected)
    record["divergence"] = None if found.divergence is None else divergence_as_json(found.divergence)
    return {"equal": found.equal, **record}
