"""The pruning half of the compression benchmark: accuracy lost by rate, and what half of the neurons buy in time."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from time import process_time

import bench_pruning
import numpy as np
from compression_sets import tables
from numpy.typing import NDArray

from npquant.compression.rounding.uniform import quantize_uniform
from npquant.nn.model import DenseLayer, FloatMLP

RATES = (0.4, 0.5, 0.6, 0.7)
BATCH = 1000
LEAST_SHARE = 0.7


def print_losses(args: argparse.Namespace) -> None:
    """Print accuracy minus float by criterion, compensation and rate: the table of bench_pruning."""
    bench_pruning.check_scores()
    for data in tables(args):
        for hidden in args.hidden:
            for activation in args.activation:
                widths = tuple(int(n) for n in hidden.split(",") if n)
                setting = bench_pruning.Setting(widths, activation, args.epochs, rows=args.rows)
                cells = bench_pruning.pruning_table(data, setting, args.seeds, RATES)
                print(f"\n=== {data.name}, {widths}, {activation}; {args.seeds} seeds; ", end="")
                print(f"float {np.mean(cells.floats):.2f} ± {np.std(cells.floats):.2f}")
                print(*cells.lines(RATES), sep="\n")


def half_of(model: FloatMLP) -> tuple[FloatMLP, FloatMLP]:
    """Return a network half of whose hidden neurons are silent, and the one without them: the same function."""
    loud = [np.arange(layer.w.shape[1]) % 2 == 0 for layer in model.layers[:-1]] + [np.ones(model.neurons[-1], bool)]
    full, slim = [], []
    before = np.ones(model.n_inputs, bool)
    for layer, keep in zip(model.layers, loud, strict=True):
        w = np.where(before[:, np.newaxis], layer.w, 0).astype(layer.w.dtype)
        full.append(DenseLayer(w, layer.b, layer.activation))
        slim.append(DenseLayer(layer.w[before][:, keep], layer.b[keep], layer.activation))
        before = keep
    return FloatMLP(tuple(full)), FloatMLP(tuple(slim))


def _fastest(run: Callable[[NDArray], NDArray], x: NDArray, repeats: int) -> float:
    found = []
    for _ in range(repeats):
        start = process_time()
        run(x)
        found.append(process_time() - start)
    return min(found)


def print_speed(widths: list[int], repeats: int = 15) -> None:
    """Print the speed-up at batch 1000 of half of the neurons, beside the reduction in MACs, outputs checked first.

    Times are of the processor, the least of many runs.
    """
    rng = np.random.default_rng(0)
    layers = [
        DenseLayer(
            rng.normal(0, 1.5 / np.sqrt(k), (k, n)).astype(np.float32),
            np.zeros(n, np.float32),
            "identity" if i == len(widths) - 2 else "clipped_relu",
        )
        for i, (k, n) in enumerate(pairwise(widths))
    ]
    full, slim = half_of(FloatMLP(tuple(layers)))
    x = rng.integers(0, 256, (BATCH, widths[0])).astype(np.float32) / 255
    pair = quantize_uniform(full, x), quantize_uniform(slim, x)
    codes = pair[0].encode(x)
    # The float sums of fewer addends differ in their last bits; integers may not differ at all.
    spread = float(np.ptp(full.logits(x)))
    if np.abs(full.logits(x) - slim.logits(x)).max() > 1e-5 * spread:
        raise SystemExit("the float network without its silent neurons gives other logits")
    if not np.array_equal(pair[0].run(codes), pair[1].run(codes)):
        raise SystemExit("the integer network without its silent neurons gives other codes")
    reduction = full.macs / slim.macs
    print(f"\nhalf of the neurons, {'-'.join(map(str, widths))}, batch {BATCH}: outputs agree; MACs / {reduction:.2f}")
    routes = {"float": (full.logits, slim.logits, x), "integer": (pair[0].run, pair[1].run, codes)}
    for name, (of_full, of_slim, given) in routes.items():
        slow, fast = _fastest(of_full, given, repeats), _fastest(of_slim, given, repeats)
        share = slow / fast / reduction
        verdict = "meets" if share >= LEAST_SHARE else "misses"
        print(
            f"{name:8} {1e3 * slow:8.2f} ms -> {1e3 * fast:7.2f} ms: {slow / fast:.2f} times as fast, "
            f"{share:.2f} of the MAC reduction ({verdict} {LEAST_SHARE})"
        )
