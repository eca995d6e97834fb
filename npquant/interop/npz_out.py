"""Out to plain arrays: an npz that anybody opens with NumPy, and that npquant reads back."""

from __future__ import annotations

import os

from npquant.files.facts import Facts
from npquant.files.plain_arrays import encode_plain_arrays
from npquant.files.storage import write_atomically
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP


def to_npz(
    model: FloatMLP | IntegerMLP | DynamicMLP, path: str | os.PathLike[str], *, facts: Facts | None = None
) -> None:
    """Write a network as named arrays that `numpy.load` opens.

    Parameters
    ----------
    model : FloatMLP, IntegerMLP or DynamicMLP
        The network, of any kind.
    path : path
        The file; replaced whole if it exists.
    facts : Facts, optional
        What is known of the data, for the manifest.

    Raises
    ------
    TypeError
        If `model` is no such network.
    ValueError
        If its profile is none of `npquant.profiles`, or `path` is no regular file; or facts do not fit.
    OSError
        If the file cannot be written; names `path`.

    Notes
    -----
    L1 to L6: weights ``w0``, ``w1``, ... of shape (K, N), biases ``b0``, ...; of an integer network each quantization
    as ``w_scale0``, ``w_zero_point0``, ``w_range0``, of ``x`` (layer 0's inputs), ``y`` and, before a table, ``pre``;
    ``input_scale`` and its like are those of the real inputs. Profile and activations stand in ``manifest.json``, with
    a SHA-256 for each array. Nothing is rounded: `npquant.load` gives the same network, bit for bit. Equal networks
    give equal bytes. ``npquant.save`` is the smaller form of an integer network: it codes the weights.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_npz(IntegerMLP((layer,), p), Path(folder) / "net.npz")
    ...     with np.load(Path(folder) / "net.npz") as arrays:
    ...         arrays["w0"].ravel(), arrays["y_scale0"]
    (array([10, 20], dtype=int8), array(0.5, dtype=float32))
    """
    write_atomically(path, encode_plain_arrays(model, facts))
