"""Which neurons went and why, and what those of the first layer look at.

Legend: report what pruning removed; floating the float network before it; shape of the pictures that rows are, or None.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from npquant.compression.pruning.neurons.report import CAUSES, LayerPruning, PruningReport
from npquant.nn.model import FloatMLP
from npquant.workflow.pictures.pixels import pooled, signed_levels

SHOWN: Final = 256  # neurons of a layer that are listed one by one
MAPS: Final = 128
_SIDE: Final = 16  # pixels of a map at most


def neuron_pictures(report: PruningReport) -> list[dict[str, Any] | None]:
    """List the neurons that stay and those that go, by hidden layer; null where there are more than 256.

    >>> neuron_pictures(PruningReport((0.5,), (LayerPruning([0], [], [], [2], [1, 3]),)))
    [{'kept': [1, 3], 'gone': [{'neuron': 0, 'cause': 'zero'}, {'neuron': 2, 'cause': 'unimportant'}]}]
    """
    return [_listed(layer) if sum(layer.counts.values()) <= SHOWN else None for layer in report.layers]


def _listed(layer: LayerPruning) -> dict[str, Any]:
    gone = [{"neuron": n, "cause": cause} for cause in CAUSES for n in getattr(layer, cause).tolist()]
    return {"kept": layer.kept.tolist(), "gone": gone}


def weight_maps(floating: FloatMLP, shape: tuple[int, int] | None) -> dict[str, Any] | None:
    """Draw the weights of each first-layer neuron over the pixels it sees; None without pictures, or of many neurons.

    >>> from npquant.nn.model import DenseLayer
    >>> net = FloatMLP((DenseLayer(np.array([[1.0], [0.0], [-1.0], [0.5]]), np.zeros(1), "identity"),))
    >>> weight_maps(net, (2, 2))
    {'height': 2, 'width': 2, 'largest': 1.0, 'neurons': ['8406']}
    """
    w = np.asarray(floating.layers[0].w, np.float64)
    if shape is None or w.shape[1] > MAPS:
        return None
    small, (height, width) = pooled(w, shape, _SIDE)
    # A few large weights would leave all others pale.
    largest = float(np.quantile(np.abs(small), 0.99)) or float(np.abs(small).max()) or 1.0
    maps = [signed_levels(column, largest) for column in small.T]
    return {"height": height, "width": width, "largest": largest, "neurons": maps}
