"""Time a training epoch against scikit-learn's MLPClassifier: same shapes, batch, optimizer, dtype, rows; one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_training.py

Equality first: from the same weights, the gradient of every weight and bias equals scikit-learn's, which is read off
one plain step of its SGD at the rate 1. Then rounds in turn, the median ratio of times; both sides prepare their data
inside the time, and npquant scales its inputs there as well. Returns 1 if the gradients differ or an epoch is slower.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from npquant.nn.descent import loss_and_gradient
from npquant.nn.parameters import flatten_parameters
from npquant.nn.training import train

# Rows, features, hidden widths, batch, epochs a timing, rounds.
CASES = (
    (1258, 64, (64, 32), 64, 8, 9),
    (6000, 784, (300, 100), 64, 2, 5),
    (6000, 784, (300, 100), 200, 2, 5),
)
CLASSES = 10
LIMIT = 1.0


def draw(rows: int, features: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw pixels, and classes that all occur."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, rows - CLASSES)])
    return rng.integers(0, 256, (rows, features), np.uint8), y


def gradient_gap(features: int, hidden: tuple[int, ...]) -> tuple[float, float]:
    """Return the largest difference between the two gradients, and what rounding allows."""
    rows = 50
    pixels, y = draw(rows, features)
    x = pixels / 255.0
    peer = MLPClassifier(hidden, solver="sgd", momentum=0.0, alpha=0.0, batch_size=rows, learning_rate_init=1.0)
    peer.partial_fit(x, y, classes=np.arange(CLASSES))
    before = [(w.copy(), b.copy()) for w, b in zip(peer.coefs_, peer.intercepts_, strict=True)]
    ours, views = flatten_parameters(before)
    loss_and_gradient(before, ["relu"] * len(hidden) + ["identity"], x, y, "softmax_cross_entropy", views)
    peer.partial_fit(x, y)
    after = zip(peer.coefs_, peer.intercepts_, strict=True)
    theirs, _ = flatten_parameters([(w - v, b - c) for (w, b), (v, c) in zip(before, after, strict=True)])
    # A path through the network sums at most all its depths forward and back, and the rows once, rounding by eps at
    # each term; the sums are taken relative to the largest weight and gradient, as is the subtraction.
    depth = 2 * (features + sum(hidden)) + rows
    size = 1.0 + max(float(np.abs(ours).max()), max(float(np.abs(w).max()) for w, _ in before))
    return float(np.abs(ours - theirs).max()), depth * float(np.finfo(np.float64).eps) * size


def seconds(run: Callable[[], Any]) -> float:
    """Return the time of a call."""
    start = perf_counter()
    run()
    return perf_counter() - start


def epoch_times(case: tuple[int, int, tuple[int, ...], int, int, int]) -> dict[str, list[float]]:
    """Return seconds per epoch of each contender, round by round."""
    rows, features, hidden, batch, epochs, rounds = case
    pixels, y = draw(rows, features)
    x = (pixels / 255.0).astype(np.float32)

    def sklearn_relu() -> None:
        peer = MLPClassifier(hidden, batch_size=batch, max_iter=epochs, alpha=0.0, tol=0.0, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            peer.fit(x, y)

    contenders = {
        "scikit-learn relu": sklearn_relu,
        "npquant relu": lambda: train(pixels, y, hidden, "relu", epochs, batch_size=batch, rng=0),
        "npquant clipped_relu": lambda: train(pixels, y, hidden, "clipped_relu", epochs, batch_size=batch, rng=0),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            times[name].append(seconds(run) / epochs)
    return times


def main() -> int:
    """Check, print the table, and judge."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        print("note: OMP_NUM_THREADS is not 1; ratios depend on the BLAS's threads")
    failed = False
    for case in CASES:
        rows, features, hidden, batch, _, _ = case
        gap, allowed = gradient_gap(features, hidden)
        failed |= not gap <= allowed
        shape = "-".join(str(n) for n in (features, *hidden, CLASSES))
        print(f"{shape}, {rows} rows, batch {batch}: gradients differ by {gap:.1e} (rounding allows {allowed:.1e})")
        times = epoch_times(case)
        peer = times["scikit-learn relu"]
        for name, seen in times.items():
            ratio = median(a / b for a, b in zip(seen, peer, strict=True))
            failed |= ratio > LIMIT
            print(f"    {name:22} {median(seen) * 1e3:9.1f} ms an epoch   {ratio:5.2f} x scikit-learn")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
