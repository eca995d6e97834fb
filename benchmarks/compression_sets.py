"""Data for the compression benchmark: the bundled digits, a user's files, scikit-learn's sets, and drawn ones.

Three are SYNTHETIC, each hard in its own way: a mixture that 2 bits cannot hold, wide rows in which nothing is
correlated, and a table of counts near 2,000 beside columns of 0 and 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.data.datasets import Dataset, load_dataset, load_optdigits
from npquant.data.split import split_70_15_15
from npquant.nn.model import FloatMLP
from npquant.nn.training import train

Float64 = NDArray[np.float64]
Labels = NDArray[np.int64]


class Case(NamedTuple):
    """Hold one trained network and the rows that judge what becomes of it."""

    name: str  # of its set and shape
    model: FloatMLP
    rows: Float64  # calibration
    x_test: Float64
    y_test: Labels


SKLEARN = ("wine", "breast_cancer", "iris")
MIXTURE_INPUTS, MIXTURE_CLASSES, MIXTURE_PARTS, MIXTURE_ROWS = 9, 20, 3, 3000
# 70 % of the rows, the training part, are 2,048.
WIDE_INPUTS, WIDE_CLASSES, WIDE_ROWS = 500, 10, 2926
COUNTS, FLAGS, TABLE_CLASSES, TABLE_ROWS = 10, (4, 40), 7, 8000
# How much of a label is chance: a trained network is right on about 69 % of new rows.
TABLE_NOISE = 0.8


def mixture(rng: int = 2026) -> Dataset:
    """Draw few inputs and many classes of three Gaussians each: SYNTHETIC, and too hard for 2 bits by construction."""
    generator = np.random.default_rng(rng)
    centres = generator.normal(0, 3, (MIXTURE_CLASSES, MIXTURE_PARTS, MIXTURE_INPUTS))
    y = generator.integers(0, MIXTURE_CLASSES, MIXTURE_ROWS)
    part = generator.integers(0, MIXTURE_PARTS, MIXTURE_ROWS)
    x = centres[y, part] + generator.normal(0, 1, (MIXTURE_ROWS, MIXTURE_INPUTS))
    name = f"SYNTHETIC mixture ({MIXTURE_INPUTS} inputs, {MIXTURE_CLASSES} classes)"
    return _dataset(name, x, y, f"npquant's own, drawn with rng={rng}")


def isotropic(rng: int = 2026) -> Dataset:
    """Draw 500 independent inputs of one spread: SYNTHETIC, no input tells anything about another's error."""
    generator = np.random.default_rng(rng)
    x = generator.normal(0, 1, (WIDE_ROWS, WIDE_INPUTS))
    y = (x @ generator.normal(0, 1, (WIDE_INPUTS, WIDE_CLASSES))).argmax(axis=1)
    name = f"SYNTHETIC isotropic ({WIDE_INPUTS} inputs, {WIDE_CLASSES} classes)"
    return _dataset(name, x, y, f"npquant's own, drawn with rng={rng}")


def counts_and_flags(rng: int = 2026) -> Dataset:
    """Draw 10 counts near 2,000 beside 44 one-hot columns, 7 classes: SYNTHETIC, a third of the labels is noise."""
    generator = np.random.default_rng(rng)
    latent = generator.normal(0, 1, (TABLE_ROWS, COUNTS))
    counts = np.rint(2000 + latent * generator.uniform(50, 600, COUNTS))
    groups = [(latent @ generator.normal(0, 1, (COUNTS, n)) + generator.gumbel(0, 2, (TABLE_ROWS, n))) for n in FLAGS]
    flags = [np.eye(n)[score.argmax(axis=1)] for n, score in zip(FLAGS, groups, strict=True)]
    x = np.hstack([counts, *flags])
    hidden = np.tanh(np.hstack([latent, *flags]) @ generator.normal(0, 0.5, (x.shape[1], 30)))
    score = hidden @ generator.normal(0, 1, (30, TABLE_CLASSES))
    y = (score + generator.gumbel(0, TABLE_NOISE, score.shape)).argmax(axis=1)
    name = f"SYNTHETIC counts and flags ({x.shape[1]} inputs, {TABLE_CLASSES} classes)"
    return _dataset(name, x, y, f"npquant's own, drawn with rng={rng}")


def _dataset(name: str, x: Float64, y: Labels, source: str) -> Dataset:
    classes = tuple(str(c) for c in range(int(y.max()) + 1))
    features = tuple(str(k) for k in range(x.shape[1]))
    return Dataset(x.astype(np.float32), y.astype(np.int64), classes, features, name, source)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose data, networks and seeds."""
    parser.add_argument("--digits", action="store_true", help="the bundled digits; the default where no other is named")
    parser.add_argument("--data", action="append", default=[], help="IDX folder or table; repeatable")
    parser.add_argument("--label", help="name of the label's column in every --data")
    parser.add_argument("--synthetic", action="store_true", help="three drawn sets: a mixture, wide rows, a table")
    parser.add_argument("--sklearn", action="store_true", help=f"{', '.join(SKLEARN)}, where scikit-learn is installed")
    parser.add_argument("--seeds", type=int, help="splits and trainings")
    parser.add_argument("--hidden", action="append", help="widths of the hidden layers, such as 64,32; repeatable")
    parser.add_argument("--activation", action="append", help="of the hidden layers; repeatable")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rows", type=int, default=2048, help="calibration rows at most")


def tables(args: argparse.Namespace) -> Iterator[Dataset]:
    """Load what was named."""
    if args.digits or not (args.data or args.synthetic or args.sklearn):
        yield load_optdigits()
    for path in args.data:
        data = load_dataset(path, target=args.label)
        if data.kind != "classes":
            raise SystemExit(f"{path} has real targets: KL compares classes; name their column with --label")
        yield data
    if args.sklearn:
        try:
            from sklearn import datasets
        except ImportError:
            raise SystemExit("--sklearn needs scikit-learn, which is not installed") from None
        for name in SKLEARN:
            bunch = getattr(datasets, f"load_{name}")()
            yield _dataset(name, np.asarray(bunch.data), np.asarray(bunch.target), "scikit-learn")
    if args.synthetic:
        yield from (mixture(), isotropic(), counts_and_flags())


def trained(args: argparse.Namespace, data: Dataset, hidden: str, activation: str) -> Iterator[Case]:
    """Split and train anew for every seed; nothing is chosen on the test rows."""
    x, y = data.x.astype(np.float64), data.y
    widths = [int(n) for n in hidden.split(",") if n]
    for seed in range(args.seeds):
        split = split_70_15_15(y, rng=seed)
        model = train(x[split.train], y[split.train], widths, activation, args.epochs, rng=seed)
        rows = np.random.default_rng(seed).permutation(split.train)[: args.rows]
        shape = "-".join(str(n) for n in (x.shape[1], *widths, model.neurons[-1]))
        yield Case(f"{data.name}, {shape}, {activation}", model, x[rows], x[split.test], y[split.test])
