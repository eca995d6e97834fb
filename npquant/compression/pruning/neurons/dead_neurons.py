"""Dead neurons of a sparse network leave the arrays, and the function stays.

Legend: w (K, N) weights of a layer. Label F21 is derived in docs/finetuning.md.
"""

from __future__ import annotations

import numpy as np

from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.subnetwork import Subnetwork, find_active_subnetwork, fold_constants


def drop_dead_neurons(model: FloatMLP) -> FloatMLP:
    """F21. Drop hidden neurons that lie on no path of nonzero weights; every hidden layer keeps at least one neuron.

    A neuron without outputs adds nothing; one without inputs adds a constant, which joins the next biases (F15). Inputs
    and outputs stay. Exact but for the rounding of those biases; nothing rounds where there is no such constant.
    `model` is not changed; TypeError if it is not a FloatMLP.

    >>> hidden = DenseLayer(np.array([[1.0, 0.0, 2.0]]), np.array([0.0, 3.0, 0.0]), "relu")
    >>> last = DenseLayer(np.array([[1.0], [5.0], [0.0]]), np.zeros(1), "identity")
    >>> small = drop_dead_neurons(FloatMLP((hidden, last)))
    >>> small.neurons, small.layers[1].b
    ((1, 1), array([15.]))
    """
    if not isinstance(model, FloatMLP):
        raise TypeError(f"the model is a {type(model).__name__}; dead neurons are dropped from a FloatMLP")
    masks = [layer.w != 0 for layer in model.layers]
    active = Subnetwork(np.arange(model.n_inputs), find_active_subnetwork(masks).neurons)
    if active.shapes == tuple(layer.w.shape for layer in model.layers):
        return model
    folded = fold_constants(model.parameters, masks, model.activation_names)
    pairs = zip(active.take(folded), model.activation_names, strict=True)
    return FloatMLP(tuple(DenseLayer(w, b, name) for (w, b), name in pairs))
