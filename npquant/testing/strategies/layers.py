"""Strategies for cases of layers and networks of layers, drawn as recipes of a few numbers.

Legend: profile an engine's name or record.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from npquant.profiles.record import Profile
from npquant.testing.case import Case
from npquant.testing.classes.pruned import sparse
from npquant.testing.strategies.operands import SEEDS
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
    zero_pairs,
)


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
        SEEDS,
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
        SEEDS,
        st.sampled_from((0, 3, -5)) if can.weight_zero_point else st.just(0),
        st.sampled_from(((0, 0), (1, 0), (0, 1), (2, 2))),
    ).map(made)


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
