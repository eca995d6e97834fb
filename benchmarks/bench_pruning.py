"""Compare criteria and compensations of neuron pruning: accuracy lost by rate, and what half of the neurons save.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_pruning.py [--data PATH] [--seeds 12]
        [--hidden 64,32] [--activation relu] [--epochs 60] [--rows 2048] [--weight-decay 0] [--finetune 0]
        [--rates 0.3,0.5,...] [--methods all|best]

Every seed splits and trains anew; all methods prune the same network on the same training rows, and are judged on the
test rows, where nothing was chosen. Before any figure is printed, the scores of OBS are compared with the increases of
the least-squares error by brute force, and the codes of the half-pruned integer network with those of its plain route.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.pruning.neurons.saliency import greedy_obs
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.datasets import Dataset, load_dataset, load_optdigits
from npquant.data.split import split_70_15_15
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
RATES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
METHODS = (
    ("in_l2", "bare"),
    ("in_l2", "fold"),
    ("std_out_l2", "fold"),
    ("obs", "fold"),
    ("random", "layerwise"),
    ("in_l2", "layerwise"),
    ("std_out_l2", "layerwise"),
    ("taylor", "layerwise"),
    ("obs", "layerwise"),
    ("random", "refit"),
    ("in_l1", "refit"),
    ("in_l2", "refit"),
    ("mean_activation", "refit"),
    ("std_out_l2", "refit"),
    ("taylor", "refit"),
    ("obs", "refit"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is trained and pruned."""

    hidden: tuple[int, ...] = (64, 32)
    activation: str = "relu"
    epochs: int = 60
    weight_decay: float = 0.0
    rows: int = 2048
    finetune: int = 0


@dataclass(frozen=True, slots=True)
class Cells:
    """Accuracy minus float, in points, and CPU seconds, by line and rate: one number a seed."""

    floats: list[float] = field(default_factory=list)
    lost: dict[tuple[str, float], list[float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    removable: list[list[int]] = field(default_factory=list)

    def lines(self, rates: Sequence[float]) -> Iterator[str]:
        """Yield the table, mean and spread over seeds."""
        yield f"{'accuracy - float, points':26}" + "".join(f"{rate:>14}" for rate in rates) + "   CPU s"
        for name, seconds in self.seconds.items():
            cells = [np.array(self.lost[name, rate]) for rate in rates]
            shown = "".join(f"{c.mean():8.2f} ±{c.std():4.1f}" for c in cells)
            yield f"{name:26}{shown} {np.mean(seconds):7.2f}"


def check_scores() -> None:
    """Stop unless each score of OBS is the increase of the damped least-squares error."""
    rng = np.random.default_rng(0)
    h, v, share = rng.normal(size=(60, 12)) @ rng.normal(size=(12, 12)), rng.normal(size=(12, 5)), 1e-2
    root = rng.normal(size=(5, 5))
    centred = (h - h.mean(axis=0)) / np.sqrt(len(h))
    system = np.vstack([centred, np.sqrt(share * h.var(axis=0).mean()) * np.eye(12)])
    left, before = list(range(12)), 0.0
    for j, score in zip(*greedy_obs(h, v, 12, share, root @ root.T), strict=True):
        left.remove(int(j))
        u = np.linalg.lstsq(system[:, left], system @ v, rcond=None)[0]
        after = float((((system @ v - system[:, left] @ u) @ root) ** 2).sum())
        # Condition <= 1 + n / share, about 1e3, on both sides.
        if abs(after - before - score) > 1e-9 * (1 + after):
            raise SystemExit(f"the score of neuron {j} is {score}, the increase {after - before}")
        before = after


def pruning_table(
    data: Dataset,
    setting: Setting,
    seeds: int,
    rates: Sequence[float] = RATES,
    methods: Sequence[tuple[str, str]] = METHODS,
) -> Cells:
    """Train a network a seed, prune it by every method and rate, and measure it on the test rows."""
    cells = Cells()
    for seed in range(seeds):
        split = split_70_15_15(data.y, rng=seed)
        x, y = data.x[split.train].astype(np.float64), data.y[split.train]
        test, truth = data.x[split.test].astype(np.float64), data.y[split.test]
        model = train(
            x, y, setting.hidden, setting.activation, setting.epochs, weight_decay=setting.weight_decay, rng=seed
        )
        rows = x[np.random.default_rng(seed).permutation(len(x))[: setting.rows]]
        cells.floats.append(100 * float((model.predict(test) == truth).mean()))
        for rate in rates:
            for criterion, compensation in methods:
                start = process_time()
                small, report = prune_neurons_with_report(model, rows, rate, criterion, compensation, rng=seed)
                seconds = process_time() - start
                _add(cells, f"{criterion}, {compensation}", rate, small, test, truth, seconds)
            # The last method is OBS with the refit.
            if setting.finetune:
                start = process_time()
                tuned = finetune(small, x, y, setting.finetune, rng=seed)
                name = f"  + {setting.finetune} epochs"
                _add(cells, name, rate, tuned, test, truth, process_time() - start)
        cells.removable.append([p.removed - len(p.unimportant) for p in report.layers])
    return cells


def _add(
    cells: Cells,
    name: str,
    rate: float,
    net: FloatMLP,
    test: NDArray[np.float64],
    truth: NDArray[np.int64],
    seconds: float,
) -> None:
    accuracy = 100 * float((net.predict(test) == truth).mean())
    cells.lost.setdefault((name, rate), []).append(accuracy - cells.floats[-1])
    cells.seconds.setdefault(name, []).append(seconds)


def speed_up(widths: Sequence[int] = (784, 300, 100, 10), batch: int = 1000, repeats: int = 31) -> tuple[float, float]:
    """Return how many times fewer MACs and how many times less time a half-pruned integer network needs."""
    rng = np.random.default_rng(0)
    layers = []
    for k, n in pairwise(widths):
        name = "identity" if n == widths[-1] else "clipped_relu"
        layers.append(DenseLayer(rng.normal(0, k**-0.5, (k, n)), rng.normal(0, 0.1, n), name))
    model, x = FloatMLP(tuple(layers)), rng.random((batch, widths[0]))
    small = prune_neurons_with_report(model, x, 0.5, "obs", "layerwise")[0]
    nets = [quantize_uniform(net, x) for net in (model, small)]
    codes = [net.encode(x) for net in nets]
    for net, x_q in zip(nets, codes, strict=True):
        if not np.array_equal(net.run(x_q), net.run_plain(x_q)):
            raise SystemExit("the fast route of the integer network gives other codes than the plain one")
    times: list[list[float]] = [[], []]
    for _ in range(repeats):
        for net, x_q, seconds in zip(nets, codes, times, strict=True):
            start = perf_counter()
            net.run(x_q)
            seconds.append(perf_counter() - start)
    return nets[0].macs / nets[1].macs, median(times[0]) / median(times[1])


def main() -> None:
    """Print the table of methods by rates, and the speed-up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="IDX folder, CSV or npz; without it the bundled digits")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--hidden", default="64,32", help="widths of the hidden layers")
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--weight-decay", type=float, default=0.0, help="of the training")
    parser.add_argument("--rows", type=int, default=2048, help="calibration rows at most")
    parser.add_argument("--finetune", type=int, default=0, help="epochs after pruning, for one more line")
    parser.add_argument("--rates", default=",".join(map(str, RATES)))
    parser.add_argument("--methods", choices=("all", "best"), default="all")
    args = parser.parse_args()
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    check_scores()
    data = load_dataset(args.data) if args.data else load_optdigits()
    hidden, rates = tuple(map(int, args.hidden.split(","))), tuple(map(float, args.rates.split(",")))
    setting = Setting(hidden, args.activation, args.epochs, args.weight_decay, args.rows, args.finetune)
    methods = METHODS if args.methods == "all" else (("obs", "layerwise"), ("obs", "refit"))
    cells = pruning_table(data, setting, args.seeds, rates, methods)
    print(f"{data.name}, {setting}, {args.seeds} seeds")
    print(
        f"float {np.mean(cells.floats):.2f} ± {np.std(cells.floats):.2f}; removable neurons at the last rate, by layer "
        f"{np.mean(cells.removable, axis=0).round(1)}"
    )
    print(*cells.lines(rates), sep="\n")
    fewer, faster = speed_up()
    print(f"half of the neurons of 784-300-100-10, batch 1000: {fewer:.2f} x fewer MACs, {faster:.2f} x faster")


if __name__ == "__main__":
    main()
