"""Step 8 for other people's runtimes: write what they take, run it in them, compare every answer, take the times.

Legend: folder the run's own; model the deployed network, own its own answers on the rows x; targets which to write;
facts what is known of the data; seconds to spend on a time.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.facts import Facts
from npquant.integer.mlp import IntegerMLP
from npquant.interop.consumers.c_cost import object_size, row_cost
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
_NEARNESS: Final = ("agreement", "largest_difference")
# What a format, an engine or a compiler says of itself when it does not serve: told, never silently absent.
_REFUSALS: Final = (ImportError, ValueError, TypeError, RuntimeError, OSError)

# Rows, deployed.npz's own outputs for them, and what these are: "classes" or "real".
Asked = tuple[NDArray[Any], NDArray[Any], str]


def deploy_targets(
    folder: Path,
    model: IntegerMLP,
    x: NDArray[Any],
    targets: tuple[str, ...],
    progress: Callable[[str], None],
    *,
    kind: str = "classes",
    facts: Facts | None = None,
    seconds: float = 0.1,
) -> list[dict[str, Any]]:
    """Write the targets, run each in its engines, and describe it: the entries "targets" of the report's deployment.

    An entry a target and engine, in the order of `ENGINES_OF`. progress is told what goes on. Equal answers are those
    that npquant gives under the engine's arithmetic, byte for byte; "agreement" is how often that arithmetic gives the
    class that deployed.npz gives; of the `kind` "real" "largest_difference" is how far it lies from deployed.npz's
    outputs. OSError if a file cannot be written.
    """
    entries = []
    own = model.logits(x)
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
            entries.append(_judged(target, engine, listed, out, model, (x, own, kind), seconds))
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
    asked: Asked,
    seconds: float,
) -> dict[str, Any]:
    """Run one artefact in one engine; what does not serve is named."""
    try:
        if engine == "numpy":
            return _entry(target, engine, files, _read_back(out, model, asked))
        rows = _SIMULATED if engine == "verilog" else _ROWS
        under = "ort" if target == "onnx-integer" else None
        found = verify(out, engine=engine, profile=under, model=model if target in _GIVEN else None, rows=rows)
        near = _nearness(_answers(target, found.profile, out, model, asked[0]), asked)
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
            **near,
            "measured": {"version": found.engine_version, **measured},
        },
    )


def _words(error: BaseException, folder: Path) -> str:
    """Say what is wrong; files in the folder are called by their names."""
    return " ".join(str(error).replace(f"{folder}{os.sep}", "").split()) or type(error).__name__


def _entry(target: str, engine: str, files: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    """Describe a target in an engine; what is not `said` is null."""
    counts = dict.fromkeys(("profile", "rows", "outputs", "differing", "equal", *_NEARNESS, "reason"))
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


def _read_back(out: Path, model: IntegerMLP, asked: Asked) -> dict[str, Any]:
    """Compare what the plain arrays hold, read back, on the rows."""
    codes, held = model.encode(asked[0]), _network(out, None)
    y, due = held.run(codes), model.run(codes)
    differing = int((y != due).sum())
    return {
        "profile": model.profile.name,
        "rows": len(codes),
        "outputs": due.size,
        "differing": differing,
        "equal": due.size > 0 and not differing,
        **_nearness(held.logits(asked[0]), asked),
        "measured": {"version": np.__version__},
    }


def _network(out: Path, profile: str | None) -> IntegerMLP:
    from npquant.interop.reading import read

    model = read(out, profile=profile).model
    if not isinstance(model, IntegerMLP):
        raise ValueError(f"{out}: reads back as {type(model).__name__}, not as the integer network that was written")
    return model


def _answers(target: str, profile: str, out: Path, model: IntegerMLP, x: NDArray[Any]) -> NDArray[Any]:
    """What the artefact's network answers to the rows under the engine's arithmetic."""
    held = dataclasses.replace(model, profile=get(profile)) if target in _GIVEN else _network(out, profile)
    same_codes = (held.input_params.qmin, held.input_params.qmax) == (model.input_params.qmin, model.input_params.qmax)
    # The door of an engine may round real inputs otherwise: where codes are alike, the arithmetic alone is judged.
    return held.decode(held.run(model.encode(x))) if same_codes else held.logits(x)


def _nearness(answers: NDArray[Any], asked: Asked) -> dict[str, Any]:
    """Say how near outputs lie to deployed.npz's: the share of equal classes, or the largest difference of values."""
    own, kind = asked[1:]
    if kind == "real":
        apart = np.abs(answers.astype(np.float64) - own.astype(np.float64))
        return {"largest_difference": float(apart.max(initial=0.0))}
    return {"agreement": float(np.mean(answers.argmax(axis=1) == own.argmax(axis=1)))}


def _measure(engine: str, out: Path, model: IntegerMLP, seconds: float) -> dict[str, Any]:
    """Take what is measured on this machine: the time of a row, and what a program takes of flash, RAM and steps."""
    if engine == "cc":
        return _cost_of_c(out / f"{NAME}.c", model, seconds)
    return {} if engine == "verilog" else {"seconds": time_row(engine, out, seconds)}


def _cost_of_c(source: Path, model: IntegerMLP, seconds: float) -> dict[str, Any]:
    """Take the sizes at -Os, and time and instructions of a row of zeros at -O2."""
    row = row_cost(source, np.zeros((1, model.n_inputs), model.input_params.dtype), seconds)
    sizes: tuple[int | None, int | None] = (None, None)
    if shutil.which("size") is not None:
        text, data, bss = object_size(source, flags=("-std=c99", "-Os"))
        sizes = text + data, data + bss
    return {"code_bytes": sizes[0], "ram_bytes": sizes[1], **dataclasses.asdict(row)}
