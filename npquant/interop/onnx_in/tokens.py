"""What the walk lists, in the order of the computation: the steps of every importer, and what quantized files add.

The affine maps, clips, activations and heads of `interop.steps` stand for themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.interop.onnx_in.const import Const
from npquant.interop.steps import Activation, Affine, Clip, Head
from npquant.kernels.qparams import QuantParams


class Product(NamedTuple):
    """y = x w + b, with w (K, N) and what it was before it was turned; codes where the file holds codes."""

    place: str
    w: Const
    b: Const | None
    turned: bool  # w is stored (N, K)
    alpha: float = 1.0
    beta: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """(K, N)."""
        k, n = self.w.array.shape[::-1] if self.turned else self.w.array.shape
        return k, n


class Quantize(NamedTuple):
    """Real values to codes."""

    place: str
    params: QuantParams


class CodeClip(NamedTuple):
    """Codes into a narrower interval."""

    place: str
    low: int
    high: int


class Dequantize(NamedTuple):
    """Codes to real values."""

    place: str
    params: QuantParams


class DynamicProduct(NamedTuple):
    """y = f32(acc) f32(sx sw) + b, the codes of x made from the range of x itself."""

    place: str
    w: Const
    zero: Const | None
    scale: Const
    b: Const | None


class Rounded(NamedTuple):
    """Real values in float64, rounded half to even."""

    place: str


class IntegerSum(NamedTuple):
    """acc = sum (x_q - zx)(w_q - zw) + bias, before its scales are known."""

    place: str
    w: Const
    zx: Const | None
    zw: Const | None
    b: Const | None


class Steps(NamedTuple):
    """Real values divided by scale already: a QuantizeLinear of scale 1 makes codes of them."""

    place: str
    scale: Const


class Index(NamedTuple):
    """round(x / s) - least of dequantized codes: the index of a table that is to come."""

    place: str
    params: QuantParams
    least: int


class Lookup(NamedTuple):
    """values[round(x / s) - least] of dequantized codes of scale s."""

    place: str
    params: QuantParams
    least: int
    values: NDArray[np.float32]


class Pair(NamedTuple):
    """[1 - p, p] of one probability p, which scikit-learn's converters write."""

    place: str


Token = (
    Product
    | Quantize
    | CodeClip
    | Dequantize
    | DynamicProduct
    | Rounded
    | IntegerSum
    | Steps
    | Index
    | Lookup
    | Pair
    | Affine
    | Clip
    | Activation
    | Head
)
