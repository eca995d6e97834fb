"""One candidate of step 3: pruned and refitted, quantized as a whole chain, encoded, measured on validation rows.

The order is prune, refit, quantize what is left; the targets Z of the logits always come from the original float
network, those of hidden layers too unless pruning moved all layers together.

G9 (memory)       layer i of a candidate depends on the rates, on bits[:i + 1] and activation_bits[:i]: what it was
                  rounded to serves every other candidate with the same. Where pruning goes layer by layer, it depends
                  on rates[:i] and on the neurons that rates[i] keeps, each by itself
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.budget.requirements import Measurement
from npquant.budget.space import Thresholds
from npquant.codec.byte_fields import varint
from npquant.codec.weight_stream import encode_weights
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.weight_codes import Bits, code_interval
from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.pruning.neurons.report import PruningReport
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer import rectify_layer
from npquant.files.storage import encode_model
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.measure.evaluate import Evaluation, compare, evaluate
from npquant.measure.statistics import sqnr_db
from npquant.nn.model import DenseLayer, FloatMLP

Key = tuple[int, tuple[Bits, ...], tuple[int, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class PrunedNet:
    """A pruned float network, what was removed, and the original's pre-activations at the neurons that are left."""

    model: FloatMLP
    report: PruningReport
    targets: tuple[NDArray[np.float64], ...]

    @property
    def kept(self) -> tuple[NDArray[np.int64], ...]:
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

    q: NDArray[np.int8]
    s: NDArray[np.float32]
    bias: NDArray[np.float64]
    upper: NDArray[np.bool_]
    known: NDArray[np.bool_]


class CandidateBuilder:
    """Build and measure candidates, and remember what they share.

    Parameters
    ----------
    floating : FloatMLP
        The original network, float64.
    x_calibration : ndarray of numbers, shape (R, K)
        Training rows: pruning sees them all.
    x, y : ndarrays
        Validation rows and their classes.
    rows : int or None
        How many of the first training rows quantization sees; None: all.
    compensation : {"refit", "layerwise"}
        As in `prune_neurons`. With "layerwise" files are measured in the dense encoding, which takes less time too.
    """

    def __init__(
        self,
        floating: FloatMLP,
        x_calibration: NDArray[Any],
        x: NDArray[Any],
        y: NDArray[np.int64],
        rows: int | None = None,
        compensation: str = "refit",
    ) -> None:
        self._floating, self._x_calibration, self._x = floating, x_calibration, x
        self._x_rounding = x_calibration[:rows]
        self._z = floating.pre_activations(self._x_rounding.astype(np.float64))
        self._pruned: dict[tuple[float, ...], PrunedNet] = {}
        self._rounded: dict[Key, _Rounded] = {}
        self._shorter: dict[bytes, int] = {}
        self._compensation = compensation
        self.encoding = "dense" if compensation == "layerwise" else "auto"
        self._nets: dict[tuple[float, ...], tuple[FloatMLP, PruningReport]] = {}
        self.reference: Evaluation = evaluate(floating, x, y)
        self._y = y

    def on_all_rows(self) -> CandidateBuilder:
        """Return a builder whose quantization sees all training rows; what was pruned serves both."""
        builder = CandidateBuilder(self._floating, self._x_calibration, self._x, self._y, None, self._compensation)
        builder._nets, builder._shorter = self._nets, self._shorter
        return builder

    def prune(self, rates: tuple[float, ...]) -> PrunedNet:
        """Prune and refit the original network, one rate a hidden layer."""
        if rates and rates not in self._nets:
            self._nets[rates] = prune_neurons_with_report(
                self._floating, self._x_calibration, rates, compensation=self._compensation
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
        pruned = self.prune(thresholds.rates)

        def rectify(problem: LayerProblem) -> LayerCodes:
            i, kept = problem.index, pruned.kept[problem.index]
            rates = thresholds.rates[:i] if self._compensation == "layerwise" else thresholds.rates
            key = (i, thresholds.bits[: i + 1], thresholds.activation_bits[:i], rates)
            store = self._recall(key, problem, kept)
            w = QuantParams(store.s[kept], 0, *code_interval(thresholds.bits[i], store.upper[kept]))
            return LayerCodes(np.ascontiguousarray(store.q[:, kept]), w, store.bias[kept])

        return quantize_chain(
            pruned.model,
            self._x_rounding,
            rectify,
            activation_bits=thresholds.activation_bits,
            targets=pruned.targets,
        )

    def build_with_report(self, thresholds: Thresholds) -> tuple[IntegerMLP, tuple[LayerReport, ...]]:
        """Build from nothing, and say what each layer's rounding cost."""
        pruned = self.prune(thresholds.rates)
        return quantize_model(
            pruned.model, self._x_rounding, thresholds.bits, thresholds.activation_bits, targets=pruned.targets
        )

    def measure(self, thresholds: Thresholds) -> Measurement:
        """Build a candidate and compare it with the float network on the validation rows."""
        model = self.build(thresholds)
        size = len(encode_model(model, "dense"))
        if self.encoding == "auto":
            size -= sum(self._saved(layer) for layer in model.layers)
        return self._compare(model, size)

    def measure_network(self, model: IntegerMLP) -> Measurement:
        """Compare an integer network with the float network on the validation rows; its size is that of its file."""
        return self._compare(model, len(encode_model(model, self.encoding)))

    def _compare(self, model: IntegerMLP, size: int) -> Measurement:
        answers = evaluate(model, self._x, self._y)
        found = compare(self.reference, answers)
        sqnr = sqnr_db(self.reference.logits, answers.logits)
        return Measurement(found.paired.b, found.paired.c, found.rows, found.kl, size, model.macs, sqnr)

    def _saved(self, layer: IntegerLayer) -> int:
        """Return the bytes by which the shortest encoding of a layer's weights is shorter than the dense one."""
        content = layer.w_q.tobytes() + np.asarray(layer.w_q.shape).tobytes()
        if content not in self._shorter:
            dense, short = (len(encode_weights(layer.w_q, encoding=name)[1]) for name in ("dense", "auto"))
            self._shorter[content] = dense + len(varint(dense)) - short - len(varint(short))
        return self._shorter[content]

    def _recall(self, key: Key, problem: LayerProblem, kept: NDArray[np.int64]) -> _Rounded:
        """Return a layer's rounding, after rounding the neurons that no candidate has asked for yet (G9)."""
        k, n = problem.w.shape[0], self._floating.neurons[problem.index]
        if key not in self._rounded:
            empty = np.zeros((k, n), np.int8), np.zeros(n, np.float32), np.zeros(n), np.zeros(n, bool)
            self._rounded[key] = _Rounded(*empty, np.zeros(n, bool))
        store = self._rounded[key]
        new = ~store.known[kept]
        if new.any():
            z, at = problem.z[:, new], kept[new]
            d2 = activation_weights("softmax" if problem.last else problem.activation, z)
            layer = rectify_layer(problem.x, z, problem.w[:, new], d2, key[1][-1])
            store.q[:, at], store.s[at], store.bias[at], store.upper[at] = layer.q, layer.s, layer.bias, layer.upper
            store.known[at] = True
        return store


def _in_float32(model: FloatMLP, refitted: Sequence[bool]) -> FloatMLP:
    """Round refitted weights to float32: a solver's last bits, which BLAS threads change, then decide no code."""
    layers = []
    for layer, moved in zip(model.layers, refitted, strict=True):
        w, b = (np.asarray(values, np.float32).astype(np.float64) for values in (layer.w, layer.b))
        layers.append(DenseLayer(w, b, layer.activation) if moved else layer)
    return FloatMLP(tuple(layers))
