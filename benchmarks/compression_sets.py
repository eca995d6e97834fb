"""Data for the compression benchmark: the bundled digits, a user's files, scikit-learn's sets, and a hard mixture."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from npquant.nn.model import FloatMLP
from npquant.nn.training import train
from npquant.workflow.datasets import load_dataset, load_optdigits
from npquant.workflow.split import split_70_15_15

Float64 = NDArray[np.float64]
Labels = NDArray[np.int64]
Table = tuple[str, Float64, Labels]
# One trained network: its set and shape, the network, calibration rows, test rows, test labels.
Case = tuple[str, FloatMLP, Float64, Float64, Labels]

SKLEARN = ("wine", "breast_cancer", "iris")
MIXTURE_INPUTS, MIXTURE_CLASSES, MIXTURE_ROWS = 9, 20, 3000


def mixture(rng: int = 2026) -> Table:
    """Draw few inputs and many classes, one Gaussian each: SYNTHETIC, and hard for 2 bits by construction."""
    generator = np.random.default_rng(rng)
    centres = generator.normal(0, 1.6, (MIXTURE_CLASSES, MIXTURE_INPUTS))
    y = generator.integers(0, MIXTURE_CLASSES, MIXTURE_ROWS)
    x = centres[y] + generator.normal(0, 1, (MIXTURE_ROWS, MIXTURE_INPUTS))
    return f"SYNTHETIC mixture ({MIXTURE_INPUTS} inputs, {MIXTURE_CLASSES} classes)", x, y.astype(np.int64)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose data, networks and seeds."""
    parser.add_argument("--digits", action="store_true", help="the bundled digits; the default where no other is named")
    parser.add_argument("--data", action="append", default=[], help="IDX folder, CSV or npz; repeatable")
    parser.add_argument("--synthetic", action="store_true", help="a drawn mixture: 9 inputs, 20 classes")
    parser.add_argument("--sklearn", action="store_true", help=f"{', '.join(SKLEARN)}, where scikit-learn is installed")
    parser.add_argument("--seeds", type=int, help="splits and trainings")
    parser.add_argument("--hidden", action="append", help="widths of the hidden layers, such as 64,32; repeatable")
    parser.add_argument("--activation", action="append", help="of the hidden layers; repeatable")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rows", type=int, default=2048, help="calibration rows at most")


def tables(args: argparse.Namespace) -> Iterator[Table]:
    """Load what was named."""
    if args.digits or not (args.data or args.synthetic or args.sklearn):
        digits = load_optdigits()
        yield digits.name, digits.x.astype(np.float64), digits.y
    for path in args.data:
        data = load_dataset(path)
        yield data.name, data.x.astype(np.float64), data.y
    if args.sklearn:
        from sklearn import datasets

        for name in SKLEARN:
            bunch = getattr(datasets, f"load_{name}")()
            yield name, np.asarray(bunch.data, np.float64), np.asarray(bunch.target, np.int64)
    if args.synthetic:
        yield mixture()


def trained(args: argparse.Namespace, table: Table, hidden: str, activation: str) -> Iterator[Case]:
    """Split and train anew for every seed; nothing is chosen on the test rows."""
    name, x, y = table
    widths = [int(n) for n in hidden.split(",") if n]
    for seed in range(args.seeds):
        split = split_70_15_15(y, rng=seed)
        model = train(x[split.train], y[split.train], widths, activation, args.epochs, rng=seed)
        rows = np.random.default_rng(seed).permutation(split.train)[: args.rows]
        shape = "-".join(str(n) for n in (x.shape[1], *widths, model.neurons[-1]))
        yield f"{name}, {shape}, {activation}", model, x[rows], x[split.test], y[split.test]
