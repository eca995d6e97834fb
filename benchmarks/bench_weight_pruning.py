"""Compare ways to prune weights in one shot: accuracy by density and pattern, and time.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_weight_pruning.py [--data PATH] [--seeds 5]
        [--hidden 64,32] [--activation relu] [--epochs 60] [--rows 2048] [--weight-decay 0] [--no-obs]

Every seed splits and trains anew; all methods prune the same network on the same training rows, without training
afterwards, and are judged on the test rows, where nothing was chosen. Before any figure is printed, the refit is
compared with NumPy's least squares, and the costs of OBS with brute force.
"""

from __future__ import annotations

import argparse
import os
from time import perf_counter

import numpy as np

from npquant.compression.pruning.weights.input_metric import input_metric
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.compression.pruning.weights.refit import refit_kept_weights
from npquant.compression.pruning.weights.saliency import obs_removals
from npquant.data.datasets import load_dataset, load_optdigits
from npquant.data.split import split_70_15_15
from npquant.nn.training import train

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
WANTED: tuple[float | tuple[int, int], ...] = (0.5, 0.2, 0.1, 0.05, (2, 4), (1, 4), (1, 8))
METHODS = (
    ("magnitude", "bare", "uniform"),
    ("random", "refit", "uniform"),
    ("magnitude", "refit", "uniform"),
    ("wanda", "refit", "uniform"),
    ("obs", "refit", "uniform"),
    ("magnitude", "bare", "global"),
    ("magnitude", "refit", "global"),
    ("wanda", "refit", "global"),
    ("obs", "refit", "global"),
)


def check_refit_and_costs() -> None:
    """Stop unless the refit is masked least squares, and each cost of OBS the rise of the error."""
    rng = np.random.default_rng(0)
    a, w = rng.normal(size=(60, 10)) @ rng.normal(size=(10, 10)), rng.normal(size=(10, 1))
    kept, z, share = rng.random((10, 1)) < 0.6, rng.normal(size=(60, 1)), 1e-3
    v, _ = refit_kept_weights(a, w, kept, z, share)
    s = kept[:, 0]
    root = np.sqrt(share * a.var(axis=0)[s])
    system = np.vstack([(a - a.mean(axis=0))[:, s] / np.sqrt(60), np.diag(root)])
    wanted = np.concatenate([(z - z.mean())[:, 0] / np.sqrt(60), root * w[s, 0]])
    # Condition at most 1 + 10 / share on both sides.
    if np.abs(np.linalg.lstsq(system, wanted, rcond=None)[0] - v[s, 0]).max() > 1e-9:
        raise SystemExit("the refit is not masked least squares")
    covariance = input_metric(a, share).matrix
    order, cost = obs_removals(np.linalg.inv(covariance), w[:, 0], 10)
    # With every weight gone the rise is w^T C w, whatever the order.
    if abs(cost.sum() / float(w[:, 0] @ covariance @ w[:, 0]) - 1) > 1e-9 or len(set(order)) != 10:
        raise SystemExit("the costs of OBS do not add up to the error")


def main() -> None:
    """Print one table: methods by density and pattern."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="IDX folder, CSV or npz; without it the bundled digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--hidden", default="64,32", help="widths of the hidden layers")
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--weight-decay", type=float, default=0.0, help="of the training")
    parser.add_argument("--rows", type=int, default=2048, help="calibration rows at most")
    parser.add_argument("--no-obs", action="store_true", help="leave out the slow criterion")
    args = parser.parse_args()
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    check_refit_and_costs()
    data = load_dataset(args.data) if args.data else load_optdigits()
    hidden = [int(n) for n in args.hidden.split(",") if n]
    methods = [m for m in METHODS if not (args.no_obs and m[0] == "obs")]
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    floats = []
    for seed in range(args.seeds):
        split = split_70_15_15(data.y, rng=seed)
        x, y = data.x[split.train].astype(np.float32), data.y[split.train]
        model = train(x, y, hidden, args.activation, args.epochs, weight_decay=args.weight_decay, rng=seed)
        rows = x[np.random.default_rng(seed).permutation(len(x))[: args.rows]]
        test, truth = data.x[split.test].astype(np.float32), data.y[split.test]
        floats.append(100 * float((model.predict(test) == truth).mean()))
        for wanted in WANTED:
            for criterion, compensation, allocation in methods:
                if isinstance(wanted, tuple) and allocation == "global":
                    continue
                start = perf_counter()
                sparse = prune_weights(model, rows, wanted, criterion, compensation, allocation=allocation, rng=seed)
                seconds = perf_counter() - start
                accuracy = 100 * float((sparse.predict(test) == truth).mean())
                name = f"{criterion}, {compensation}, {allocation}"
                found.setdefault((name, str(wanted)), []).append((accuracy, seconds))
    print(
        f"{data.name}, {hidden}, {args.activation}, {args.seeds} seeds, {args.epochs} epochs, decay "
        f"{args.weight_decay}, {len(rows)} rows; float {np.mean(floats):.2f} +- {np.std(floats):.2f}"
    )
    print(f"{'accuracy +- spread':26}" + "".join(f"{wanted!s:>13}" for wanted in WANTED) + "        s")
    for criterion, compensation, allocation in methods:
        name = f"{criterion}, {compensation}, {allocation}"
        cells = [np.array(found.get((name, str(wanted)), [(np.nan, np.nan)])) for wanted in WANTED]
        seconds = np.nanmean([cell[:, 1].mean() for cell in cells])
        shown = (
            f"{c[:, 0].mean():7.2f} ±{c[:, 0].std():4.1f}" if np.isfinite(c).all() else f"{'-':>13}" for c in cells
        )
        print(f"{name:26}" + "".join(shown) + f" {seconds:8.2f}")


if __name__ == "__main__":
    main()
