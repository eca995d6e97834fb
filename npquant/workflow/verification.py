"""Does a runtime answer what npquant says it must? One record for every artefact and every engine.

Legend: path the artefact; engine the runtime that it is handed to; profile the arithmetic of npquant's own answers;
x (B, K) inputs as the artefact takes them, B rows; found a `Verification`.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP
from npquant.testing.divergence import Divergence, divergence_as_json, render_divergence


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
    profile: str  # of npquant's answers; "" for a float network
    rows: int
    outputs: int  # compared
    differing: int  # of them: other bytes, or farther apart than `bound` says
    largest: float  # difference, in codes or in real units
    bound: str  # "byte for byte", or the formula that a float answer may be off by
    first: FirstMismatch | None
    explained_by: tuple[str, ...]  # profiles that give every answer, where `profile` does not
    divergence: Divergence | None  # `profile` against the first of them, as `npquant diff` says it

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
    """Hand an artefact and `rows` inputs, drawn from `rng` and at the limits, to its runtime, and compare the answers.

    engine is told from the artefact where it is not given. model holds what an artefact must compute that cannot be
    read back (a C program, a memory image). FormatError if the artefact cannot be read, ImportError if the engine is
    not installed, ValueError if the engine is unknown or does not run the artefact.
    """
    raise NotImplementedError


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
    if found.divergence is not None:
        lines += ["", render_divergence(found.divergence).rstrip()]
    return "\n".join(lines) + "\n"


def verification_as_json(found: Verification) -> dict[str, Any]:
    """Describe it in JSON's types, with the verdict as "equal"."""
    record: dict[str, Any] = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    record["first"] = None if found.first is None else dataclasses.asdict(found.first)
    record["explained_by"] = list(found.explained_by)
    record["divergence"] = None if found.divergence is None else divergence_as_json(found.divergence)
    return {"equal": found.equal, **record}
