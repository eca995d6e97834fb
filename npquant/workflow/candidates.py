"""One candidate of step 3: pruned and refitted, quantized as a whole chain, encoded, measured on validation rows.

The order is prune, refit, quantize what is left; the targets Z always come from the original float network.

G9 (memory)       layer i of a candidate depends on bits[:i + 1], activation_bits[:i], rates[:i] and on the neurons kept
                  in it, each by itself: what one candidate's layer was rounded to serves every other with the same
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.compression.activation_weights import activation_weights
from npquant.compression.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.pruning import LayerPruning, PruningReport, prune_neurons_with_report
from npquant.compression.rectified import LayerReport, quantize_rectified_with_report
from npquant.compression.rectified_layer import rectify_layer
from npquant.compression.requirements import Measurement
from npquant.compression.search_space import Thresholds
from npquant.compression.uniform import Bits, weight_grid
from npquant.integer_mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.storage import encode_model
from npquant.workflow.evaluate import Evaluation, compare, evaluate
from npquant.workflow.statistics import sqnr_db

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
    flipped: NDArray[np.bool_]
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
    """

    def __init__(
        self,
        floating: FloatMLP,
        x_calibration: NDArray[Any],
        x: NDArray[Any],
        y: NDArray[np.int64],
        rows: int | None = None,
    ) -> None:
        self._floating, self._x_calibration, self._x = floating, x_calibration, x
        self._x_rounding = x_calibration[:rows]
        self._z = floating.pre_activations(self._x_rounding.astype(np.float64))
        self._pruned: dict[tuple[float, ...], PrunedNet] = {}
        self._rounded: dict[Key, _Rounded] = {}
        self.reference: Evaluation = evaluate(floating, x, y)
        self._y = y

    def prune(self, rates: tuple[float, ...]) -> PrunedNet:
        """Prune and refit the original network, one rate a hidden layer."""
        if rates not in self._pruned:
            model, report = self._floating, PruningReport(rates, ())
            if rates:
                model, report = prune_neurons_with_report(self._floating, self._x_calibration, rates)
            kept = (*report.kept, np.arange(model.neurons[-1]))
            targets = tuple(np.asarray(z[:, at], np.float64) for z, at in zip(self._z, kept, strict=True))
            self._pruned[rates] = PrunedNet(_refits_in_float32(model, report.layers), report, targets)
        return self._pruned[rates]

    def build(self, thresholds: Thresholds) -> IntegerMLP:
        """Prune, refit and quantize as `quantize_rectified` does, from memory where it can."""
        pruned = self.prune(thresholds.rates)

        def rectify(problem: LayerProblem) -> LayerCodes:
            i, kept = problem.index, pruned.kept[problem.index]
            key = (i, thresholds.bits[: i + 1], thresholds.activation_bits[:i], thresholds.rates[:i])
            store = self._recall(key, problem, kept)
            w = QuantParams(store.s[kept], 0, *_interval(thresholds.bits[i], store.flipped[kept]))
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
        return quantize_rectified_with_report(
            pruned.model, self._x_rounding, thresholds.bits, thresholds.activation_bits, targets=pruned.targets
        )

    def measure(self, thresholds: Thresholds) -> Measurement:
        """Build a candidate and compare it with the float network on the validation rows."""
        return self.measure_network(self.build(thresholds))

    def measure_network(self, model: IntegerMLP) -> Measurement:
        """Compare an integer network with the float network on the validation rows."""
        answers = evaluate(model, self._x, self._y)
        found = compare(self.reference, answers)
        sqnr = sqnr_db(self.reference.logits, answers.logits)
        size = len(encode_model(model))
        return Measurement(found.paired.b, found.paired.c, found.rows, found.kl, size, model.macs, sqnr)

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
            store.q[:, at], store.s[at], store.bias[at], store.flipped[at] = layer.q, layer.s, layer.bias, layer.flipped
            store.known[at] = True
        return store


def _interval(bits: Bits, flipped: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the narrowest code interval for all neurons: both ends of 2-bit codes where some are flipped, some not."""
    qmin, qmax = weight_grid(bits)
    if not flipped.any():
        return qmin, qmax
    return (-qmax, -qmin) if flipped.all() else (qmin, -qmin)


def _refits_in_float32(model: FloatMLP, removed: tuple[LayerPruning, ...]) -> FloatMLP:
    """Round refitted weights to float32: a solver's last bits, which BLAS threads change, then decide no code."""
    layers = [model.layers[0]]
    for layer, before in zip(model.layers[1:], removed, strict=True):
        if before.removed:
            w, b = (np.asarray(values, np.float32).astype(np.float64) for values in (layer.w, layer.b))
            layer = DenseLayer(w, b, layer.activation)
        layers.append(layer)
    return FloatMLP(tuple(layers))
