"""Compare rectified quantization with its peers, and the ways to prune neurons with each other, in one command.

    OMP_NUM_THREADS=1 python benchmarks/compression.py                 2 bits, the bundled digits, two networks
    OMP_NUM_THREADS=1 python benchmarks/compression.py --bits all      8, 6, 4, 3, 2 bits and ternary
    OMP_NUM_THREADS=1 python benchmarks/compression.py --synthetic --sklearn --data PATH
    OMP_NUM_THREADS=1 python benchmarks/compression.py pruning         accuracy lost by rate; time of half a network

Every seed splits and trains anew. All methods quantize the same network on the same training rows through the same
integer chain; all networks are made before the test rows are opened, once. Settings of the peers were chosen on
validation rows (docs/peers.md). Before any figure is printed the two routes of coordinate descent are compared, and the
integer run of every network with the definition. Spreads are standard deviations over seeds. Seconds are of the
processor, so that other programs do not count; with more than one BLAS thread they add up.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from time import process_time

import bench_pruning
import numpy as np
from compression_pruning import print_losses, print_speed
from compression_sets import Case, add_arguments, tables, trained

from npquant.compression.chain.weight_codes import Bits, weight_grid
from npquant.compression.rounding.adaround import quantize_adaround
from npquant.compression.rounding.gpfq import quantize_gpfq
from npquant.compression.rounding.gptq import quantize_gptq, quantize_gptq_resolved
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.rectified import layer_objective, rounding_path
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.nn.losses import kl_divergence

Method = Callable[..., IntegerMLP]
# Accuracy minus float in points, KL to the float network in nats, seconds.
Found = tuple[float, float, float]
Judged = dict[tuple[str, Bits], list[Found]]

WIDTHS: tuple[Bits, ...] = (8, 6, 4, 3, 2, "ternary")
RECTIFIED_WIDTHS: tuple[Bits, ...] = (4, 3, 2, "ternary")
# KL below this is rounding of the 8-bit logits; a ratio of such figures says nothing.
LEAST_KL = 1e-5
POLISHED, POLISH_ROWS = "rectified + polish", 512
# What rectified / peer should be at 2 bits, by how a peer's name starts.
TARGETS = (("GPTQ re-solved", 0.75), ("GPTQ", 0.5), ("AdaRound", 0.8))
# Steps from which on, and the rate and regularization that were the best for them on validation rows.
ADAROUND = ((3000, 0.03, 0.01), (1, 0.1, 0.03))


def methods(adaround_steps: list[int]) -> dict[str, Method]:
    """Name the methods of the table; "2 sides" lets the peers, too, lie on [-2, 1] or [-1, 2] at 2 bits."""
    table: dict[str, Method] = {
        "rectified": quantize_rectified,
        POLISHED: partial(quantize_rectified, polish_steps=300),
        "uniform": quantize_uniform,
        "uniform, absmax": partial(quantize_uniform, weight_scale="absmax"),
        "nearest + LS + BC": quantize_nearest,
        "GPFQ": quantize_gpfq,
        "GPTQ": partial(quantize_gptq, damping=0.3),
        "GPTQ re-solved": partial(quantize_gptq_resolved, damping=0.1),
    }
    for steps in adaround_steps:
        rate, lam = next((rate, lam) for least, rate, lam in ADAROUND if steps >= least)
        table[f"AdaRound {steps}"] = partial(quantize_adaround, steps=steps, learning_rate=rate, regularization=lam)
    plain = ("rectified", POLISHED, "uniform", "uniform, absmax")
    return table | {f"{name}, 2 sides": partial(m, orient=True) for name, m in table.items() if name not in plain}


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


def quantize_all(case: Case, table: dict[str, Method], widths: list[Bits], seed: int) -> dict:
    """Make every network of one trained network, by method and width, with its seconds."""
    _, model, rows, _, _ = case
    networks = {}
    for bits in widths:
        for name, method in table.items():
            if name.endswith("2 sides") and bits != 2:
                continue  # the same network as without
            if name == POLISHED and (len(rows) < POLISH_ROWS or bits == 8):
                continue
            start = process_time()
            network = method(model, rows, bits, rng=seed)
            networks[name, bits] = network, process_time() - start
    return networks


def judge(case: Case, networks: dict, judged: Judged) -> float:
    """Open the test rows: add what each network makes of them; return the float network's accuracy."""
    _, model, _, test, y = case
    reference = model.logits(test)
    accuracy = 100 * float((reference.argmax(axis=1) == y).mean())
    for key, (network, seconds) in networks.items():
        codes = network.encode(test)
        if not np.array_equal(network.run(codes), network.run_plain(codes)):
            raise SystemExit(f"{key}: the integer run differs from its definition")
        logits = network.logits(test)
        found = 100 * float((logits.argmax(axis=1) == y).mean())
        judged.setdefault(key, []).append((found - accuracy, kl_divergence(reference, logits), seconds))
    return accuracy


def print_table(judged: Judged, bits: Bits) -> None:
    """Print one width: methods by accuracy minus float, KL, seconds."""
    print(f"\n{bits} bits" if bits != "ternary" else "\nternary", end="")
    print(f"{'accuracy - float':>38}{'KL to float':>23}{'seconds':>12}")
    for name in dict.fromkeys(name for name, width in judged if width == bits):
        a, kl, t = np.array(judged[name, bits]).T
        print(f"  {name:26}{a.mean():8.2f} ± {a.std():5.2f}{kl.mean():14.5f} ± {kl.std():.5f}{t.mean():10.3f}")


def print_rectified(judged: Judged) -> None:
    """Print accuracy minus float of rectified quantization at the low widths."""
    cells = []
    for bits in RECTIFIED_WIDTHS:
        a = np.array(judged["rectified", bits])[:, 0]
        cells.append(f"{bits}: {a.mean():.2f} ± {a.std():.2f}")
    print(f"\nrectified, accuracy - float, points: {'   '.join(cells)}")


def print_pooled(all_judged: list[Judged], bits: Bits) -> None:
    """Print geometric means over sets, nets and seeds of rectified / peer, for KL and time."""
    found = [name for judged in all_judged for name, width in judged if width == bits and name != "rectified"]
    names = dict.fromkeys(found)
    print(f"\npooled, {bits if bits == 'ternary' else f'{bits} bits'}: rectified / peer, geometric means", end="")
    print(f" of {sum(len(judged['rectified', bits]) for judged in all_judged)} networks")
    print(f"  {'peer':26}{'KL':>8}{'worst net':>12}{'time':>10}{'KL target':>12}")
    for name in names:
        logs, times = [], []
        for judged in all_judged:
            if (name, bits) not in judged:
                continue
            ours, theirs = (np.array(judged[key, bits]) for key in ("rectified", name))
            logs.append(np.log(np.maximum(ours[:, 1], LEAST_KL) / np.maximum(theirs[:, 1], LEAST_KL)))
            times.append(np.log(ours[:, 2] / theirs[:, 2]))
        worst = max(float(part.mean()) for part in logs)
        target = next((t for start, t in TARGETS if name.startswith(start) and bits == 2), None)
        kl = float(np.exp(np.concatenate(logs).mean()))
        wanted = "" if target is None else f"{target:8.2f} {'met' if kl <= target else 'MISSED'}"
        print(f"  {name:26}{kl:8.2f}{np.exp(worst):12.2f}{np.exp(np.concatenate(times).mean()):10.2f}    {wanted}")


def compare_quantizers(args: argparse.Namespace) -> None:
    """Print every table, then what all networks say together."""
    check_routes()
    shown = list(WIDTHS) if "all" in args.bits else args.bits
    table = methods(args.adaround)
    all_judged: list[Judged] = []
    for data in tables(args):
        for hidden in args.hidden:
            for activation in args.activation:
                cases = list(trained(args, data, hidden, activation))
                made = [quantize_all(case, table, shown, seed) for seed, case in enumerate(cases)]
                for networks, case, seed in zip(made, cases, range(len(cases)), strict=True):
                    rest = [bits for bits in RECTIFIED_WIDTHS if bits not in shown]
                    networks |= quantize_all(case, {"rectified": quantize_rectified}, rest, seed)
                judged: Judged = {}
                floats = [judge(case, networks, judged) for case, networks in zip(cases, made, strict=True)]
                print(f"\n=== {cases[0][0]}; {len(cases)} seeds, {len(cases[0][2])} calibration rows; ", end="")
                print(f"float {np.mean(floats):.2f} ± {np.std(floats):.2f}")
                for bits in shown:
                    print_table(judged, bits)
                print_rectified(judged)
                all_judged.append(judged)
    for bits in shown:
        print_pooled(all_judged, bits)
    print("\ntime target: rectified / AdaRound at most 0.33")


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
    parser.add_argument("--bits", nargs="+", type=width, default=[2], help="widths: 2..8, ternary, or all")
    parser.add_argument("--adaround", type=int, action="append", help="steps a layer; repeatable; 0 leaves it out")
    parser.add_argument("--speed", default="784,1024,1024,10", help="pruning: widths of the network that is timed")
    args = parser.parse_args()
    pruning = args.what == "pruning"
    args.seeds = args.seeds or (12 if pruning else 5)
    args.hidden = args.hidden or (["64,32"] if pruning else ["64", "32,32"])
    args.activation = args.activation or ["relu" if pruning else "clipped_relu"]
    args.adaround = [steps for steps in args.adaround or [1000, 5000] if steps]
    if not any(os.environ.get(name) == "1" for name in bench_pruning.THREADS):
        print(f"warning: BLAS threads are not pinned; set {bench_pruning.THREADS[0]}=1")
    if pruning:
        print_losses(args)
        print_speed([int(n) for n in args.speed.split(",")])
    else:
        compare_quantizers(args)


if __name__ == "__main__":
    main()
