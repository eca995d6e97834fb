"""Time the exact int8 product through BLAS against float32 @ of the same shape, after checking that it is exact.

Run with one BLAS thread: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/bench_matmul.py

Besides float32 @ the same run times integer @, and the product with its three buffers (operands and sums in float32)
kept from call to call: the workspace that `matmul_int8_blas` could take and does not, because it pays nothing. At
1024^3 three runs gave 0.955, 0.982 and 0.976 of the speed of float32 @, and 0.961, 0.977 and 0.968 with the workspace.
At 64^3 and below the conversions of operands and result and the checks cost as much as the product.
A ratio is float32 @'s time divided by the other's, or integer @'s time divided by that of the BLAS route; times are
those of the processor, so that other processes count little.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from npquant.kernels.matmul import BLOCK_K, matmul_int8, matmul_int8_blas

SIZES = (
    (16, 16, 16),
    (64, 64, 64),
    (128, 128, 128),
    (256, 256, 256),
    (512, 512, 512),
    (1024, 1024, 1024),
    (1000, 784, 300),
)
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def interleaved_medians(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Time calls in turn, so that a slow moment of the machine meets all of them; medians, processor seconds."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, seconds in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            seconds.append(time.process_time() - start)
    return [median(seconds) for seconds in times]


def measure(rows: int, depth: int, columns: int) -> dict[str, object]:
    """Check equality, then time the products of one shape whose depth is at most one block of C6."""
    assert depth <= BLOCK_K
    rng = np.random.default_rng(0)
    x_q = rng.integers(-128, 128, (rows, depth)).astype(np.int8)
    w_q = rng.integers(-128, 128, (depth, columns)).astype(np.int8)
    x, w = x_q.astype(np.float32), w_q.astype(np.float32)
    kept = np.empty_like(x), np.empty_like(w), np.empty((rows, columns), np.float32)

    def with_workspace() -> object:
        np.copyto(kept[0], x_q)
        np.copyto(kept[1], w_q)
        return np.matmul(kept[0], kept[1], out=kept[2]).astype(np.int32)

    start = time.process_time()
    exact = matmul_int8(x_q, w_q)
    plain = time.process_time() - start
    for name, product in (("matmul_int8_blas", matmul_int8_blas(x_q, w_q)), ("the workspace form", with_workspace())):
        if not np.array_equal(product, exact):
            raise AssertionError(f"{name} differs from matmul_int8 at {rows} x {depth} x {columns}")
    repeats = int(np.clip(2e10 / (rows * depth * columns), 11, 400))
    calls = (lambda: matmul_int8_blas(x_q, w_q), lambda: x @ w, with_workspace)
    blas, real, workspace = interleaved_medians(calls, repeats)
    return {
        "shape": (rows, depth, columns),
        "blas_ms": round(blas * 1e3, 4),
        "float32_ms": round(real * 1e3, 4),
        "int32_ms": round(plain * 1e3, 4),
        "speed_against_float32": round(real / blas, 3),
        "workspace_against_float32": round(real / workspace, 3),
        "speed_against_int32": round(plain / blas, 1),
    }


def main() -> None:
    """Print one JSON line a shape."""
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    for shape in SIZES:
        print(json.dumps(measure(*shape)), flush=True)


if __name__ == "__main__":
    main()
