"""Step 8: write the files, read them back, prove that nothing changed, and take the time.

Legend: folder and path on the disk; R rows, K features, B a batch of rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int8
from npquant.files.storage import write_atomically
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.nn.model import FloatMLP
from npquant.workflow.staging import check_places

BATCHES: Final = (1, 64, 1000)


@dataclass(frozen=True, slots=True)
class Latency:
    """Median seconds that a batch takes in each network, real inputs to real logits."""

    batch: int
    float_seconds: float
    integer_seconds: float
    dynamic_seconds: float
    integer_low: float  # quartiles of the integer network's seconds
    integer_high: float


def prepare_folder(out: str | os.PathLike[str]) -> Path:
    """Make the output folder `out` with its parents, and see that a file can be written there, before any work is done.

    ValueError if its name is empty, or something in it is in the way; OSError if it cannot be made or written to; names
    it.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = prepare_folder(Path(folder) / "runs" / "first")
    ...     made.name, made.is_dir(), list(made.iterdir())
    ('first', True, [])
    """
    if not os.fspath(out).strip():
        raise ValueError("--out is empty; name the folder to write to")
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: choose a writable folder with --out", str(out)) from error
    check_places(folder)
    return folder


def write_files(folder: Path, contents: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Write files, each whole or not at all, and describe them by what stands on the disk.

    `contents` by name, in the order they are written. Returned are "files": name -> length in bytes, and "sha256": name
    -> hash in hex, both of the file as it reads back. OSError if a file cannot be written, or reads back otherwise than
    it was written; names it.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_files(Path(folder), {"a.npz": b"one", "b.npz": b""})
    >>> written["files"], written["sha256"]["b.npz"][:8]
    ({'a.npz': 3, 'b.npz': 0}, 'e3b0c442')
    """
    lengths, hashes = {}, {}
    for name, content in contents.items():
        write_atomically(folder / name, content)
        stored = (folder / name).read_bytes()
        if stored != content:
            raise OSError(f"{folder / name}: reads back otherwise than it was written; check the disk")
        lengths[name], hashes[name] = len(stored), sha256(stored).hexdigest()
    return {"files": lengths, "sha256": hashes}


def reload_and_prove(path: Path, model: IntegerMLP, x_q: Int8) -> IntegerMLP:
    """Load a deployed network, prove that it is `model` and computes the same codes from the input codes `x_q` (R, K).

    ValueError if it is another network, or any output code differs; names the file. OSError if it cannot be read.

    >>> from npquant.compression.rounding.uniform import quantize_uniform
    >>> from npquant.nn.model import DenseLayer
    >>> from npquant.files.storage import save
    >>> floating = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))
    >>> net = quantize_uniform(floating, np.eye(2), 8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(net, Path(folder) / "net.npz")
    ...     reload_and_prove(Path(folder) / "net.npz", net, net.encode(np.eye(2))) == net
    True
    """
    loaded = load(path)
    if not isinstance(loaded, IntegerMLP) or loaded != model:
        raise ValueError(f"{path}: does not hold the network that was deployed; write it again")
    if not np.array_equal(loaded.run(x_q), model.run(x_q)):
        raise ValueError(f"{path}: the loaded network computes other codes; write it again")
    return loaded


def measure_latency(
    floating: FloatMLP, integer: IntegerMLP, dynamic: DynamicMLP, x: NDArray[Any], *,
    batches: tuple[int, ...] = BATCHES, seconds: float = 0.02,
) -> tuple[Latency, ...]:  # fmt: skip
    """Take the median times of the `floating`, the `integer` and the `dynamic` network side by side, one a batch size.

    `x` (R, K) are real inputs, repeated where a batch is larger; `batches` are sizes B; `seconds` are spent on each
    network and batch, at least three calls each. They take turns, so that a busy machine disturbs all alike; one call
    of each before the clock starts warms caches.

    >>> from npquant.compression.rounding.uniform import quantize_uniform
    >>> from npquant.nn.model import DenseLayer
    >>> from npquant.compression.rounding.dynamic import quantize_dynamic
    >>> floating, x = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),)), np.eye(2)
    >>> nets = floating, quantize_uniform(floating, x, 8), quantize_dynamic(floating)
    >>> found = measure_latency(*nets, x, batches=(1, 64), seconds=0.0)
    >>> [(entry.batch, min(entry.float_seconds, entry.integer_seconds, entry.dynamic_seconds) > 0) for entry in found]
    [(1, True), (64, True)]
    """
    found = []
    for batch in batches:
        rows = np.resize(x, (batch, x.shape[1]))
        calls = [partial(network.logits, rows) for network in (floating, integer, dynamic)]
        taken = _alternate(calls, seconds)
        low, high = np.quantile(taken[1], (0.25, 0.75))
        times = [median(own) for own in taken]
        found.append(Latency(batch, times[0], times[1], times[2], float(low), float(high)))
    return tuple(found)


def _alternate(calls: Sequence[Callable[[], object]], seconds: float) -> list[list[float]]:
    """Time calls in turn, after one call each that warms the caches; return the times of each."""
    taken: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    end = perf_counter() + len(calls) * seconds
    while len(taken[-1]) < 3 or perf_counter() < end:
        for call, times in zip(calls, taken, strict=True):
            start = perf_counter()
            call()
            times.append(perf_counter() - start)
    return taken
