"""Steps 5 and 7, and the last opening: every network on the same rows, compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from npquant.arrays import Indices
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.weight_codes import Bits
from npquant.files.facts import Facts
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.measure.cost import executed_macs, nonzero_weights, stored_bytes, weight_widths
from npquant.measure.evaluate import Answers, Compared, Reference, compare, layer_sqnr, with_outputs_sqnr
from npquant.nn.model import FloatMLP
from npquant.report.entries import answers_entry, comparison_entry, difference_entry, dynamic_difference, layer_entry

Kept = tuple[Indices, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """An integer network under judgement."""

    model: IntegerMLP
    bits: tuple[Bits, ...]  # the widths that were asked for
    kept: Kept | None  # which of the float network's neurons each of its layers has; None: all
    validation: Answers


class Judge:
    """Evaluate the float network (float64) and its integer descendants: on validation rows, in the end on test rows."""

    def __init__(self, floating: FloatMLP, validation: Reference) -> None:
        self._floating, self._validation = floating, validation
        self._judged: dict[str, _Judged] = {}
        self._test: Reference | None = None
        self._on_test: dict[str, tuple[Answers, Compared]] = {}
        self.comparisons: list[dict[str, Any]] = []

    def evaluate_network(self, name: str, model: IntegerMLP, bits: tuple[Bits, ...], kept: Kept | None = None) -> None:
        """Evaluate an integer network; `kept` says which of the float network's neurons each of its layers has."""
        self._judged[name] = _Judged(model, bits, kept, self._validation.evaluate(model))

    def compare(self, step: int, reference: str, candidate: str) -> None:
        """Compare two networks on the validation rows, the candidate's layers with the float network's."""
        before = self._validation.answers if reference == "float" else self._judged[reference].validation
        after = self._judged[candidate]
        sqnr = layer_sqnr(self._floating, after.model, self._validation.x, after.kept)
        sqnr = with_outputs_sqnr(sqnr, self._validation.answers, after.validation)
        found = compare(before, after.validation)
        self.comparisons.append(comparison_entry(step, (reference, candidate), "validation", found, sqnr))

    def open_test(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        """Evaluate every network on the test rows, and compare each with the float one."""
        self._test = Reference.of(self._floating, x, y)
        for name, judged in self._judged.items():
            answers = self._test.evaluate(judged.model)
            self._on_test[name] = answers, compare(self._test.answers, answers)
            self.comparisons.append(comparison_entry(8, ("float", name), "test", self.on_test(name)))

    def on_test(self, name: str) -> Compared:
        """Return how a network compares with the float one on the test rows."""
        return self._on_test[name][1]

    def opened_on(self, name: str) -> tuple[Reference, Answers]:
        """Return the test rows with the float network's answers, and a network's own."""
        return self._opened, self._on_test[name][0]

    def model_entries(self, stored: FloatMLP, n_bytes: Mapping[str, int], facts: Facts) -> list[dict[str, Any]]:
        """Describe every network: `stored` is the float one as its file holds it, `n_bytes` lengths known.

        Other lengths are those of files with `facts`.
        """
        itself = compare(self._opened.answers, self._opened.answers)
        networks: list[tuple[str, FloatMLP | IntegerMLP, tuple[Bits, ...], Answers, Answers, Compared]] = [
            ("float", stored, weight_widths(stored), self._validation.answers, self._opened.answers, itself)
        ]
        for name, judged in self._judged.items():
            networks.append((name, judged.model, judged.bits, judged.validation, *self._on_test[name]))
        return [
            {
                "name": name,
                "validation": answers_entry(validation),
                "test": answers_entry(test),
                **difference_entry(found),
                "bits": bits,
                "bytes": n_bytes.get(name) or stored_bytes(model, facts=facts),
                "macs": model.macs,
                "executed_macs": executed_macs(model),
                "neurons": model.neurons,
            }
            for name, model, bits, validation, test, found in networks
        ]

    def dynamic_entry(self, model: DynamicMLP, bits: tuple[Bits, ...]) -> dict[str, Any]:
        """Describe the dynamic twin of the deployed network: the same pruned network and widths, ranges at run time."""
        answers = self._opened.evaluate(model)
        dynamic = compare(self._opened.answers, answers)
        return {
            "bits": bits,
            "granularity": model.granularity,
            "validation": answers_entry(self._validation.evaluate(model)),
            "test": answers_entry(answers),
            **dynamic_difference(dynamic, self.on_test("deployed")),
        }

    @property
    def _opened(self) -> Reference:
        if self._test is None:
            raise RuntimeError("the test rows are not opened yet: see open_test")
        return self._test

    def kernel_entries(self, name: str) -> list[dict[str, Any]]:
        """Say by which product each layer of an integer network runs, and how many weights it multiplies."""
        net = self._judged[name].model
        return [
            {"kernel": kernel, "macs": layer.w_q.size, "executed_macs": few if kernel == "sparse" else layer.w_q.size}
            for kernel, layer, few in zip(net.kernels, net.layers, nonzero_weights(net), strict=True)
        ]

    def bounds(self, name: str, layers: tuple[LayerReport, ...]) -> dict[str, Any]:
        """Say how many bits a network's accumulators need at most, and what its rounding cost, by layer."""
        net = self._judged[name].model
        return {
            "accumulator_bits": net.accumulator_bits,
            "headroom_bits": net.headroom_bits,
            "rectified": [layer_entry(layer) for layer in layers],
        }
