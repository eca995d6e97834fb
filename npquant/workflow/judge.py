"""Steps 5 and 7, and the last opening: every network on the same rows, compared in pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.budget.requirements import allowed_rows, shows_larger_drop
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.weight_codes import Bits
from npquant.files.storage import encode_model
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.measure.cost import multiply_accumulates
from npquant.measure.evaluate import Evaluation, compare, evaluate, layer_sqnr
from npquant.nn.model import FloatMLP
from npquant.report.entries import accuracy_entry, comparison_entry, layer_entry

Kept = tuple[NDArray[np.int64], ...]


class Judge:
    """Evaluate the float network and its integer descendants, first on validation rows, in the end on test rows.

    Parameters
    ----------
    floating : FloatMLP
        The float network, float64.
    x, y : ndarrays, shapes (R, K) and (R,)
        Validation rows and their classes.
    """

    def __init__(self, floating: FloatMLP, x: NDArray[Any], y: NDArray[np.int64]) -> None:
        self._floating, self._x, self._y = floating, x, y
        self._integers: dict[str, IntegerMLP] = {}
        self._bits: dict[str, tuple[Bits, ...]] = {}
        self._kept: dict[str, Kept | None] = {}
        self._validation = {"float": evaluate(floating, x, y)}
        self._test: dict[str, Evaluation] = {}
        self._test_rows: tuple[NDArray[Any], NDArray[np.int64]] = (x[:0], y[:0])
        self.comparisons: list[dict[str, Any]] = []

    def evaluate_network(self, name: str, model: IntegerMLP, bits: tuple[Bits, ...], kept: Kept | None = None) -> None:
        """Evaluate an integer network; `kept` says which of the float network's neurons each of its layers has."""
        self._integers[name], self._bits[name], self._kept[name] = model, bits, kept
        self._validation[name] = evaluate(model, self._x, self._y)

    def integer(self, name: str) -> IntegerMLP:
        """Return an integer network by name."""
        return self._integers[name]

    def compare(self, step: int, reference: str, candidate: str) -> None:
        """Compare two networks on the validation rows, the candidate's layers with the float network's."""
        found = compare(self._validation[reference], self._validation[candidate])
        sqnr = layer_sqnr(self._floating, self._integers[candidate], self._x, self._kept[candidate])
        self.comparisons.append(comparison_entry(step, (reference, candidate), "validation", found, sqnr))

    def open_test(self, x: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Evaluate every network on the test rows, and compare each with the float one."""
        self._test_rows = x, y
        self._test = {"float": evaluate(self._floating, x, y)}
        self._test |= {name: evaluate(model, x, y) for name, model in self._integers.items()}
        for name in self._integers:
            found = compare(self._test["float"], self._test[name])
            self.comparisons.append(comparison_entry(8, ("float", name), "test", found))

    def test_outcome(self, max_drop: float) -> dict[str, Any]:
        """Say what the test rows say of the budget."""
        paired = compare(self._test["float"], self._test["deployed"]).paired
        rows = self._test["float"].rows
        allowed = allowed_rows(max_drop, rows)
        return {
            "drop_points": 100 * (paired.b - paired.c) / rows,
            "allowed_rows": allowed,
            "within": paired.b - paired.c <= allowed,
            "larger_drop_shown": shows_larger_drop(paired.b, paired.c, allowed),
        }

    def model_entries(self, stored: FloatMLP) -> list[dict[str, Any]]:
        """Describe every network; `stored` is the float network as its file holds it."""
        bits: list[Bits] = [8 * layer.w.dtype.itemsize for layer in stored.layers]
        macs = multiply_accumulates(stored.n_inputs, stored.neurons)
        costs = {"float": (bits, len(encode_model(stored)), macs, stored.neurons)}
        for name, net in self._integers.items():
            costs[name] = (list(self._bits[name]), len(encode_model(net)), net.macs, net.neurons)
        entries = []
        for name, (width, n_bytes, macs, neurons) in costs.items():
            validation, test = self._validation[name], self._test[name]
            agreement = compare(self._test["float"], test).agreement / test.rows
            entries.append(
                {
                    "name": name,
                    "validation": accuracy_entry(validation),
                    "test": accuracy_entry(test),
                    "agreement": agreement,
                    "bits": width,
                    "bytes": n_bytes,
                    "macs": macs,
                    "executed_macs": macs if name == "float" else self._integers[name].executed_macs,
                    "neurons": neurons,
                }
            )
        return entries

    def dynamic_entry(self, model: DynamicMLP, bits: tuple[Bits, ...]) -> dict[str, Any]:
        """Describe the dynamic twin of the deployed network: the same pruned network and widths, ranges at run time."""
        answers = evaluate(model, *self._test_rows)
        dynamic = compare(self._test["float"], answers)
        static = compare(self._test["float"], self._test["deployed"])
        return {
            "bits": bits,
            "granularity": model.granularity,
            "validation": accuracy_entry(evaluate(model, self._x, self._y)),
            "test": accuracy_entry(answers),
            "agreement": dynamic.agreement / dynamic.rows,
            "kl": dynamic.kl,
            "static_kl": static.kl,
        }

    def kernel_entries(self, name: str) -> list[dict[str, Any]]:
        """Say by which product each layer of an integer network runs, and how many weights it multiplies."""
        net = self._integers[name]
        nonzero = [int(np.count_nonzero(layer.centred_weights)) for layer in net.layers]
        return [
            {"kernel": kernel, "macs": layer.w_q.size, "executed_macs": few if kernel == "sparse" else layer.w_q.size}
            for kernel, layer, few in zip(net.kernels, net.layers, nonzero, strict=True)
        ]

    def bounds(self, name: str, layers: tuple[LayerReport, ...]) -> dict[str, Any]:
        """Say how many bits a network's accumulators need at most, and what its rounding cost, by layer."""
        net = self._integers[name]
        return {
            "accumulator_bits": net.accumulator_bits,
            "headroom_bits": net.headroom_bits,
            "rectified": [layer_entry(layer) for layer in layers],
        }
