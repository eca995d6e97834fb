"""Compare rectified quantization with its peers, and the ways to prune neurons with each other, in one command.

    OMP_NUM_THREADS=1 python benchmarks/compression.py                 the bundled digits, two networks, all widths
    OMP_NUM_THREADS=1 python benchmarks/compression.py --bits 2 --peers all --adaround 1000 --adaround 5000
    OMP_NUM_THREADS=1 python benchmarks/compression.py --digits --synthetic --sklearn --data PATH
    OMP_NUM_THREADS=1 python benchmarks/compression.py pruning         accuracy lost by rate; time of half a network

Every seed splits and trains anew. All methods quantize the same network on the same training rows through the same
integer chain; all networks are made before the test rows are opened, once. Settings of the peers were chosen on
validation rows (docs/peers.md). Soundness comes first: the two routes of coordinate descent are compared, every code
lies on its grid, every layer within the bound that it was promised, and the integer run of every network is compared
with the definition. Spreads are standard deviations over seeds. Seconds are of the processor, so that other programs do
not count; with more than one BLAS thread they add up. The last lines say where a peer is
ahead, and which goals are missed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial

import bench_pruning
import numpy as np
from compression_pruning import print_losses, print_speed
from compression_sets import Case, add_arguments, tables, trained
from compression_tables import (
    ADAROUND,
    AUTO,
    GPTQ,
    RECTIFIED,
    RESOLVED,
    TWO_SIDES,
    Judged,
    print_goals,
    print_pooled,
    print_sets,
    print_table,
)

from npquant.compression.chain.weight_codes import Bits, weight_grid
from npquant.compression.rounding.adaround import quantize_adaround
from npquant.compression.rounding.gpfq import quantize_gpfq
from npquant.compression.rounding.gptq import quantize_gptq, quantize_gptq_resolved
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rectified import layer_objective, rounding_path
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.measure.evaluate import Reference
from npquant.nn.model import FloatMLP
from npquant.workflow.compare.methods import Quantizer
from npquant.workflow.compare.trial import Made, judge_each, quantize_each

Method = Callable[..., IntegerMLP]

WIDTHS: tuple[Bits, ...] = (8, 6, 5, 4, 3, 2, "ternary")
POLISHED, POLISH_ROWS = "rectified + polish", 512
# Steps from which on, and the rate and regularization that were the best for them on validation rows.
ADAROUND_SETTINGS = ((3000, 0.03, 0.01), (1, 0.1, 0.03))
# Set by set only these are shown.
SHOWN = (GPTQ, RESOLVED, GPTQ + TWO_SIDES, RESOLVED + TWO_SIDES, ADAROUND, "nearest + LS + BC", AUTO)


def quantize_auto(model: FloatMLP, rows: np.ndarray, bits: Bits, rng: int) -> IntegerMLP:
    """Let rows held out of calibration choose the method."""
    return quantize_model(model, rows, bits, rng=rng, method="auto").network


def peers(which: str, adaround_steps: list[int]) -> dict[str, Method]:
    """Name the peers, and the choice among all; "2 sides" lets a peer, too, lie on [-2, 1] or [-1, 2] at 2 bits."""
    plain: dict[str, Method] = {AUTO: quantize_auto, "uniform": quantize_uniform}
    table: dict[str, Method] = {
        "nearest + LS + BC": quantize_nearest,
        GPTQ: partial(quantize_gptq, damping=0.3),
        RESOLVED: partial(quantize_gptq_resolved, damping=0.1),
    }
    if which == "all":
        plain[POLISHED] = partial(quantize_rectified, polish_steps=300)
        plain["uniform, absmax"] = partial(quantize_uniform, weight_scale="absmax")
        table["GPFQ"] = quantize_gpfq
    for steps in adaround_steps:
        rate, lam = next((rate, lam) for least, rate, lam in ADAROUND_SETTINGS if steps >= least)
        table[f"AdaRound {steps}"] = partial(quantize_adaround, steps=steps, learning_rate=rate, regularization=lam)
    sided = {name for name in table if which == "all" or name in (GPTQ, RESOLVED)}
    return plain | table | {f"{name}{TWO_SIDES}": partial(table[name], orient=True) for name in table if name in sided}


def check_routes() -> None:
    """Stop unless the blocked pass gives the codes of the plain one."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 17, (200, 30)).astype(np.float64), rng.normal(0, 1, (30, 20))
    problem = layer_objective.make_objective(x, x @ w, w, rng.uniform(0.01, 1, (200, 20)))
    s = np.full(20, 0.4)
    a = np.clip(w / s, *weight_grid(3))
    between = np.floor(a), np.ceil(a)
    blocked = rounding_path.coordinate_pass(problem, a, *between, s, rounding_path.block_covariances(problem))
    if not np.array_equal(blocked, rounding_path.coordinate_pass_plain(problem, a, *between, s)):
        raise SystemExit("the two routes of coordinate descent differ")


def rectified_within_bounds(model: FloatMLP, rows: np.ndarray, bits: Bits, rng: int) -> IntegerMLP:
    """Quantize by the rectified method; stop if a neuron of a layer costs more than was promised before rounding.

    Phi is a sum over rows of squares of the pre-activations' size, so 1e-12 of theirs is its rounding.
    """
    network, report = quantize_model(model, rows, bits, rng=rng)
    for layer, z in zip(report, model.pre_activations(rows), strict=True):
        slack = 1e-9 * layer.bound_by_neuron + 1e-12 * np.square(np.asarray(z, np.float64)).sum(axis=0)
        if (layer.phi_by_neuron > layer.bound_by_neuron + slack).any():
            raise SystemExit(f"{bits}: a neuron costs more than its bound")
    return network


def quantizer(method: Method) -> Quantizer:
    """Take a quantizer of npquant's for a method of a comparison."""
    return lambda model, rows, bits, seed: method(model, rows, bits, rng=seed)


def quantize_all(case: Case, table: dict[str, Method], widths: list[Bits], seed: int) -> list[Made]:
    """Make every network of one trained network, by method and width, with its seconds."""
    made = []
    for bits in widths:
        asked = {}
        for name, method in table.items():
            if name.endswith(TWO_SIDES) and bits != 2:
                continue  # the same network as without
            if name == POLISHED and (len(case.rows) < POLISH_ROWS or bits == 8):
                continue
            asked[name] = quantizer(method)
        made += quantize_each(case.model, case.rows, asked, bits, seed)
    return made


def judge(case: Case, made: list[Made], judged: Judged, seed: int) -> float:
    """Open the test rows: add what each network makes of them; return the float network's accuracy."""
    rows = judge_each(made, Reference.of(case.model, case.x_test, case.y_test), seed)
    for row in rows:
        judged.found.setdefault((row.method, row.bits), []).append((row.gained, row.divergence, row.seconds))
    return rows[0].floating.value


def compare_quantizers(args: argparse.Namespace) -> None:
    """Print every table, then what all networks say together, then goals."""
    check_routes()
    shown = list(WIDTHS) if "all" in args.bits else args.bits
    table: dict[str, Method] = {RECTIFIED: rectified_within_bounds, **peers(args.peers, args.adaround)}
    results: list[Judged] = []
    shapes = [(hidden, activation) for hidden in args.hidden for activation in args.activation]
    for data in tables(args):
        for hidden, activation in shapes:
            cases = list(trained(args, data, hidden, activation))
            made = [quantize_all(case, table, shown, seed) for seed, case in enumerate(cases)]
            judged = Judged(data.name, cases[0].name)
            floats = [
                judge(case, nets, judged, seed) for seed, (case, nets) in enumerate(zip(cases, made, strict=True))
            ]
            print(f"\n=== {judged.case}; {len(cases)} seeds, {len(cases[0].rows)} calibration rows; ", end="")
            print(f"float {np.mean(floats):.2f} ± {np.std(floats):.2f}")
            for bits in shown:
                print_table(judged, bits)
            results.append(judged)
    for bits in shown:
        print_pooled(results, bits)
        print_sets(results, bits, SHOWN)
    print_goals(results)


def width(word: str) -> Bits:
    """Read a width, or the word for all."""
    bits: Bits = int(word) if word.isdecimal() else word
    if bits != "all":
        weight_grid(bits)
    return bits


def main() -> None:
    """Read the flags and run one half."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("quantization", "pruning"), default="quantization")
    add_arguments(parser)
    parser.add_argument("--bits", nargs="+", type=width, default=["all"], help="widths: 2..8, ternary, or all")
    parser.add_argument("--peers", choices=("strong", "all"), default="strong", help="strong: those that goals name")
    parser.add_argument("--adaround", type=int, action="append", help="steps a layer; repeatable; 0 leaves it out")
    parser.add_argument("--speed", default="784,1024,1024,10", help="pruning: widths of the network that is timed")
    args = parser.parse_args()
    pruning = args.what == "pruning"
    args.seeds = args.seeds or (12 if pruning else 5)
    args.hidden = args.hidden or (["64,32"] if pruning else ["64", "32,32"])
    args.activation = args.activation or ["clipped_relu"]  # of `npquant.train` and `npquant compare`
    args.adaround = [steps for steps in args.adaround or [1000] if steps]
    if not any(os.environ.get(name) == "1" for name in bench_pruning.THREADS):
        print(f"warning: BLAS threads are not pinned; set {bench_pruning.THREADS[0]}=1")
    if pruning:
        print_losses(args)
        print_speed([int(n) for n in args.speed.split(",")])
    else:
        compare_quantizers(args)


if __name__ == "__main__":
    main()
