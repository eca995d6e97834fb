"""Time the sparse integer layer against the dense one, after checking that their codes are equal.

Run with one BLAS thread: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/bench_sparse.py
Prints one JSON line a layer shape and batch: time of the sparse layer over that of the dense one by density, for the
whole layer (product, requantization, clamp), and the density below which it wins, interpolated between those measured.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from npquant.integer.fast_npquant import prepare_layer, run_prepared
from npquant.integer.layer import IntegerLayer
from npquant.kernels.qparams import QuantParams

SHAPES = ((784, 300), (300, 100), (1024, 1024))
BATCHES = (1, 64, 1000)
DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def interleaved_medians(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Time calls in turn, so that a slow moment of the machine meets all of them; medians in seconds."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, seconds in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return [median(seconds) for seconds in times]


def sparse_layer(shape: tuple[int, int], density: float, rng: np.random.Generator) -> IntegerLayer:
    """Draw a layer of int8 weights with exactly the share of nonzeros that is asked for, spread at random."""
    w_q = np.zeros(shape[0] * shape[1], np.int8)
    chosen = rng.permutation(w_q.size)[: round(density * w_q.size)]
    w_q[chosen] = rng.choice([-1, 1], len(chosen)) * rng.integers(1, 128, len(chosen))
    x, w = QuantParams(1 / 255, -128, -128, 127), QuantParams(1 / 127, 0, -128, 127)
    return IntegerLayer(
        w_q.reshape(shape), np.zeros(shape[1], np.int32), x, w, QuantParams(0.1, -128, -128, 127), "relu"
    )


def ratio(layer: IntegerLayer, x_q: NDArray[np.int8], repeats: int) -> float:
    """Return the time of the sparse layer over that of the dense one."""
    sparse, dense = ((prepare_layer(layer, kernel),) for kernel in ("sparse", "dense"))
    if not np.array_equal(run_prepared(sparse, x_q), run_prepared(dense, x_q)):
        raise AssertionError(f"sparse and dense differ at {layer.shape}")
    one, two = interleaved_medians([lambda: run_prepared(sparse, x_q), lambda: run_prepared(dense, x_q)], repeats)
    return one / two


def crossover(ratios: Sequence[float]) -> float | None:
    """Return where the ratio reaches 1, on a straight line between neighbours; None if it does not."""
    for i in range(1, len(ratios)):
        if ratios[i - 1] < 1 <= ratios[i]:
            share = (1 - ratios[i - 1]) / (ratios[i] - ratios[i - 1])
            return round(DENSITIES[i - 1] + share * (DENSITIES[i] - DENSITIES[i - 1]), 3)
    return None


def main() -> None:
    """Print one JSON line a shape and batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="about how long each pair is timed")
    seconds = parser.parse_args().seconds
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        layers = [sparse_layer(shape, density, rng) for density in DENSITIES]
        for batch in BATCHES:
            x_q = rng.integers(-128, 128, (batch, shape[0])).astype(np.int8)
            repeats = int(np.clip(seconds * 1e10 / (batch * shape[0] * shape[1]), 7, 2000))
            ratios = [ratio(layer, x_q, repeats) for layer in layers]
            shown = {str(d): round(r, 2) for d, r in zip(DENSITIES, ratios, strict=True)}
            print(
                json.dumps({"shape": shape, "batch": batch, "ratio": shown, "wins_below": crossover(ratios)}),
                flush=True,
            )


if __name__ == "__main__":
    main()
