"""Hypothesis strategies for cases of one's own: they compose, and shrink as a kernel's author would.

What is drawn is a recipe of small numbers; NumPy makes the operands of it in bulk. Shapes shrink to 1 x 1 x 1, operands
to their zero points, scales to powers of two, zero points to the middle of the codes, layouts to C order.

Legend: profile an engine's name or record; kind "int8" or "uint8", the type of codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from npquant.arrays import Codes
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile
from npquant.testing.case import LAYOUTS, Case
from npquant.testing.classes import float_edge, illegal
from npquant.testing.classes.parts import INTERVALS, params
from npquant.testing.classes.pruned import sparse
from npquant.testing.strategies.recipes import (
    FILLS,
    GOALS,
    SHAPES,
    SIZES,
    WEIGHT_ZEROS,
    Recipe,
    around_zero,
    filled,
    linear_case,
    network_case,
    record_of,
    scale_numbered,
    scale_of,
    zero_pairs,
)

__all__ = [
    "call_sequences",
    "float_cases",
    "illegal_cases",
    "layouts",
    "linear_cases",
    "mlp_cases",
    "multipliers",
    "pruned_cases",
    "quantized_arrays",
    "requant_params",
    "scales",
    "zero_points",
]

_SEEDS: Final = st.integers(0, 2**32 - 1)
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
    return st.tuples(st.sampled_from(FILLS), _SEEDS).map(
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
    >>> from hypothesis import find
    >>> find(layouts(), lambda layout: layout != "c")
    'fortran'
    >>> laid = st.builds(lambda case, layout: replace(case, x_layout=layout), linear_cases("ort"), layouts())
    """
    return st.sampled_from(LAYOUTS)


def linear_cases(profile: str | Profile, goal: str = "any") -> st.SearchStrategy[Case]:
    """Draw cases of one linear layer that a profile's engine takes, per-tensor and per-channel, with its activations.

    Parameters
    ----------
    profile : str or Profile
        The arithmetic; `expected(case)` is its answer.
    goal : {"any", "plain", "tie", "rail", "wide"}
        Where the first row's accumulators lie, by choice of the bias: anywhere, on rounding ties and one beside, on
        and beyond the rails, beside powers of two up to the ends of int32; or any of these.

    Returns
    -------
    SearchStrategy of Case
        They shrink to 1 x 1 x 1, zero operands, powers of two.

    Raises
    ------
    ValueError
        If the profile or the goal is unknown.

    Examples
    --------
    >>> from hypothesis import find
    >>> case = find(linear_cases("ort", "tie"), lambda case: True)
    >>> case.elements, case.x_q, case.model.layers[0].w.scale
    (2, array([[0]], dtype=int8), np.float32(1.0))
    """
    if goal not in ("any", *GOALS):
        raise ValueError(f"there is no goal {goal!r}; known: any, {', '.join(GOALS)}")
    record, _ = record_of(profile)
    goals = GOALS if goal == "any" else (goal,)
    return _recipes(record, goals).map(lambda recipe: linear_case(record, recipe))


def _recipes(record: Profile, goals: tuple[str, ...]) -> st.SearchStrategy[Recipe]:
    """Draw recipes by five numbers, as draws are what drawing costs; each counts from the simplest up."""
    _, can = record_of(record)
    kinds = [kind for kind in can.code_types if kind in ("int8", "uint8")]
    weight_zeros = WEIGHT_ZEROS if can.weight_zero_point else (0,)
    parts = (FILLS, FILLS, weight_zeros, (False, True), can.activations, kinds, goals)
    # An engine honours one weight zero point, so it goes with one scale.
    options = [option for option in product(*parts) if (can.per_channel and not option[2]) or not option[3]]
    pairs = zero_pairs()

    def made(drawn: tuple[Any, tuple[int, int, int], int, int, int]) -> Recipe:
        (fw, fx, zw, each, activation, kind, goal), shape, number, scale, pair = drawn
        exponent, step = scale_numbered(scale)
        zx, zy = pairs[pair].tolist()
        bias = around_zero(number % 4001)
        return Recipe(goal, kind, shape, (fx, fw), number, exponent, step, zx, zy, zw, each, activation, bias)

    last_pair = len(pairs) - 1 if can.input_zero_point else 0
    return st.tuples(
        st.sampled_from(options),
        st.sampled_from(SHAPES),
        _SEEDS,
        st.integers(0, 2**28 - 1),
        st.integers(0, last_pair),
    ).map(made)


def mlp_cases(profile: str | Profile, deepest: int = 4) -> st.SearchStrategy[Case]:
    """Draw networks of two layers and more, in which scales, zero points, widths and activations differ.

    Parameters
    ----------
    profile : str or Profile
        The arithmetic.
    deepest : int
        Most layers.

    Returns
    -------
    SearchStrategy of Case
        They shrink to two layers of one neuron.

    Examples
    --------
    >>> from hypothesis import find
    >>> [layer.w_q.shape for layer in find(mlp_cases("ort"), lambda case: True).model.layers]
    [(1, 1), (1, 1)]
    """
    record, _ = record_of(profile)

    def made(drawn: tuple[list[Recipe], int]) -> Case:
        layers = tuple(replace(recipe, kind=drawn[0][0].kind) for recipe in drawn[0])
        if layers[0].shape[1] == 0:
            layers = (replace(layers[0], shape=(1, 1, layers[0].shape[2])), *layers[1:])
        return network_case(record, layers, drawn[1])

    return st.tuples(st.lists(_recipes(record, ("plain",)), min_size=2, max_size=deepest), st.integers(1, 6)).map(made)


def pruned_cases(profile: str | Profile) -> st.SearchStrategy[Case]:
    """Draw layers most of whose weights equal their zero point, whole outputs and whole inputs among them.

    Parameters
    ----------
    profile : str or Profile
        The arithmetic.

    Returns
    -------
    SearchStrategy of Case
        They shrink to one input, one output, nothing kept.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(pruned_cases("ort"), lambda case: True).model.layers[0].w_q
    array([[0]], dtype=int8)
    """
    record, can = record_of(profile)

    def made(drawn: tuple[Any, ...]) -> Case:
        kind, k, n, density, seed, zw, (rows, columns) = drawn
        rng = np.random.default_rng(seed)
        keep = rng.random((k, n)) < density / 64
        keep[:: rows + 1] &= rows == 0
        keep[:, :: columns + 1] &= columns == 0
        return sparse(record, kind, zw, keep, can, rng)

    return st.tuples(
        st.sampled_from([kind for kind in can.code_types if kind in ("int8", "uint8")]),
        st.sampled_from(SIZES),
        st.sampled_from(SIZES[:10]),
        st.integers(0, 32),
        _SEEDS,
        st.sampled_from((0, 3, -5)) if can.weight_zero_point else st.just(0),
        st.sampled_from(((0, 0), (1, 0), (0, 1), (2, 2))),
    ).map(made)


def float_cases(profile: str | Profile) -> st.SearchStrategy[Case]:
    """Draw real values on their way to codes: ties, their float neighbours, special values, any bits but NaN's.

    Parameters
    ----------
    profile : str or Profile
        An arithmetic with a QUANTIZE.

    Returns
    -------
    SearchStrategy of Case
        Of op "quantize", x_q float32 values; they shrink to few values under the scale 1.

    Raises
    ------
    ValueError
        If the profile has no QUANTIZE.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(float_cases("ort"), lambda case: True).x_q
    array([0.], dtype=float32)
    """
    record, can = record_of(profile)
    if "quantize" not in can.ops:
        raise ValueError(f"{record.name} has no QUANTIZE")
    kinds = [kind for kind in can.code_types if kind in ("int8", "uint8")]
    zeros = st.integers(-128, 127) if can.input_zero_point else st.just(0)

    def made(drawn: tuple[Any, ...]) -> Case | None:
        kind, scale, zero, seed, ties, special, bits = drawn
        p = params(kind, scale, zero)
        rng = np.random.default_rng(seed)
        any_bits = rng.integers(0, 2**32, bits, dtype=np.uint32).view(np.float32)
        values = [rng.permutation(float_edge.on_ties(p))[:ties], np.array(float_edge.SPECIAL[:special], np.float32)]
        every = np.concatenate([*values, any_bits[~np.isnan(any_bits)]])
        return next(iter(float_edge.quantized(record, every, p)), None)

    drawn = st.tuples(
        st.sampled_from(kinds),
        scales(-30, 20),
        zeros,
        _SEEDS,
        st.integers(0, 64),
        st.integers(1, len(float_edge.SPECIAL)),
        st.integers(0, 32),
    )
    return drawn.map(made).filter(lambda case: case is not None).map(_certain)


def _certain(case: Case | None) -> Case:
    assert case is not None
    return case


def illegal_cases(profile: str | Profile) -> st.SearchStrategy[Case]:
    """Draw cases that must be refused: depths that differ, a bias of another length, parameters out of range.

    Parameters
    ----------
    profile : str or Profile
        The arithmetic that refuses.

    Returns
    -------
    SearchStrategy of Case
        Of status "must_reject"; the second tag is what is wrong: "shape", "zero_point" or "scale".

    Examples
    --------
    >>> from hypothesis import find
    >>> find(illegal_cases("ort"), lambda case: True).tags
    ('illegal', 'shape')
    """
    record, can = record_of(profile)
    fixed = tuple(illegal.lattice(record, can))

    def drawn_with(seed: int) -> Iterator[Case]:
        return illegal.draw(record, can, np.random.default_rng(seed))

    return st.one_of(st.sampled_from(fixed), _SEEDS.map(lambda seed: next(islice(drawn_with(seed), 1))))


def call_sequences(profile: str | Profile, most: int = 4) -> st.SearchStrategy[Case]:
    """Draw layers that are run several times: other numbers of rows first, in the same memory or not.

    Parameters
    ----------
    profile : str or Profile
        The arithmetic.
    most : int
        Most calls before the one that is judged.

    Returns
    -------
    SearchStrategy of Case
        They shrink to one call before, on one row.

    Examples
    --------
    >>> from hypothesis import find
    >>> [codes.shape for codes in find(call_sequences("ort"), lambda case: True).earlier]
    [(1, 1)]
    """
    record, _ = record_of(profile)

    def made(drawn: tuple[Recipe, list[int], bool]) -> Case:
        recipe, batches, again = drawn
        case = linear_case(record, recipe)
        rng = np.random.default_rng(recipe.seed)
        x: Any = case.model.layers[0].x
        rows = [*batches[:-1], recipe.shape[0]] if again else batches
        earlier = tuple(filled(recipe.fills[0], (b, recipe.shape[1]), x, rng) for b in rows)
        return replace(case, earlier=earlier, same_buffer=again).tagged("sequence")

    recipes = _recipes(record, ("plain",))
    return st.tuples(recipes, st.lists(st.integers(1, 8), min_size=1, max_size=most), st.booleans()).map(made)
