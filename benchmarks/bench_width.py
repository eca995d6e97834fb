"""Time and memory of quantizing and pruning by the width of a layer, after checking that what comes out is sound.

    python benchmarks/bench_width.py [--widths 128,256,512,1024,2048] [--methods NAME,NAME] [--rows 1024]

One clipped-ReLU layer of K x K weights and one of K x 10, on SYNTHETIC inputs of rank K / 8. Every figure is that of a
process of its own with one BLAS thread: seconds of CPU, in brackets over those of GPTQ at 4 bits, and how far memory
rises above network and rows, in MB and in brackets as a multiple of what the weights and the Hessian of the wide layer
take, 16 K^2 bytes. 4,096 is run by --widths 4096 and needs 1 GB. The exponents are those of the last doubling of K.
Before a figure is printed: feedback in blocks has the codes of its definition on a small layer, and neurons go in the
order of theirs; in every process all codes lie in their grid, a rectified layer has real <= Phi <= bound and Phi <=
that of nearest rounding, and a pruned network keeps what was asked.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np

from npquant.compression.error_feedback import (
    damped_hessian,
    hessian_factor,
    round_with_feedback,
    round_with_feedback_plain,
)
from npquant.compression.pruning.neurons.pruning import prune_neurons
from npquant.compression.pruning.neurons.saliency import greedy_obs, greedy_obs_plain
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rounding_grid import choose_rounding_grid
from npquant.nn.model import DenseLayer, FloatMLP

METHODS = ("rectified 4", "rectified 2", "gptq 4", "gptq_resolved 4", "prune_neurons", "prune_weights")
GPTQ = "gptq 4"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# ru_maxrss counts KiB, but bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def wide_problem(width: int, rows: int) -> tuple[FloatMLP, np.ndarray]:
    """Draw a network, and inputs of rank K / 8 from 0 to 1."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, width // 8)) @ rng.normal(size=(width // 8, width))
    x -= x.min()
    x /= x.max()
    w = rng.normal(size=(width, width))
    w *= 2 / np.sqrt(width)
    last = rng.normal(size=(width, 10)) / np.sqrt(width)
    first = DenseLayer(w, np.full(width, 0.5) - x.mean(axis=0) @ w, "clipped_relu")
    return FloatMLP((first, DenseLayer(last, np.zeros(10), "identity"))), x


def run_one(method: str, width: int, rows: int) -> dict[str, float]:
    """Do one thing once, and say what it took."""
    model, x = wide_problem(width, rows)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    if method == "prune_neurons":
        pruned = prune_neurons(model, x, 0.5)
        sound = sum(pruned.neurons[:-1]) == width // 2
    elif method == "prune_weights":
        sparse = prune_weights(model, x, 0.2)
        sound = all(np.count_nonzero(layer.w) <= layer.w.size // 5 + 1 for layer in sparse.layers)
    else:
        name, bits = method.split()
        network, report = quantize_model(model, x, int(bits), method=name)
        sound = all((layer.w_q >= layer.w.qmin).all() and (layer.w_q <= layer.w.qmax).all() for layer in network.layers)
        for layer in report:
            slack = 1e-9 * layer.phi_nearest_by_neuron
            sound &= bool((layer.phi_by_neuron <= layer.phi_nearest_by_neuron + slack).all())
            sound &= bool((layer.phi_by_neuron <= layer.bound_by_neuron + slack).all())
            sound &= bool((layer.real_by_neuron <= layer.phi_by_neuron).all())
    seconds, after = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if not sound:
        raise AssertionError(f"{method} at {width}: what came out is not what was promised")
    return {"seconds": seconds, "megabytes": (after - before) * RSS_UNIT / 1e6}


def check_feedback() -> None:
    """Stop unless blocks have the codes of the definition."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 9)) @ rng.normal(size=(9, 100))
    w = rng.normal(size=(100, 30))
    hessian, grid = damped_hessian(x, 0.1), choose_rounding_grid(w, 3)
    found = round_with_feedback(w, hessian_factor(hessian), grid)
    if not np.array_equal(found, round_with_feedback_plain(w, hessian, grid)):
        raise AssertionError("feedback in blocks has other codes than its definition")


def check_removals() -> None:
    """Stop unless blocks of removals have the order of the definition."""
    rng = np.random.default_rng(0)
    h = rng.normal(size=(200, 9)) @ rng.normal(size=(9, 100)) + rng.normal(size=(200, 100))
    v = rng.normal(size=(100, 5))
    if not np.array_equal(greedy_obs(h, v, 80, 0.1)[0], greedy_obs_plain(h, v, 80, 0.1)[0]):
        raise AssertionError("neurons go in another order in blocks than by the definition")


def measured(method: str, width: int, rows: int) -> dict[str, float]:
    """Run one thing in a fresh process with one BLAS thread."""
    command = [sys.executable, __file__, "--one", "--methods", method, "--widths", str(width), "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD})
    found: dict[str, float] = json.loads(done.stdout)
    return found


def exponent(seconds: list[float], widths: list[int]) -> float:
    """Return d log seconds / d log width between the last two widths."""
    if len(widths) < 2:
        return float("nan")
    return float(np.log(seconds[-1] / seconds[-2]) / np.log(widths[-1] / widths[-2]))


def cell(found: dict[str, float], gptq: dict[str, float], width: int) -> str:
    """Return what stands in the table for one method at one width."""
    seconds, megabytes = found["seconds"], found["megabytes"]
    times, multiple = seconds / gptq["seconds"], megabytes * 1e6 / (16 * width**2)
    return f"{seconds:.2f} ({times:.1f}) {megabytes:5.0f} ({multiple:.1f})"


def main() -> None:
    """Print one line a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="128,256,512,1024,2048")
    parser.add_argument("--methods", default=",".join(METHODS), help="names of the table, with commas")
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--one", action="store_true", help="one method, one width, here; print its figures as JSON")
    args = parser.parse_args()
    widths, methods = [int(width) for width in args.widths.split(",")], args.methods.split(",")
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        parser.error(f"--methods has {', '.join(map(repr, unknown))}; known are {', '.join(map(repr, METHODS))}")
    if min(widths) < 16:
        parser.error(f"--widths has {min(widths)}; inputs have the rank K / 8: from 16 on")
    if args.one:
        print(json.dumps(run_one(methods[0], widths[0], args.rows)))
        return
    check_feedback()
    check_removals()
    print(f"SYNTHETIC, {args.rows} rows; seconds (over {GPTQ}), MB above network and rows (multiples of 16 K^2 bytes)")
    print(f"{'':16}" + "".join(f"{f'K = {width}':>28}" for width in widths) + "  exponent")
    gptq = [measured(GPTQ, width, args.rows) for width in widths]
    for method in methods:
        cells = gptq if method == GPTQ else [measured(method, width, args.rows) for width in widths]
        line = "".join(cell(*three).rjust(28) for three in zip(cells, gptq, widths, strict=True))
        print(f"{method:16}{line}{exponent([c['seconds'] for c in cells], widths):10.1f}", flush=True)


if __name__ == "__main__":
    main()
