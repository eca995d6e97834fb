"""Say what each step of rectified quantization is worth: KL without it over KL with it, on rows outside calibration.

    OMP_NUM_THREADS=1 python benchmarks/rectified_steps.py
    OMP_NUM_THREADS=1 python benchmarks/rectified_steps.py --data PATH --hidden 300,100 --epochs 8

By default on the bundled digits, scikit-learn's sets and a drawn mixture: two seeds of two shapes and two activations
each. Geometric means over networks. A step is left out by putting
something else in its place: a constant or a function of npquant's own modules, for the time of one run.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np
from compression_sets import Case, add_arguments, tables, trained

from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.rectified import (
    activation_weights,
    network,
    rounding_search,
    wide_search,
    wide_starts,
)
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.rectified.scale_tuning import LEAST_ROWS
from npquant.nn.losses import kl_divergence

WIDTHS: tuple[Bits, ...] = (4, 3, 2, "ternary")
LEAST_KL = 1e-5
# (module, name, what stands there instead); settings of `quantize_rectified`.
Without = tuple[list[tuple[object, str, Any]], dict[str, Any]]


def first_only(v: Any, factor: Any, low: Any, high: Any, s: Any) -> Any:
    """Round to nearest within floor and ceiling, in place of the nearest plane."""
    return np.clip(np.rint(v[:, np.newaxis] / s), low, high)


def unturned(form: Any, q: Any, low: Any, high: Any, s: Any, most: int) -> Any:
    """Leave codes and scales as they are, in place of turning pairs."""
    return q, s


def one_by_one(v: Any, factor: Any, grid: Any) -> Any:
    """Round to nearest, in place of error feedback; the cost is E38 of these codes."""
    q = grid.nearest(v)
    return q, np.square(factor.T @ (v - grid.s * q)).sum(axis=0)


def nowhere(problem: Any, bits: Bits) -> float:
    """Return 0 for the reach of errors."""
    return 0.0


def steps(*, wide: bool) -> dict[str, Without]:
    """Name what is left out."""
    table: dict[str, Without] = {
        "derivative at z alone (E35)": ([(network, "error_reach", nowhere)], {}),
        "no share of all rows (E1)": ([(activation_weights, "SHARED", 0.0)], {}),
        "one starting scale": ([], {"start_scales": (1.0,)}),
    }
    if wide:
        table["no error feedback (E28)"] = ([(wide_starts, "round_at_cost", one_by_one)], {})
        table["the cheapest start alone (E39)"] = ([(wide_starts, "COMPARED", 1)], {})
        table["no walks (E11)"] = ([(wide_search, "WALKS", 0)], {})
        table["one walk"] = ([(wide_search, "WALKS", 1)], {})
    else:
        table["no nearest plane (E23)"] = ([(rounding_search, "nearest_plane", first_only)], {})
        table["no pairs (E36)"] = ([(rounding_search, "flip_pairs", unturned)], {})
    table["polish_steps=300"] = ([], {"polish_steps": 300})
    return table


def divergence(case: Case, bits: Bits, without: Without) -> float:
    """Return KL(float, quantized) on the test rows, with a step left out."""
    _, model, rows, test, _ = case
    with ExitStack() as stack:
        for module, name, instead in without[0]:
            stack.enter_context(patch.object(module, name, instead))
        net = quantize_rectified(model, rows, bits, rng=0, **without[1])
    return max(kl_divergence(model.logits(test), net.logits(test)), LEAST_KL)


def print_steps(cases: list[Case]) -> None:
    """Print a table: a row a step, a column a width."""
    table = steps(wide=max(case[2].shape[1] for case in cases) > 64)
    whole = np.log([[divergence(case, bits, ([], {})) for bits in WIDTHS] for case in cases])
    print(f"{len(cases)} networks\n\n| | {' | '.join(str(bits) for bits in WIDTHS)} |\n|{' --- |' * (len(WIDTHS) + 1)}")
    for name, without in table.items():
        kept = [i for i, case in enumerate(cases) if "polish" not in name or len(case[2]) >= LEAST_ROWS]
        if kept:
            logs = np.log([[divergence(cases[i], bits, without) for bits in WIDTHS] for i in kept])
            cells = " | ".join(f"{cell:.2f}" for cell in np.exp((logs - whole[kept]).mean(axis=0)))
            print(f"| {name}{'' if len(kept) == len(cases) else f' ({len(kept)} networks)'} | {cells} |", flush=True)


def main() -> None:
    """Train, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    args = parser.parse_args()
    args.seeds = args.seeds or 2
    if not (args.data or args.sklearn or args.synthetic):
        args.digits = args.sklearn = args.synthetic = True
    shapes, activations = args.hidden or ["64", "32,32"], args.activation or ["clipped_relu", "sigmoid"]
    print_steps([c for data in tables(args) for h in shapes for a in activations for c in trained(args, data, h, a)])


if __name__ == "__main__":
    main()
