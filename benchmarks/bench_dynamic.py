"""Compare dynamic with static quantization: KL to the float network, accuracy and time.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_dynamic.py [--data PATH] [--seeds 5]
        [--hidden 64,32] [--epochs 30]

Every seed splits and trains anew; weights of 8 bits are rounded to nearest, fewer by every method. Judged on the test
rows. Before any figure is printed, the accumulators are compared with NumPy's integer product.
"""

from __future__ import annotations

import argparse
import os
from time import perf_counter

import numpy as np

from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.method_names import DRAWING_METHODS, METHOD_NAMES
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.datasets import load_dataset, load_optdigits
from npquant.data.split import split_70_15_15
from npquant.integer.dynamic_layer import input_params, quantize_rows
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.nn.losses import kl_divergence
from npquant.nn.model import FloatMLP
from npquant.nn.training import train

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
Network = DynamicMLP | IntegerMLP


def check_accumulators(net: DynamicMLP, x: np.ndarray) -> None:
    """Stop unless the first layer's accumulators are sums of whole numbers."""
    params = input_params(x, 8, net.granularity)
    centred = quantize_rows(x, params).astype(np.int64) - np.reshape(params.zero_point, (-1, 1))
    if not np.array_equal(net.accumulators(x)[0], centred @ net.layers[0].w_q.astype(np.int64)):
        raise SystemExit("the accumulators are not the integer product")


def networks(model: FloatMLP, rows: np.ndarray) -> dict[str, Network]:
    """Quantize one float network in every way of the tables, by the name of its line."""
    found: dict[str, Network] = {}
    for outputs in (8, 4, 2):
        found[f"w8 a{outputs} row"] = quantize_dynamic(model, None, 8, outputs)
        found[f"w8 a{outputs} batch"] = quantize_dynamic(model, None, 8, outputs, granularity="batch")
        found[f"w8 a{outputs} static"] = quantize_uniform(model, rows, 8, outputs)
    for bits in (4, 3, 2):
        for method in [name for name in METHOD_NAMES if name not in DRAWING_METHODS]:
            found[f"w{bits} a8 row, {method}"] = quantize_dynamic(model, rows, bits, method=method)
        found[f"w{bits} a8 static, rectified"] = quantize_rectified(model, rows, bits)
    return found


def main() -> None:
    """Print one line a network, for ReLU and for clipped ReLU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="IDX folder, CSV or npz; without it the bundled digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--hidden", default="64,32", help="widths of the hidden layers")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    data = load_dataset(args.data) if args.data else load_optdigits()
    hidden = [int(n) for n in args.hidden.split(",") if n]
    for activation in ("relu", "clipped_relu"):
        found: dict[str, list[tuple[float, float, float]]] = {}
        for seed in range(args.seeds):
            split = split_70_15_15(data.y, rng=seed)
            x, test, truth = data.x[split.train].astype(float), data.x[split.test].astype(float), data.y[split.test]
            model = train(x, data.y[split.train], hidden, activation, args.epochs, rng=seed)
            logits = model.logits(test)
            found.setdefault("float", []).append((0.0, 100 * float((model.predict(test) == truth).mean()), np.nan))
            for name, net in networks(model, x[:2048]).items():
                if isinstance(net, DynamicMLP):
                    check_accumulators(net, test)
                times = []
                for _ in range(5):
                    start = perf_counter()
                    got = net.logits(test)
                    times.append(perf_counter() - start)
                seconds = min(times)
                accuracy = 100 * float((got.argmax(axis=1) == truth).mean())
                found.setdefault(name, []).append((kl_divergence(logits, got), accuracy, 1e6 * seconds / len(test)))
        print(f"{data.name}, {hidden}, {activation}, {args.seeds} seeds")
        for name, cells in found.items():
            kl, accuracy, microseconds = np.mean(cells, axis=0)
            print(f"{name:26} KL {kl:.5f}  accuracy {accuracy:.2f}  {microseconds:.2f} us a row")


if __name__ == "__main__":
    main()
