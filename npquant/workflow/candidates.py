"""One candidate of step 3: pruned and refitted, quantized as a whole chain, encoded, measured on validation rows.

The order is prune, refit, quantize what is left; the targets Z always come from the original float network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.compression.budget import Thresholds
from npquant.compression.metrics import kl_divergence
from npquant.compression.pruning import PruningReport, prune_neurons_with_report
from npquant.compression.rectified import quantize_rectified
from npquant.compression.requirements import Measurement
from npquant.integer_mlp import IntegerMLP
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.storage import encode_model
from npquant.workflow.evaluate import Evaluation, compare, evaluate

# Two bits are searched only where 4 bits everywhere stay this close to the float network: above it, two bits
# were found to cost more than a point.
KL_FOR_TWO_BITS = 0.002


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
        """Describe what was removed, by hidden layer."""
        # The recipe knows three kinds. A constant neuron is a zero one whose output the next bias takes over.
        removed = [
            {
                "zero": len(layer.zero) + len(layer.constant),
                "redundant": len(layer.redundant),
                "unimportant": len(layer.unimportant),
            }
            for layer in self.report.layers
        ]
        return {"rates": self.report.rates, "removed": removed, "nothing_pruned": self.report.nothing_pruned}


class CandidateBuilder:
    """Build and measure candidates; a pruned network is made once for each tuple of rates.

    Parameters
    ----------
    floating : FloatMLP
        The original network, float64.
    x_calibration : ndarray of numbers, shape (R, K)
        Training rows.
    x, y : ndarrays
        Validation rows and their classes.
    """

    def __init__(self, floating: FloatMLP, x_calibration: NDArray[Any], x: NDArray[Any], y: NDArray[np.int64]) -> None:
        self._floating, self._x_calibration, self._x, self._y = floating, x_calibration, x, y
        self._pruned: dict[tuple[float, ...], PrunedNet] = {}
        self._z = floating.pre_activations(x_calibration.astype(np.float64))
        self.neurons = floating.neurons
        self.reference: Evaluation = evaluate(floating, x, y)

    def prune(self, rates: tuple[float, ...]) -> PrunedNet:
        """Prune and refit the original network, one rate a hidden layer."""
        if rates not in self._pruned:
            model, report = prune_neurons_with_report(self._floating, self._x_calibration, rates)
            kept = (*report.kept, np.arange(model.neurons[-1]))
            targets = tuple(np.asarray(z[:, at], np.float64) for z, at in zip(self._z, kept, strict=True))
            self._pruned[rates] = PrunedNet(model if report.nothing_pruned else _to_float32(model), report, targets)
        return self._pruned[rates]

    def build(self, thresholds: Thresholds) -> IntegerMLP:
        """Prune, refit and quantize with the given thresholds."""
        pruned = self.prune(thresholds.rates)
        return quantize_rectified(pruned.model, self._x_calibration, thresholds.bits, targets=pruned.targets)

    def measure(self, thresholds: Thresholds) -> Measurement:
        """Build a candidate and compare it with the float network on the validation rows."""
        model = self.build(thresholds)
        found = compare(self.reference, evaluate(model, self._x, self._y))
        n_bytes = len(encode_model(model))
        return Measurement(found.paired.b, found.paired.c, found.rows, found.kl, n_bytes, model.macs)

    def kl_at_4_bits(self) -> float:
        """Return the KL of the network with 4 bits everywhere and nothing pruned, on the validation rows."""
        layers = len(self._floating.layers)
        model = self.build(Thresholds((4,) * layers, (0.0,) * (layers - 1)))
        return kl_divergence(self.reference.logits, model.logits(self._x))


def _to_float32(model: FloatMLP) -> FloatMLP:
    """Round weights to float32 values, so that a solver's last bits, which BLAS threads change, decide no code."""
    layers = []
    for layer in model.layers:
        w, b = (np.asarray(values, np.float32).astype(np.float64) for values in (layer.w, layer.b))
        layers.append(DenseLayer(w, b, layer.activation))
    return FloatMLP(tuple(layers))
