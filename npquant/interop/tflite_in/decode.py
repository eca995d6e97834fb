"""A TFLite file, or its bytes, as a network: a FloatMLP from float layers, an IntegerMLP from layers of codes.

Legend: data the file's bytes, name what errors call it; profile the arithmetic of an integer file, by name or record;
chain its operators in order.
"""

from __future__ import annotations

import os
from typing import Final

import numpy as np

from npquant.files.archive import read_bounded
from npquant.files.format_error import FormatError
from npquant.files.reading import MAX_BYTES
from npquant.interop.imported import Imported
from npquant.interop.steps import fold
from npquant.interop.tflite_in.chain import Chain, read_chain
from npquant.interop.tflite_in.float_steps import float_steps
from npquant.interop.tflite_in.graph import open_graph
from npquant.interop.tflite_in.integer_layers import is_integer, read_integers
from npquant.interop.tflite_in.own_metadata import network
from npquant.profiles import get
from npquant.profiles.record import Profile

DEFAULT_PROFILE: Final = "litert_ref_2025"
# Profiles whose QUANTIZE, DEQUANTIZE or requantization of codes rounds the tail of a tensor by another rule.
_TAILS: Final = ("ruy_x86", "tflite_opt_2_14", "xnnpack_fp32", "xnnpack_fp32_avx512")


def from_tflite(source: str | os.PathLike[str] | bytes, *, profile: str | Profile | None = None) -> Imported:
    """Read a network from a TFLite file.

    Parameters
    ----------
    source : path or bytes
        The file, or what it holds.
    profile : str or Profile, optional
        The arithmetic of an integer file: "litert_ref_2025" (LiteRT's reference kernels) by default; LiteRT's default
        resolver is "xnnpack_fp32_avx512" or "xnnpack_fp32", the one without delegates "ruy_x86", TFLite-Micro "tflm".
        A float file has none to choose.

    Returns
    -------
    Imported
        A FloatMLP or an IntegerMLP, its head, what the codes of the file's input and output mean, and notes.

    Raises
    ------
    OSError
        If the file cannot be opened.
    FormatError
        If it is damaged, or holds what is not read; names the file and the operator or tensor.
    ValueError
        If there is no such profile.

    Notes
    -----
    Read are chains of FULLY_CONNECTED, in float (float16 and integer weights through DEQUANTIZE included), in int8,
    uint8 or 16x8, with what converters put around them: a flatten in any disguise, SUB, MUL, ADD and DIV by constants,
    activations fused or alone, QUANTIZE and DEQUANTIZE at the doors, a head. Weights are trusted, declared shapes of
    activations are not. Hybrid layers are refused: LiteRT has two rules for them. No package is needed.

    Examples
    --------
    >>> import numpy as np
    >>> from npquant import QuantParams
    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.integer.mlp import IntegerMLP
    >>> from npquant.interop.tflite_out import encode_tflite
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> found = from_tflite(encode_tflite(IntegerMLP((layer,), p)))
    >>> found.model.profile.name, found.head, found.run(np.array([[4, 4]], np.int8))
    ('litert_ref_2025', 'none', array([[64]], dtype=int8))
    """
    if isinstance(source, bytes):
        return decode_tflite(source, "TFLite bytes", profile=profile)
    name = os.fspath(source)
    try:
        data = read_bounded(source, max_bytes=MAX_BYTES)
    except ValueError as error:
        raise FormatError(name, "", str(error).removeprefix(f"{name}: ")) from error
    return decode_tflite(data, name, profile=profile)


def decode_tflite(data: bytes, name: str, *, profile: str | Profile | None = None) -> Imported:
    """The network of a TFLite file's bytes. FormatError, naming file and place, for what is damaged or not read."""
    record = get(DEFAULT_PROFILE if profile is None else profile)
    # A file's numbers may overflow, or be signalling NaNs: what is not finite is refused where it is used.
    with np.errstate(all="ignore"):
        chain = read_chain(open_graph(data, name))
        if is_integer(chain):
            return _integer(chain, record)
        model, head, notes = fold(float_steps(chain), name)
    return Imported(model, head, (*chain.notes, *notes), "tflite")


def _integer(chain: Chain, profile: Profile) -> Imported:
    parts = read_integers(chain, profile)
    model = network(chain.graph, parts.layers, profile)
    # The same codes, though they mean other real values: one scale a feature is folded into layer 0.
    inputs = model.input_params if parts.inputs == model.layers[0].x else parts.inputs
    notes = (*chain.notes, *parts.notes)
    # Between other doors than the network's own stand QUANTIZE and DEQUANTIZE, whose vector kernels have a tail.
    written = parts.behind or model.output_params
    doors = inputs != model.input_params or parts.outputs != written
    rows = chain.batch if doors and profile.name in _TAILS else None
    return Imported(model, parts.head, notes, "tflite", inputs, parts.outputs, parts.behind, rows=rows)
