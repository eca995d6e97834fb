"""One candidate of step 3: pruned and refitted, quantized as a whole chain, encoded, measured on validation rows.

The order is prune, refit, quantize what is left; the targets Z of the logits always come from the original float
network, those of hidden layers too unless pruning moved all layers together.

G9 (memory)       layer i of a candidate depends on the rates, on bits[:i + 1] and activation_bits[:i]: what it was
                  rounded to serves every other candidate with the same. Where pruning goes layer by layer, it depends
                  on rates[:i] and on the neurons that rates[i] keeps, each by itself

Legend: rates one a hidden layer; thresholds of one candidate; R rows, K inputs, N outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float32, Float64, Indices, Int8, Mask
from npquant.budget.requirements import Measured, measurement
from npquant.budget.space import Thresholds
from npquant.codec.byte_fields import varint
from npquant.codec.weight_stream import encode_weights
from npquant.compression.chain.calibration import checked_rows
from npquant.compression.chain.input_choice import choose_inputs
from npquant.compression.chain.integer_chain import LayerProblem, Quantized, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.method_choice import MethodChoice
from npquant.compression.chain.weight_codes import Bits, code_interval
from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.pruning.neurons.report import PruningReport
from npquant.compression.rounding.held_out import candidates
from npquant.compression.rounding.quantize_model import choose_method
from npquant.compression.rounding.rectified.network import error_weights, rectify
from npquant.files.facts import Facts
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.measure.cost import stored_bytes
from npquant.measure.evaluate import Reference, answers_sqnr, compare
from npquant.nn.model import DenseLayer, FloatMLP

Key = tuple[int, tuple[Bits, ...], tuple[int, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class PrunedNet:
    """A pruned float network, what was removed, and the original's pre-activations at the neurons that are left."""

    model: FloatMLP
    report: PruningReport
    targets: tuple[Float64, ...]

    @property
    def kept(self) -> tuple[Indices, ...]:
        """For each layer the neurons of the original that are left, in order; all of the last layer's."""
        outputs = np.arange(self.model.neurons[-1])
        return (*self.report.kept, outputs)

    def to_json(self) -> dict[str, Any]:
        """Describe what was removed, by hidden layer and cause."""
        causes = ("zero", "constant", "redundant", "unimportant")
        removed = [{cause: layer.counts[cause] for cause in causes} for layer in self.report.layers]
        return {"rates": self.report.rates, "removed": removed, "nothing_pruned": self.report.nothing_pruned}


@dataclass(slots=True, eq=False)
class _Rounded:
    """What a layer was rounded to, for the neurons that were asked for so far."""

    q: Int8
    s: Float32
    bias: Float64
    upper: Mask
    costs: Float64  # (5, N): those of LayerReport
    known: Mask


class CandidateBuilder:
    """Build and measure candidates, and remember what they share.

    Pruning sees all of `x_calibration` (R, K), quantization its first `rows` rows (None: all). `reference` holds the
    validation rows, and says whether the network's outputs are logits of classes or real values. `compensation` is
    "refit" or "layerwise", as in `prune_neurons`; files are measured in the `encoding` "auto" or "dense", which takes
    less time. `facts` are what the file will know of the data; `inputs` is "auto", "exact" or "by_feature", as the
    quantizers have it.
    """

    def __init__(
        self,
        floating: FloatMLP,  # the original network, float64
        x_calibration: NDArray[Any],
        reference: Reference,
        rows: int | None = None,
        compensation: str = "refit",
        encoding: str = "auto",
        facts: Facts | None = None,
        inputs: str = "auto",
    ) -> None:
        self._floating, self._x_calibration, self._reference = floating, x_calibration, reference
        self._x_rounding = x_calibration[:rows]
        # Chosen once: what a candidate remembers of layer 0 serves others with the same input codes alone.
        code = choose_inputs(checked_rows(self._x_rounding), np.asarray(floating.layers[0].w, np.float64), inputs)
        self._inputs = "by_feature" if code.by_feature else "exact"
        self._z = floating.pre_activations(self._x_rounding.astype(np.float64))
        self._pruned: dict[tuple[float, ...], PrunedNet] = {}
        self._rounded: dict[Key, _Rounded] = {}
        self._shorter: dict[bytes, int] = {}
        self._compensation, self.encoding, self._facts, self._asked = compensation, encoding, facts, inputs
        self._nets: dict[tuple[float, ...], tuple[FloatMLP, PruningReport]] = {}

    def on_all_rows(self) -> CandidateBuilder:
        """Return a builder whose quantization sees all training rows; what was pruned serves both."""
        builder = CandidateBuilder(
            self._floating,
            self._x_calibration,
            self._reference,
            None,
            self._compensation,
            self.encoding,
            self._facts,
            self._asked,
        )
        builder._nets, builder._shorter = self._nets, self._shorter
        return builder

    def prune(self, rates: tuple[float, ...]) -> PrunedNet:
        """Prune and refit the original network, one rate a hidden layer."""
        if rates and rates not in self._nets:
            self._nets[rates] = prune_neurons_with_report(
                self._floating,
                self._x_calibration,
                rates,
                compensation=self._compensation,
                output=self._reference.output,
            )
        if rates not in self._pruned:
            self._pruned[rates] = self._pruned_net(*self._nets.get(rates, (self._floating, PruningReport(rates, ()))))
        return self._pruned[rates]

    def _pruned_net(self, model: FloatMLP, report: PruningReport) -> PrunedNet:
        """Round what was refitted to float32, and choose the targets."""
        kept = (*report.kept, np.arange(model.neurons[-1]))
        if self._compensation == "layerwise" or report.nothing_pruned:
            model = _in_float32(model, [False, *(layer.removed > 0 for layer in report.layers)])
            targets = tuple(np.asarray(z[:, at], np.float64) for z, at in zip(self._z, kept, strict=True))
            return PrunedNet(model, report, targets)
        # All layers moved together: hidden neurons mean something else now, and only the logits are the original's.
        model = _in_float32(model, [True] * len(model.layers))
        own = model.pre_activations(self._x_rounding.astype(np.float64))
        return PrunedNet(model, report, tuple(np.asarray(z, np.float64) for z in (*own[:-1], self._z[-1])))

    def build(self, thresholds: Thresholds) -> IntegerMLP:
        """Prune, refit and quantize as `quantize_rectified` does, from memory where it can."""
        return self.build_with_report(thresholds).network

    def build_with_report(self, thresholds: Thresholds) -> Quantized:
        """Build, and say what each layer's rounding cost."""
        pruned = self.prune(thresholds.rates)

        def recall(problem: LayerProblem, bits: Bits) -> LayerCodes:
            i, kept = problem.index, pruned.kept[problem.index]
            rates = thresholds.rates[:i] if self._compensation == "layerwise" else thresholds.rates
            key = (i, thresholds.bits[: i + 1], thresholds.activation_bits[:i], rates)
            store = self._recall(key, problem, kept)
            w = QuantParams(store.s[kept], 0, *code_interval(bits, store.upper[kept]))
            report = LayerReport(bits, *store.costs[:, kept])
            return LayerCodes(np.ascontiguousarray(store.q[:, kept]), w, store.bias[kept], report)

        return quantize_by_layers(
            pruned.model,
            self._x_rounding,
            thresholds.bits,
            thresholds.activation_bits,
            recall,
            targets=pruned.targets,
            output=self._reference.output,
            inputs=self._inputs,
        )

    def choose_method(self, thresholds: Thresholds) -> MethodChoice:
        """Let rows held out of calibration choose (E31): several times what a candidate takes."""
        pruned, output = self.prune(thresholds.rates), self._reference.output
        widths = thresholds.bits, thresholds.activation_bits
        rows = self._x_rounding
        return choose_method(pruned.model, rows, *widths, targets=pruned.targets, inputs=self._inputs, output=output)

    def build_by(self, thresholds: Thresholds, method: str) -> Quantized:
        """Build by a method that `choose_method` may have taken."""
        pruned, output = self.prune(thresholds.rates), self._reference.output
        return quantize_by_layers(
            pruned.model,
            self._x_rounding,
            thresholds.bits,
            thresholds.activation_bits,
            candidates(output)[method],
            targets=pruned.targets,
            inputs=self._inputs,
            output=output,
        )

    def measure(self, thresholds: Thresholds) -> Measured:
        """Build a candidate and compare it with the float network on the validation rows."""
        return self.measure_network(self.build(thresholds))

    def measure_network(self, model: IntegerMLP) -> Measured:
        """Compare a network with the float one on the validation rows, and take its size."""
        size = stored_bytes(model, "dense", self._facts)
        if self.encoding == "auto":
            size -= sum(self._saved(layer) for layer in model.layers)
        before, after = self._reference.answers, self._reference.evaluate(model)
        return measurement(compare(before, after), answers_sqnr(before, after), size, model.macs)

    def _saved(self, layer: IntegerLayer) -> int:
        """Return the bytes by which the shortest encoding of a layer's weights is shorter than the dense one."""
        content = layer.w_q.tobytes() + np.asarray(layer.w_q.shape).tobytes()
        if content not in self._shorter:
            dense, short = (len(encode_weights(layer.w_q, encoding=name)[1]) for name in ("dense", "auto"))
            self._shorter[content] = dense + len(varint(dense)) - short - len(varint(short))
        return self._shorter[content]

    def _recall(self, key: Key, problem: LayerProblem, kept: Indices) -> _Rounded:
        """Return a layer's rounding, after rounding the neurons that no candidate has asked for yet (G9)."""
        k, n = problem.w.shape[0], self._floating.neurons[problem.index]
        if key not in self._rounded:
            codes, costs = (np.zeros((k, n), np.int8), np.zeros(n, np.float32), np.zeros(n)), np.zeros((5, n))
            self._rounded[key] = _Rounded(*codes, np.zeros(n, bool), costs, np.zeros(n, bool))
        store = self._rounded[key]
        new = ~store.known[kept]
        if new.any():
            part, at, bits = replace(problem, z=problem.z[:, new], w=problem.w[:, new]), kept[new], key[1][-1]
            layer = rectify(part, bits, error_weights(part, bits, self._reference.output))
            store.q[:, at], store.s[at], store.bias[at], store.upper[at] = layer.q, layer.s, layer.bias, layer.upper
            store.costs[:, at] = layer.phi, layer.phi_rtn, layer.bound, layer.phi_real, layer.carried
            store.known[at] = True
        return store


def _in_float32(model: FloatMLP, refitted: Sequence[bool]) -> FloatMLP:
    """Round refitted weights to float32: a solver's last bits, which BLAS threads change, then decide no code."""
    layers = []
    for layer, moved in zip(model.layers, refitted, strict=True):
        w, b = (np.asarray(values, np.float32).astype(np.float64) for values in (layer.w, layer.b))
        layers.append(DenseLayer(w, b, layer.activation) if moved else layer)
    return FloatMLP(tuple(layers))
