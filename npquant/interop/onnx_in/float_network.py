"""Tokens of a float file to the steps that every importer lists, and those to a FloatMLP.

Legend: tokens what the walk found, in order; walk the walk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npquant.files.format_error import FormatError
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.tokens import Pair, Product, Token
from npquant.interop.onnx_in.values import Walk
from npquant.interop.steps import Activation, Affine, Clip, Head, Linear, Step, fold


def float_network(walk: Walk, tokens: Sequence[Token]) -> Imported:
    """Return the network, and what was split off behind its logits."""
    steps: list[Step] = []
    for i, token in enumerate(tokens):
        match token:
            case Product():
                steps.append(_linear(walk, token))
            case Pair():
                if i != len(tokens) - 1:
                    walk.refuse(token.place, "stands before further operators; it must be the last")
                walk.note(f"{token.place}: the file gives [1 - p, p]; the model gives the one logit of p")
            case Activation(place, "softplus") if any(isinstance(t, Product) for t in tokens[i:]):
                walk.refuse(place, "stands between layers; Softplus is read behind the last layer alone")
            case Affine() | Clip() | Activation() | Head():
                steps.append(token)
            case _:
                walk.refuse(token.place, "stands in a file that is not quantized otherwise")
    try:
        model, head, notes = fold(steps, walk.file)
    except FormatError as error:
        raise error from None
    pair = isinstance(tokens[-1], Pair)
    return Imported(model, head, (*walk.notes, *notes), "onnx", pair=pair)


def _linear(walk: Walk, product: Product) -> Linear:
    """w (K, N) and b (N,), with alpha and beta multiplied in float64 where they are not 1."""
    w = product.w.real()
    w = w.T if product.turned else w
    b = None if product.b is None else product.b.real()
    if product.w.scale is not None:
        walk.note(f"{product.place}: its quantized weights were read as the real numbers they stand for")
    with np.errstate(all="ignore"):
        if product.alpha != 1.0:
            w = w.astype(np.float64) * product.alpha
        if b is not None and product.beta != 1.0:
            b = b.astype(np.float64) * product.beta
    return Linear(product.place, w, b)
