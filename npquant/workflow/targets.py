"""Step 8 for other people's runtimes: write what they take, run it in them, compare every answer, take the times.

Legend: folder the run's own; model the deployed network, own its own answers on the rows x; targets which to write;
facts what is known of the
data; seconds to spend on a time.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.facts import Facts
from npquant.integer.mlp import IntegerMLP
from npquant.interop.consumers.c_program import measure_c
from npquant.interop.consumers.row_latency import time_row
from npquant.profiles import get
from npquant.workflow.exports import ExportForm, encode_export, write_export
from npquant.workflow.target_names import ENGINES_OF, FILES, FOLDERS
from npquant.workflow.verification import verify

NAME: Final = "deployed"
# What cannot be read back is compared with the network that it was written from; all else with what its file holds.
_GIVEN: Final = (*FOLDERS, "onnx-integer")
_ROWS: Final = 1000
_SIMULATED: Final = 20  # a simulator takes some 10 ms a row, and rows at the limits come on top
# What a format, an engine or a compiler says of itself when it does not serve: told, never silently absent.
_REFUSALS: Final = (ImportError, ValueError, TypeError, RuntimeError, OSError)


def deploy_targets(
    folder: Path,
    model: IntegerMLP,
    x: NDArray[Any],
    targets: tuple[str, ...],
    progress: Callable[[str], None],
    *,
    facts: Facts | None = None,
    seconds: float = 0.1,
) -> list[dict[str, Any]]:
    """Write the targets, run each in its engines, and describe it: the entries "targets" of the report's deployment.

    An entry a target and engine, in the order of `ENGINES_OF`. progress is told what goes on. Equal answers are those
    that npquant gives under the engine's arithmetic, byte for byte; "agreement" is how often that arithmetic gives the
    class that deployed.npz gives. OSError if a file cannot be written.
    """
    entries = []
    own = model.predict(x)
    for target in targets:
        engines = [engine for name, engine in ENGINES_OF if name == target]
        try:
            files = encode_export(model, target, ExportForm(name=NAME, facts=facts))
        except _REFUSALS as error:
            reason = f"not written: {_words(error, folder)}"
            entries += [_entry(target, engine, [], {"reason": reason}) for engine in engines]
            continue
        out = folder / FILES[target]
        write_export(out, files)
        listed = [
            {
                "name": f"{FILES[target]}/{name}" if name else FILES[target],
                "bytes": len(content),
                "sha256": sha256(content).hexdigest(),
            }
            for name, content in files.items()
        ]
        for engine in engines:
            progress(f"8 deploy: {target} in {engine}")
            entries.append(_judged(target, engine, listed, out, model, x, own, seconds))
    return entries


def differing_targets(entries: list[dict[str, Any]]) -> list[str]:
    """Name the targets among `entries` that an engine answers otherwise than it must: none, or something is wrong.

    >>> differing_targets([{"target": "c", "engine": "cc", "equal": True}])
    []
    """
    return [f"{entry['target']} in {entry['engine']}" for entry in entries if entry["equal"] is False]


def _judged(
    target: str,
    engine: str,
    files: list[dict[str, Any]],
    out: Path,
    model: IntegerMLP,
    x: NDArray[Any],
    own: NDArray[Any],
    seconds: float,
) -> dict[str, Any]:
    """Run one artefact in one engine; what does not serve is named."""
    try:
        if engine == "numpy":
            return _entry(target, engine, files, _read_back(out, model, x))
        rows = _SIMULATED if engine == "verilog" else _ROWS
        under = "ort" if target == "onnx-integer" else None
        found = verify(out, engine=engine, profile=under, model=model if target in _GIVEN else None, rows=rows)
        agreement = _agreement(target, found.profile, out, model, x, own)
    except _REFUSALS as error:
        return _entry(target, engine, files, {"reason": _words(error, out.parent)})
    try:
        measured = _measure(engine, out, model, seconds)
    except _REFUSALS as error:
        measured = {"reason": _words(error, out.parent)}
    return _entry(
        target,
        engine,
        files,
        {
            "profile": found.profile,
            "rows": found.rows,
            "outputs": found.outputs,
            "differing": found.differing,
            "equal": found.equal,
            "agreement": agreement,
            "measured": {"version": found.engine_version, **measured},
        },
    )


def _words(error: BaseException, folder: Path) -> str:
    """Say what is wrong; files in the folder are called by their names."""
    return " ".join(str(error).replace(f"{folder}{os.sep}", "").split()) or type(error).__name__


def _entry(target: str, engine: str, files: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    """Describe a target in an engine; what is not `said` is null."""
    counts = dict.fromkeys(("profile", "rows", "outputs", "differing", "equal", "agreement", "reason"))
    measured = dict.fromkeys(("version", "seconds", "code_bytes", "ram_bytes", "instructions", "uncounted", "reason"))
    return {
        "target": target,
        "engine": engine,
        "files": files,
        "bytes": sum(file["bytes"] for file in files) or None,
        **counts,
        **said,
        "measured": {**measured, **said.get("measured", {})},
    }


def _read_back(out: Path, model: IntegerMLP, x: NDArray[Any]) -> dict[str, Any]:
    """Compare what the plain arrays hold, read back, on the rows."""
    codes = model.encode(x)
    y, due = _network(out, None).run(codes), model.run(codes)
    differing = int((y != due).sum())
    return {
        "profile": model.profile.name,
        "rows": len(codes),
        "outputs": due.size,
        "differing": differing,
        "equal": due.size > 0 and not differing,
        "agreement": float(np.mean(y.argmax(axis=1) == due.argmax(axis=1))),
        "measured": {"version": np.__version__},
    }


def _network(out: Path, profile: str | None) -> IntegerMLP:
    from npquant.interop.reading import read

    model = read(out, profile=profile).model
    if not isinstance(model, IntegerMLP):
        raise ValueError(f"{out}: reads back as {type(model).__name__}, not as the integer network that was written")
    return model


def _agreement(target: str, profile: str, out: Path, model: IntegerMLP, x: NDArray[Any], own: NDArray[Any]) -> float:
    """The share of rows to which the artefact's network, under the engine's arithmetic, gives deployed.npz's class."""
    held = dataclasses.replace(model, profile=get(profile)) if target in _GIVEN else _network(out, profile)
    same_codes = (held.input_params.qmin, held.input_params.qmax) == (model.input_params.qmin, model.input_params.qmax)
    classes = held.run(model.encode(x)).argmax(axis=1) if same_codes else held.predict(x)
    return float(np.mean(classes == own))


def _measure(engine: str, out: Path, model: IntegerMLP, seconds: float) -> dict[str, Any]:
    """Take what is measured on this machine: the time of a row, and what a program takes of flash, RAM and steps."""
    if engine == "cc":
        return measure_c(out / f"{NAME}.c", model, seconds)
    return {} if engine == "verilog" else {"seconds": time_row(engine, out, seconds)}
