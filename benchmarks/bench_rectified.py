"""Compare rectified quantization with other ways to round: accuracy, KL to the float network, time.

    python benchmarks/bench_rectified.py [--data PATH] [--seeds 5] [--hidden 64] [--activation clipped_relu]
                                         [--rows 2048] [--adaround 1000]

Every seed splits and trains anew; all methods quantize the same network on the same training rows, through the same
integer chain, and are judged on the test rows. Before any figure is printed, the two routes of the walk are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from npquant.compression import layer_objective, peers, rounding_path
from npquant.compression.adaround import adaround
from npquant.compression.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.metrics import kl_divergence
from npquant.compression.rectified import quantize_rectified, quantize_rectified_with_report
from npquant.compression.uniform import Bits, weight_grid
from npquant.integer_mlp import IntegerMLP
from npquant.nn.model import FloatMLP
from npquant.nn.training import train
from npquant.workflow.datasets import load_dataset, load_optdigits
from npquant.workflow.split import split_70_15_15

WIDTHS: tuple[Bits, ...] = (8, 4, 3, 2, "ternary")
Float64 = NDArray[np.float64]
Method = Callable[[FloatMLP, Float64, Bits], IntegerMLP]
Rounding = Callable[[LayerProblem, Bits], LayerCodes]
Found = tuple[float, float, float]


def chained(rounding: Rounding) -> Method:
    """Return a method that rounds each layer with a peer."""

    def method(model: FloatMLP, x: Float64, bits: Bits) -> IntegerMLP:
        return quantize_chain(model, x, lambda problem: rounding(problem, bits))

    return method


def methods(adaround_steps: int) -> dict[str, Method]:
    """Name the methods of the table."""
    table: dict[str, Method] = {
        "rectified": quantize_rectified,
        "RTN": chained(peers.round_to_nearest),
        "RTN+LS+BC": chained(peers.round_to_nearest_rescaled),
        "GPFQ+LS+BC": chained(peers.gpfq),
        "GPTQ .01 +LS+BC": chained(partial(peers.gptq, damping=0.01)),
        "GPTQ .1 +LS+BC": chained(partial(peers.gptq, damping=0.1)),
        "GPTQ .1 re-solved": chained(partial(peers.gptq_resolved, damping=0.1)),
    }
    if adaround_steps:
        learned = partial(adaround, steps=adaround_steps, learning_rate=1e-2, rng=0)
        table[f"AdaRound {adaround_steps}"] = chained(learned)
    return table


def check_routes() -> None:
    """Stop unless the blocked walk gives the codes of the plain one."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 17, (200, 30)).astype(np.float64), rng.normal(0, 1, (30, 20))
    problem = layer_objective.make_objective(x, x @ w, w, rng.uniform(0.01, 1, (200, 20)))
    s = np.full(20, 0.4)
    a = np.clip(w / s, *weight_grid(3))
    between = np.floor(a), np.ceil(a)
    blocked = rounding_path.walk(problem, a, *between, s, rounding_path.block_covariances(problem))
    if not np.array_equal(blocked, rounding_path.walk_plain(problem, a, *between, s)):
        raise SystemExit("the two routes of the walk differ")


def judge(model: FloatMLP, method: Method, bits: Bits, rows: Float64, x: Float64, y: NDArray[np.int64]) -> Found:
    """Return accuracy in per cent, KL to the float network in nats, and milliseconds."""
    start = perf_counter()
    network = method(model, rows, bits)
    milliseconds = (perf_counter() - start) * 1e3
    logits = network.logits(x)
    accuracy = 100 * float((logits.argmax(axis=1) == y).mean())
    return accuracy, kl_divergence(model.logits(x), logits), milliseconds


def main() -> None:
    """Print one table: methods by widths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="IDX folder, CSV or npz; without it the bundled digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--hidden", default="64", help="widths of the hidden layers")
    parser.add_argument("--activation", default="clipped_relu")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rows", type=int, default=2048, help="calibration rows at most")
    parser.add_argument("--adaround", type=int, default=1000, help="steps; 0 leaves it out")
    args = parser.parse_args()
    check_routes()
    data = load_dataset(args.data) if args.data else load_optdigits()
    hidden = [int(n) for n in args.hidden.split(",") if n]
    table = methods(args.adaround)
    found: dict[tuple[str, Bits], list[Found]] = {}
    floats, shares = [], []
    for seed in range(args.seeds):
        split = split_70_15_15(data.y, rng=seed)
        x = data.x.astype(np.float64)
        model = train(x[split.train], data.y[split.train], hidden, args.activation, args.epochs, rng=seed)
        rows = np.random.default_rng(seed).permutation(split.train)[: args.rows]
        test, y = x[split.test], data.y[split.test]
        floats.append(100 * float((model.predict(test) == y).mean()))
        for bits in WIDTHS:
            for name, method in table.items():
                found.setdefault((name, bits), []).append(judge(model, method, bits, x[rows], test, y))
            shares += [r.share_of_bound for r in quantize_rectified_with_report(model, x[rows], bits)[1]]
    print(
        f"{data.name}, {hidden}, {args.activation}, {args.seeds} seeds, {len(rows)} rows; float {np.mean(floats):.2f}"
    )
    print(f"{'accuracy / KL':18}" + "".join(f"{bits!s:>15}" for bits in WIDTHS) + "       ms")
    for name in table:
        cells = [np.mean(found[name, bits], axis=0) for bits in WIDTHS]
        milliseconds = np.mean([cell[2] for cell in cells])
        print(f"{name:18}" + "".join(f"{c[0]:8.2f}/{c[1]:.4f}" for c in cells) + f" {milliseconds:8.0f}")
    print(f"Phi / bound: mean {np.mean(shares):.2f}, largest {np.max(shares):.2f}")


if __name__ == "__main__":
    main()
