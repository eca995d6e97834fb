"""How far apart one TFLite model's answers are: the same file and inputs under the arithmetic of three runtimes.

Run: python benchmarks/model_answers.py FILE_OR_FOLDER ... [--rows N] [--layers] [--engine]
Inputs are x0 of FILE.io.npz where that stands beside a file, else random codes (seed 0). A folder stands for the
integer TFLite files in it. With --engine LiteRT itself answers too, and must agree before anything is printed.
For each file and pair of runtimes: outputs that differ, the largest difference in codes; with --layers after each layer
of its own, from the same inputs.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.integer.layer import run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.interop import from_tflite
from npquant.interop.consumers.litert import RESOLVERS, run_litert
from npquant.interop.imported import Imported

NAMES = {name: profile for name, (_, profile) in RESOLVERS.items()}


def files_of(paths: list[Path]) -> list[Path]:
    """The files given, and those in the folders given."""
    found = [sorted(path.rglob("*.tflite")) if path.is_dir() else [path] for path in paths]
    return [path for some in found for path in some]


def read_all(path: Path) -> dict[str, Imported]:
    """The file under each runtime's profile; {} if it is no integer network that all of them compute."""
    try:
        found = {name: from_tflite(path, profile=profile) for name, profile in NAMES.items()}
    except FormatError:
        return {}
    return found if all(isinstance(one.model, IntegerMLP) for one in found.values()) else {}


def inputs_of(path: Path, one: Imported, rows: int) -> NDArray[Any]:
    """What the file takes: the inputs beside it, or random ones."""
    beside = path.with_name(path.name + ".io.npz")
    if beside.exists():
        with np.load(beside, allow_pickle=False) as arrays:
            return np.asarray(arrays["x0"].reshape(-1, one.model.n_inputs))
    rng = np.random.default_rng(0)
    if one.inputs is None:
        return rng.normal(size=(rows, one.model.n_inputs)).astype(np.float32)
    return rng.integers(one.inputs.qmin, one.inputs.qmax + 1, (rows, one.model.n_inputs)).astype(one.inputs.dtype)


def by_row(one: Imported, x: NDArray[Any]) -> NDArray[Any]:
    """Answers, a row at a time as the runtimes are asked: some round the tail of a vector by another rule."""
    return np.concatenate([one.run(row[None]) for row in x])


def told(a: NDArray[Any], b: NDArray[Any], step: float = 1.0) -> str:
    """Outputs that differ, of how many, and the largest difference in steps."""
    apart = np.abs(a.astype(np.float64) - b) / step
    count = np.count_nonzero(apart)
    return f"{count:>7,} of {a.size:>7,} ({count / a.size:6.1%}), up to {apart.max():.0f}"


def by_layer(found: dict[str, Imported], x: NDArray[Any], one: str, two: str) -> None:
    """Print the difference after each layer, from the same input codes."""
    a, b = x, x
    models = [found[name].model for name in (one, two)]
    for index, layers in enumerate(zip(*(model.layers for model in models), strict=True)):
        a, b = (run_layer_plain(layer, c, m.profile) for layer, c, m in zip(layers, (a, b), models, strict=True))
        print(f"    after layer {index}: {told(a, b)}")


def main() -> None:
    """Print a line a file and pair of runtimes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--engine", action="store_true")
    given = parser.parse_args()
    for path in files_of(given.paths):
        found = read_all(path)
        if not found:
            continue
        first = next(iter(found.values()))
        x = inputs_of(path, first, given.rows)
        answers = {name: by_row(one, x) for name, one in found.items()}
        if given.engine:
            for name, answer in answers.items():
                np.testing.assert_array_equal(run_litert(path, x, resolver=name), answer, f"{path.name}, {name}")
        print(f"{path.name}: {len(first.model.layers)} layers" + (f", then {first.head}" * (first.head != "none")))
        step = 1.0 if first.outputs is not None else float(first.model.layers[-1].output.scale)
        for one, two in combinations(answers, 2):
            print(f"  {one:>7} and {two:<4} {told(answers[one], answers[two], step)}")
            if given.layers and first.inputs == first.model.input_params:
                by_layer(found, x, one, two)


if __name__ == "__main__":
    main()
