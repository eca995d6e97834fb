"""Strategies for what goes into a layer: scales, zero points, multipliers, codes in bulk, memory layouts.

Legend: kind the type of codes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from hypothesis import strategies as st

from npquant.arrays import Codes
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.testing.case import LAYOUTS
from npquant.testing.classes.parts import INTERVALS, params
from npquant.testing.strategies.recipes import FILLS, filled, scale_of

SEEDS: Final = st.integers(0, 2**32 - 1)
_STEPS: Final = st.integers(0, 2**24 - 1)


def zero_points(kind: str = "int8") -> st.SearchStrategy[int]:
    """Draw zero points: every code of a type.

    Parameters
    ----------
    kind : {"int8", "uint8", "int16", "int4", "uint4"}
        Type of the codes.

    Returns
    -------
    SearchStrategy of int
        They shrink to the middle of the codes.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(zero_points("uint8"), lambda zero: True)
    128
    """
    low, high = INTERVALS[kind]
    middle = (low + high + 1) // 2
    return st.integers(low - middle, high - middle).map(lambda offset: offset + middle)


def scales(smallest: int = -30, largest: int = 10) -> st.SearchStrategy[np.float32]:
    """Draw scales: half of them powers of two, half with any mantissa.

    Parameters
    ----------
    smallest, largest : int
        Exponents of two between which they lie, in [-126, 126].

    Returns
    -------
    SearchStrategy of float32
        They shrink to 1, or the power of two that is nearest to it.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(scales(), lambda scale: scale < 0.3)
    np.float32(0.25)
    """
    return st.tuples(st.integers(smallest, largest), _STEPS).map(lambda drawn: scale_of(*drawn))


def multipliers(smallest: int = -31, largest: int = 30) -> st.SearchStrategy[FixedMultiplier]:
    """Draw multipliers as engines store them: m of 31 bits, and e.

    Parameters
    ----------
    smallest, largest : int
        Bounds of the exponent e, in [-31, 30].

    Returns
    -------
    SearchStrategy of FixedMultiplier
        m in [2^30, 2^31); half of them powers of two, to which, and to e = 0, they shrink.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(multipliers(), lambda fixed: True)
    FixedMultiplier(multiplier=1073741824, shift=0)
    """
    mantissas = st.integers(0, 2**31 - 1).map(lambda step: 2**30 + max(0, step - 2**30))
    return st.builds(FixedMultiplier, mantissas, st.integers(smallest, largest))


def requant_params(kind: str = "int8") -> st.SearchStrategy[tuple[QuantParams, QuantParams, QuantParams]]:
    """Draw the quantizations of input, weights and output under which a layer's sums fill the codes or saturate.

    Parameters
    ----------
    kind : {"int8", "uint8"}
        Type of input and output codes; weights are int8.

    Returns
    -------
    SearchStrategy of (QuantParams, QuantParams, QuantParams)
        x, w, y, per-tensor; the real multiplier sx sw / sy lies in [2^-20, 2).

    Examples
    --------
    >>> from hypothesis import find
    >>> [p.zero_point for p in find(requant_params(), lambda drawn: True)]
    [0, 0, 0]
    """
    whole = params(kind, 1.0)

    def made(drawn: tuple[np.float32, np.float32, int, int]) -> tuple[QuantParams, QuantParams, QuantParams]:
        sx, factor, zx, zy = drawn
        x, y = QuantParams(sx, zx, whole.qmin, whole.qmax), QuantParams(sx, zy, whole.qmin, whole.qmax)
        return x, QuantParams(factor, 0, -128, 127), y

    return st.tuples(scales(-10, 4), scales(-20, 0), zero_points(kind), zero_points(kind)).map(made)


def quantized_arrays(shape: tuple[int, ...], bounds: QuantParams) -> st.SearchStrategy[Codes]:
    """Draw codes in bulk: random, extreme, one end, near the zero point, or mostly the zero point.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    bounds : QuantParams
        Gives interval, type and zero point.

    Returns
    -------
    SearchStrategy of array
        A fill and a seed are drawn, not elements; the arrays shrink to the zero point everywhere.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(quantized_arrays((1, 3), QuantParams(0.5, 7, -128, 127)), lambda codes: True)
    array([[7, 7, 7]], dtype=int8)
    """
    return st.tuples(st.sampled_from(FILLS), SEEDS).map(
        lambda drawn: filled(drawn[0], shape, bounds, np.random.default_rng(drawn[1]))
    )


def layouts() -> st.SearchStrategy[str]:
    """Draw ways in which an operand lies in memory, as `as_laid_out` makes them.

    Returns
    -------
    SearchStrategy of str
        They shrink to "c".

    Examples
    --------
    >>> from dataclasses import replace
    >>> from hypothesis import find
    >>> from npquant.testing.strategies import linear_cases
    >>> find(layouts(), lambda layout: layout != "c")
    'fortran'
    >>> laid = st.builds(lambda case, layout: replace(case, x_layout=layout), linear_cases("ort"), layouts())
    """
    return st.sampled_from(LAYOUTS)
