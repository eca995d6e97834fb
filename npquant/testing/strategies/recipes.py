"""Recipes: a few small numbers that Hypothesis draws and shrinks, and the case that NumPy makes of them in bulk.

Legend: B, K, N shape; fill the kind of operand, "zero" all at the zero point; seed of what is drawn in bulk; profile
the engine's record, can what its engine takes; M the real multiplier sx sw / sy; step a position in 24 bits: below 2^23
a power of two alone, above it a mantissa besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from math import ldexp
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities, capabilities_of
from npquant.testing.case import Case, Layer, Model
from npquant.testing.classes.parts import as_case, fill, params, spreading_scale, weight_params
from npquant.testing.solve import bias_for, centred_sums

GOALS: Final = ("plain", "tie", "rail", "wide")
# In the order of shrinking: one code everywhere before many.
FILLS: Final = ("zero", "lowest", "highest", "extreme", "small", "random", "sparse")
SIZES: Final = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65)
# (B, K, N) by how many operands there are, so that the first that fails is the smallest; without depth last.
SHAPES: Final = tuple(
    sorted(
        ((b, k, n) for b in SIZES[:8] for k in (*SIZES, 0) for n in SIZES[:11]),
        key=lambda shape: (shape[1] == 0, shape[0] * shape[1] + shape[1] * shape[2] + shape[2], shape),
    )
)
# Steps beyond a rail.
DISTANCES: Final = (0, 1, -1, -2, 2, 127, 128, 255, 256, 2**15, 2**16)
# Weight zero points, in the order of shrinking.
WEIGHT_ZEROS: Final = (0, 3, -100, 77, -128)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a linear case is made of."""

    goal: str
    kind: str
    shape: tuple[int, int, int]
    fills: tuple[str, str]
    seed: int
    exponent: int
    step: int
    zx: int
    zy: int
    zw: int
    per_channel: bool
    activation: str
    bias: int


def record_of(profile: str | Profile) -> tuple[Profile, Capabilities]:
    """Return an engine's record and what it takes; ValueError if there is none."""
    record = get(profile)
    return record, capabilities_of(record)


def scale_of(exponent: int, step: int) -> np.float32:
    """Return 2^exponent (1 + mantissa), the mantissa 0 for half of all steps.

    >>> scale_of(-1, 5), scale_of(0, 2**23 + 2**22)
    (np.float32(0.5), np.float32(1.5))
    """
    return np.float32(ldexp(1.0 + max(0, step - 2**23) / 2**23, exponent))


def scale_numbered(number: int) -> tuple[int, int]:
    """Return exponent, from 0 down to -14, and step of a number below 2^28: powers of two come first.

    >>> scale_numbered(0), scale_numbered(3), scale_numbered(2**27 + 16)
    ((0, 0), (-3, 0), (-1, 8388609))
    """
    if number < 2**27:
        return -(number % 15), 0
    rest = number - 2**27
    return -(rest % 15), 2**23 + rest // 15 % 2**23


@cache
def zero_pairs() -> NDArray[np.int64]:
    """Return all 65,536 pairs of zero points, counted from the middle of the codes, the closest to it first."""
    pairs = np.stack(np.divmod(np.arange(1 << 16), 256), axis=1) - 128
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0], np.abs(pairs).sum(axis=1)))])


def around_zero(number: int) -> int:
    """Return 0, -1, 1, -2, 2 ... for 0, 1, 2, 3, 4 ..., number >= 0."""
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


@lru_cache(maxsize=1024)
def half_scaled(kind: str, zero_point: int) -> QuantParams:
    """Return the codes of a type under the scale 1/2 and a zero_point."""
    return params(kind, np.float32(0.5), zero_point)


def filled(kind: str, shape: tuple[int, ...], bounds: QuantParams, rng: np.random.Generator) -> Codes:
    """Return codes of a kind of fill; bounds gives interval, type and zero point, rng the seed."""
    if kind == "zero":
        zeros = np.empty(shape, bounds.dtype)
        zeros[...] = bounds.zero_point
        return zeros
    return fill(kind, shape, bounds, rng)


def linear_case(profile: Profile, recipe: Recipe) -> Case:
    """Make the case of a recipe.

    >>> recipe = Recipe("tie", "int8", (1, 1, 1), ("zero", "zero"), 0, -2, 0, 0, 0, 0, False, "none", 0)
    >>> linear_case(get("npquant"), recipe).model.layers[0].bias
    array([2], dtype=int32)
    """
    b, k, n = recipe.shape
    rng = np.random.default_rng(recipe.seed)
    scale: Any = scale_of(recipe.exponent, recipe.step)
    x, y = half_scaled(recipe.kind, recipe.zx), half_scaled(recipe.kind, recipe.zy)
    if recipe.goal == "plain":
        y = params(recipe.kind, spreading_scale(0.5, scale, k), recipe.zy)
    elif recipe.goal == "wide":
        # |acc| up to 2^31: M of about 2^-24 keeps the outputs inside the codes.
        scale = np.float32(scale * 2.0**-16)
    zero: Any = recipe.zw
    if recipe.per_channel:
        scale = (scale * (1 + 0.37 * (np.arange(n) % 5)) * 2.0 ** -(np.arange(n) % 3)).astype(np.float32)
        zero = np.full(n, recipe.zw, np.int32)
    w = weight_params(profile, scale, np.maximum(zero, profile.weight_qmin))
    w_q, x_q = filled(recipe.fills[1], (k, n), w, rng), filled(recipe.fills[0], (b, k), x, rng)
    layer = Layer(w_q, np.zeros(n, np.int32), x, w, y, recipe.activation)
    with_bias = Layer(w_q, solved_bias(layer, x_q, recipe), x, w, y, recipe.activation)
    return as_case(with_bias, x_q, profile, recipe.goal)


def solved_bias(layer: Layer, x_q: Codes, recipe: Recipe) -> NDArray[np.int32]:
    """Return the bias of a layer that takes the first row of x_q where the goal wants it, the recipe's own bias telling
    which tie or how far."""
    offsets = np.arange(layer.w_q.shape[1])
    if recipe.goal == "plain":
        # The recipe without a bias of its own has one that shows.
        return np.asarray(recipe.bias + 300 + 13 * offsets, np.int32)
    sums = centred_sums(layer, x_q)[0]
    if recipe.goal == "wide":
        # Beside powers of two, up to the ends of int32.
        powers = 2 ** (15 + (abs(recipe.bias) + offsets) % 17) - 1 + (offsets % 3)
        return bias_for(np.where(offsets % 2, -powers, powers), sums)[0]
    y: Any = layer.y
    zero = int(y.zero_point)
    if recipe.goal == "tie":
        codes = y.qmin + 2 + (zero - y.qmin - 2 + recipe.bias + 5 * offsets) % (y.qmax - y.qmin - 3)
        halves, beside = 2 * (codes - zero) + 1, np.array([0, 1, -1])[offsets % 3]
    else:
        side = np.where(offsets % 2, -1, 1)
        distance = np.array(DISTANCES)[(abs(recipe.bias) + offsets // 2) % len(DISTANCES)]
        halves = 2 * (np.where(offsets % 2, y.qmin, y.qmax) - zero) + side * (1 + 2 * distance)
        beside = offsets // 2 % 2
    # Input and output share a scale, so M = sw = p 2^-s with p < 2^24, s <= 41; |halves| < 2^18: below 2^59.
    mantissa, exponent = np.frexp(np.asarray(layer.w.scale, np.float64))
    wanted = (halves << (24 - exponent)) // (2 * (mantissa * 2.0**24).astype(np.int64))
    return bias_for(wanted + beside, sums)[0]


def network_case(profile: Profile, layers: tuple[Recipe, ...], rows: int) -> Case:
    """Make a network whose layers take each other's outputs: the recipes give widths, fills,
    scales and zero points; rows how many there are of input."""
    rng = np.random.default_rng(layers[0].seed)
    first = layers[0]
    x = half_scaled(first.kind, first.zx)
    x_q = filled(first.fills[0], (rows, first.shape[1]), x, rng)
    made, k = [], first.shape[1]
    for i, recipe in enumerate(layers):
        n = recipe.shape[2]
        w = weight_params(profile, scale_of(recipe.exponent, recipe.step))
        y = params(recipe.kind, spreading_scale(x.scale, w.scale, k), recipe.zy)
        bias = (recipe.bias % 1024 + 7 * np.arange(n)).astype(np.int32)
        activation = recipe.activation if i < len(layers) - 1 else "none"
        made.append(Layer(filled(recipe.fills[1], (k, n), w, rng), bias, x, w, y, activation))
        x, k = y, n
    return Case(Model(tuple(made), profile.name), x_q, tags=("network",))
