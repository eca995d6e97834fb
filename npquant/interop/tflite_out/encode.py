"""A network as the bytes of a TFLite file, and on the disk."""

from __future__ import annotations

import os

from npquant.files.storage import write_atomically
from npquant.integer.mlp import IntegerMLP
from npquant.interop.steps import HEADS
from npquant.interop.tflite_out.floats import add_floats
from npquant.interop.tflite_out.integers import add_integers, metadata
from npquant.interop.tflite_out.parts import Parts
from npquant.nn.model import FloatMLP


def to_tflite(
    model: IntegerMLP | FloatMLP,
    path: str | os.PathLike[str],
    *,
    head: str = "none",
    per_channel: bool | None = None,
) -> None:
    """Write a network as a TFLite file.

    Parameters
    ----------
    model : IntegerMLP or FloatMLP
        An integer network of int8, uint8 or int16 codes ("16x8"); a float one is written in float32.
    path : path
        The file; replaced whole if it exists.
    head : {"none", "softmax", "logsoftmax", "logistic"}
        What to write behind the logits; on codes softmax and logistic, to codes of scale 1/256.
    per_channel : bool, optional
        None: weights have as many scales as the network gives them. False: refuse a scale a channel, which older
        TFLite-Micro misreads. True: repeat a layer's one scale for each channel; TFLite multiplies scales by another
        rule then, and outputs may differ by one.

    Raises
    ------
    TypeError
        If the network is of another kind.
    ValueError
        If TFLite cannot hold it exactly; names the layer and what would be held.
    OSError
        If the file cannot be written.

    Notes
    -----
    Codes in, codes out: the file's input and output hold the network's own codes. What it will answer is known before
    it runs: ``from_tflite(path, profile=...)`` under the profile of the resolver computes its bytes. Weights of 4 bits
    and fewer are stored two a byte, as INT4, where they have one scale, an even number of inputs and int8 codes, as
    every consumer takes them; all others take a byte. Equal networks give equal bytes.
    Clamps are fused where TFLite's leave open the same codes (identity, relu; a clipped ReLU whose 1 is the type's last
    code; relu6 and relu_n1_to_1, whose bounds each engine rounds itself); sigmoid and tanh are LOGISTIC and TANH at
    TFLite's own output scales, 1/256 and 1/128, computed by each engine's own table. All else is refused. The intervals
    of weights and what the codes of inputs mean where layer 0 hides it (one scale a feature, an offset) stand in
    metadata named "npquant".

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from npquant import QuantParams
    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.interop import from_tflite
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> model = IntegerMLP((IntegerLayer(np.array([[10]], np.int8), np.array([7], np.int32), p, p, p, "relu"),), p)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_tflite(model, f"{folder}/model.tflite")
    ...     from_tflite(f"{folder}/model.tflite", profile="npquant").model == model
    True
    """
    write_atomically(path, encode_tflite(model, head=head, per_channel=per_channel))


def encode_tflite(model: IntegerMLP | FloatMLP, *, head: str = "none", per_channel: bool | None = None) -> bytes:
    """The bytes that `to_tflite` writes of a model with a head behind it; per_channel and errors as there."""
    if head not in HEADS:
        raise ValueError(f"unknown head {head!r}; known: {', '.join(HEADS)}")
    parts = Parts()
    if isinstance(model, FloatMLP):
        return parts.file(add_floats(parts, model, head), b"")
    if not isinstance(model, IntegerMLP):
        raise TypeError(
            f"a {type(model).__name__} is not written as TFLite: an IntegerMLP or a FloatMLP is; TFLite's layers of "
            "integer weights and float activations have two rules"
        )
    return parts.file(add_integers(parts, model, head, per_channel), metadata(model))
