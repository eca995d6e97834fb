"""What an importer returns: the network, what was split off behind its logits, and what was folded, left or inferred.

Legend: x inputs as the file's own runtime takes them: real values, or codes where the file's input holds codes; head
one of `npquant.interop.steps.HEADS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes
from npquant.files.facts import Facts
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.encode import decode_outputs
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.nn.activations import sigmoid_forward
from npquant.nn.losses import softmax as nn_softmax
from npquant.nn.model import FloatMLP
from npquant.profiles.codes_to_codes import activation, requantize_codes, softmax
from npquant.profiles.operators import dequantize, quantize
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """Hold a network that was read from somebody else's format, and what its file says around it.

    Parameters
    ----------
    model : FloatMLP, IntegerMLP or DynamicMLP
        The network; its outputs are the logits, before the head.
    head : {"none", "softmax", "logsoftmax", "logistic"}
        What was split off behind the logits; "logistic" is an elementwise sigmoid.
    notes : tuple of str
        What was folded, ignored or inferred, a sentence each.
    format : str
        "onnx", "tflite", "keras", "hdf5", "safetensors", "npquant", "scikit-learn" or "torch".
    inputs, outputs : QuantParams, optional
        What the codes of the file's own input and output (behind the head) mean, where these are codes; None for real
        values.
    behind : QuantParams, optional
        What the head writes, where it writes codes of other meaning than `outputs`, or `outputs` is None.
    pair : bool
        True where the file gives [1 - p, p] for the one probability p of a logistic head.
    rows : int, optional
        How many rows the runtime takes at a time, where its answer depends on it: kernels that round whole vectors by
        one rule and their tail by another. None where it does not.
    facts : Facts, optional
        What the file knows of the data: names of features and classes, the data's hash. None where it says nothing.
    """

    model: FloatMLP | IntegerMLP | DynamicMLP
    head: str
    notes: tuple[str, ...]
    format: str
    inputs: QuantParams | None = None
    outputs: QuantParams | None = None
    behind: QuantParams | None = None
    pair: bool = False
    rows: int | None = None
    facts: Facts | None = None

    def run(self, x: ArrayLike) -> NDArray[Any]:
        """Compute what the file's own runtime would answer: its inputs in, its outputs out, the head included.

        Parameters
        ----------
        x : array, shape (B, K)
            Real values; codes of `inputs` where the file takes codes.

        Returns
        -------
        ndarray, shape (B, C)
            Real values; codes of `outputs` where the file gives codes. An integer network answers under its profile:
            by the profile's own softmax or sigmoid where it has one, else by float32 between its dequantize and
            quantize.

        Raises
        ------
        TypeError, ValueError
            As the network's own methods.

        Examples
        --------
        >>> from npquant.nn.model import DenseLayer
        >>> net = FloatMLP([DenseLayer(np.eye(2), np.zeros(2), "identity")])
        >>> Imported(net, "softmax", (), "onnx").run([[0.0, 0.0]])
        array([[0.5, 0.5]])
        """
        if not isinstance(self.model, IntegerMLP):
            y = apply_head(self.model.logits(x), self.head)
            return np.concatenate([1 - y, y], axis=1) if self.pair else y
        rows, x_all = self.rows, np.asarray(x)
        if rows is None or len(x_all) == 0:
            return _run_integer(self, self.model, x_all)
        # The last inference is filled up with rows of zeros, as whoever calls the runtime must.
        filled = np.concatenate([x_all, np.zeros((-len(x_all) % rows, *x_all.shape[1:]), x_all.dtype)])
        parts = [_run_integer(self, self.model, filled[i : i + rows]) for i in range(0, len(filled), rows)]
        return np.concatenate(parts)[: len(x_all)]


def _run_integer(imported: Imported, model: IntegerMLP, x: NDArray[Any]) -> NDArray[Any]:
    profile, inputs, outputs = model.profile, imported.inputs, imported.outputs
    if inputs is None:
        codes = model.encode(x)
    elif inputs == model.input_params:
        codes = x
    else:
        codes = _other_codes(x, inputs, model.input_params, profile)
    y_q, y = model.run(codes), model.output_params
    if y is None:
        real = apply_head(model.decode(y_q), imported.head)
        return real if outputs is None else quantize(real, outputs, profile)
    written = outputs if imported.behind is None else imported.behind
    if imported.head != "none":
        if written is None:
            return apply_head(_decoded(model, y_q, y), imported.head)
        y_q, y = _head_codes(imported.head, y_q, y, written, profile), written
    if outputs is None:
        return dequantize(y_q, y, profile) if y is written else _decoded(model, y_q, y)
    return y_q if outputs == y else _other_codes(y_q, y, outputs, profile)


def _decoded(model: IntegerMLP, y_q: Codes, y: QuantParams) -> NDArray[Any]:
    """Real outputs as the engine dequantizes them, behind the network's own ends."""
    return decode_outputs(dequantize(y_q, y, model.profile), model.output_factor, model.output_offset)


def _other_codes(q: Codes, x: QuantParams, y: QuantParams, profile: Profile) -> Codes:
    """Codes of x as codes of y: by the engine's own operator, or by its dequantize and quantize where it has none."""
    if profile.requantize_codes is None:
        return quantize(dequantize(q, x, profile), y, profile)
    return requantize_codes(q, x=x, y=y, profile=profile)


def _head_codes(head: str, y_q: Codes, y: QuantParams, written: QuantParams, profile: Profile) -> Codes:
    """The codes that a head writes: by the engine's own operator on codes, or by float32 between its conversions."""
    if head == "softmax" and profile.softmax_codes is not None:
        return softmax(y_q, x=y, y=written, profile=profile)
    if head == "logistic" and profile.activation_codes is not None:
        return activation("sigmoid", y_q, x=y, y=written, profile=profile)
    return quantize(apply_head(dequantize(y_q, y, profile), head).astype(np.float32), written, profile)


def apply_head(logits: NDArray[Any], head: str) -> NDArray[Any]:
    """Return what a head ("none", "softmax", "logsoftmax", "logistic") makes of logits (B, C), in their own dtype.

    >>> apply_head(np.array([[0.0, 0.0]]), "softmax")
    array([[0.5, 0.5]])
    """
    if head == "none":
        return logits
    if head == "logistic":
        return sigmoid_forward(logits)
    if head == "softmax":
        return nn_softmax(logits)
    # `nn.losses.log_softmax` answers in float64 whatever it is given; a runtime answers in the logits' own dtype.
    with np.errstate(under="ignore"):
        shifted = logits - logits.max(axis=1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
