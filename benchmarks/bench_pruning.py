"""Compare greedy OBS and the refit with other criteria and compensations: accuracy by pruning rate, and time.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_pruning.py [--data PATH] [--seeds 8]
        [--hidden 64,32] [--activation relu] [--epochs 60] [--rows 2048] [--weight-decay 0] [--fine-tune 0]

Every seed splits and trains anew; all methods prune the same network on the same training rows, and are judged on the
test rows, where nothing was chosen. Before any figure is printed, the scores of greedy OBS are compared with the
increases of the least-squares error by brute force.
"""

from __future__ import annotations

import argparse
import os
from time import perf_counter

import numpy as np

from npquant.compression.pruning import prune_neurons_with_report
from npquant.compression.saliency import greedy_obs
from npquant.nn.finetuning import finetune
from npquant.nn.training import train
from npquant.workflow.datasets import load_dataset, load_optdigits
from npquant.workflow.split import split_70_15_15

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
RATES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
METHODS = (
    ("in_l2", "bare"),
    ("in_l2", "fold"),
    ("std_out_l2", "fold"),
    ("random", "refit"),
    ("in_l2", "refit"),
    ("mean_activation", "refit"),
    ("std_out_l2", "refit"),
    ("taylor", "refit"),
    ("obs", "fold"),
    ("obs", "refit"),
)


def check_scores() -> None:
    """Stop unless each score of greedy OBS is the increase of the damped least-squares error."""
    rng = np.random.default_rng(0)
    h, v, share = rng.normal(size=(60, 12)) @ rng.normal(size=(12, 12)), rng.normal(size=(12, 5)), 1e-2
    centred = (h - h.mean(axis=0)) / np.sqrt(len(h))
    system = np.vstack([centred, np.sqrt(share * h.var(axis=0).mean()) * np.eye(12)])
    left, before = list(range(12)), 0.0
    for j, score in zip(*greedy_obs(h, v, 12, share), strict=True):
        left.remove(int(j))
        u = np.linalg.lstsq(system[:, left], system @ v, rcond=None)[0]
        after = float(((system @ v - system[:, left] @ u) ** 2).sum())
        # Condition <= 1 + n / share, about 1e3, on both sides.
        if abs(after - before - score) > 1e-9 * (1 + after):
            raise SystemExit(f"the score of neuron {j} is {score}, the increase {after - before}")
        before = after


def main() -> None:
    """Print one table: methods by rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="IDX folder, CSV or npz; without it the bundled digits")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--hidden", default="64,32", help="widths of the hidden layers")
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--weight-decay", type=float, default=0.0, help="of the training")
    parser.add_argument("--rows", type=int, default=2048, help="calibration rows at most")
    parser.add_argument("--fine-tune", type=int, default=0, help="epochs after pruning, for one more line")
    args = parser.parse_args()
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    check_scores()
    data = load_dataset(args.data) if args.data else load_optdigits()
    hidden = [int(n) for n in args.hidden.split(",") if n]
    found: dict[tuple[str, float], list[tuple[float, float]]] = {}
    floats, spare = [], []
    for seed in range(args.seeds):
        split = split_70_15_15(data.y, rng=seed)
        x, y = data.x[split.train].astype(np.float64), data.y[split.train]
        model = train(x, y, hidden, args.activation, args.epochs, weight_decay=args.weight_decay, rng=seed)
        rows = x[np.random.default_rng(seed).permutation(len(x))[: args.rows]]
        test, truth = data.x[split.test].astype(np.float64), data.y[split.test]
        floats.append(100 * float((model.predict(test) == truth).mean()))
        for rate in RATES:
            for criterion, compensation in METHODS:
                start = perf_counter()
                small, report = prune_neurons_with_report(
                    model, rows, rate, criterion=criterion, compensation=compensation, rng=seed
                )
                seconds = perf_counter() - start
                accuracy = 100 * float((small.predict(test) == truth).mean())
                found.setdefault((f"{criterion}, {compensation}", rate), []).append((accuracy, seconds))
            # The last method is greedy OBS with the refit.
            if args.fine_tune:
                tuned = finetune(small, x, y, args.fine_tune, rng=seed)
                accuracy = 100 * float((tuned.predict(test) == truth).mean())
                found.setdefault((f"  + {args.fine_tune} epochs", rate), []).append((accuracy, float("nan")))
        spare.append([len(p.zero) + len(p.constant) + len(p.redundant) for p in report.layers])
    print(
        f"{data.name}, {hidden}, {args.activation}, {args.seeds} seeds, {len(rows)} rows; "
        f"float {np.mean(floats):.2f} +- {np.std(floats):.2f}; spare neurons by layer {np.mean(spare, axis=0)}"
    )
    print(f"{'accuracy +- spread':24}" + "".join(f"{rate:>13}" for rate in RATES) + "       ms")
    for name in dict.fromkeys(name for name, _ in found):
        cells = [np.array(found[name, rate]) for rate in RATES]
        milliseconds = 1e3 * np.mean([cell[:, 1].mean() for cell in cells])
        print(
            f"{name:24}"
            + "".join(f"{c[:, 0].mean():7.2f} ±{c[:, 0].std():4.1f}" for c in cells)
            + f" {milliseconds:8.1f}"
        )


if __name__ == "__main__":
    main()
