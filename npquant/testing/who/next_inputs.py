"""Inputs for a layer as it stands that tell suspects apart: sums at which their codes differ, and rows that reach them.

Legend: layer's x_q (B, K) is all that may be chosen; a sum is one of products, without the bias; C suspects; T sums
looked at for each of M outputs, count of one; d (K, N) weights less their zero points; rng a Generator; a table (V, C)
holds the answers of C suspects to V questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Float64, Int64
from npquant.testing.case import Layer, RawParams
from npquant.testing.separating import splitting_rows
from npquant.testing.who.reaching import as_codes, centred_interval, centred_weights, reachable_interval, rows_reaching
from npquant.testing.who.suspects import Suspect

MOST_ROWS: Final = 16
# Outputs whose sums are searched, targets that are solved for, rows of a structure, and operand elements of a pool.
MOST_OUTPUTS: Final = 32
MOST_TARGETS: Final = 40
MOST_STRUCTURED: Final = 200
POOL_ELEMENTS: Final = 6_000_000
# Sums of a table of answers to choose from.
MOST_TABLE: Final = 3000
# Steps beyond a rail at which narrow types wrap, and powers of two at which accumulators do.
BEYOND: Final = (1, 2, 3, 64, 127, 128, 129, 200, 255, 256, 257, 300, 2**15 - 200, 2**15, 2**16 - 130, 2**16 + 7)
POWERS: Final = (7, 8, 15, 16, 19, 20, 22, 23, 24, 25, 29, 30, 31)


def with_sums(layer: Layer, outputs: Sequence[int], sums: Int64) -> tuple[Layer, Int64]:
    """Return a layer of identity weights and rows for it whose sums of products are the given ones, (T, M).

    Its codes lie outside every type: it is for functions that check none, of the sums alone."""
    chosen = np.asarray(outputs, np.int64)
    zw = _picked(layer.w.zero_point, chosen)
    w = RawParams(_picked(layer.w.scale, chosen), zw, layer.w.qmin, layer.w.qmax)
    bias = None if layer.bias is None else layer.bias[chosen]
    identity = np.eye(len(chosen), dtype=np.int64) + np.asarray(zw, np.int64)
    return replace(layer, w_q=identity, bias=bias, w=w), sums + int(layer.x.zero_point)


def _picked(value: Any, outputs: Int64) -> Any:
    return value if np.ndim(value) == 0 else np.asarray(value)[outputs]


def multipliers(layer: Layer) -> Float64:
    """Return sx sw / sy of each output in float64, (N,)."""
    real = np.asarray(layer.x.scale, np.float64) * np.asarray(layer.w.scale, np.float64) / np.float64(layer.y.scale)
    return np.asarray(np.broadcast_to(real, (layer.w_q.shape[1],)))


def bias_of_layer(layer: Layer) -> Int64:
    """Return the bias as int64 (N,), zeros where there is none."""
    return np.zeros(layer.w_q.shape[1], np.int64) if layer.bias is None else layer.bias.astype(np.int64)


def telling_sums(layer: Layer, n: int, count: int, rng: np.random.Generator) -> Int64:
    """Return sums of output n that can tell arithmetics apart: beside ties, beyond rails, beside powers of two, ends.

    As many as asked for, all reachable by their size; the last are drawn."""
    factor, bias = float(multipliers(layer)[n]), int(bias_of_layer(layer)[n])
    lows, highs = reachable_interval(centred_weights(layer)[:, n : n + 1], *centred_interval(layer))
    low, high = int(lows[0]), int(highs[0])
    zy = int(layer.y.zero_point)
    codes = np.unique(np.linspace(layer.y.qmin - 1, layer.y.qmax, 257).astype(np.int64))
    rails = [side * distance for distance in BEYOND for side in (1, -1)]
    beyond = [(layer.y.qmax if step > 0 else layer.y.qmin) - zy + step for step in rails]
    steps = np.concatenate([codes - zy + 0.5, np.asarray(beyond, float)])
    with np.errstate(over="ignore"):
        at = np.floor(np.clip(steps / factor, -(2.0**40), 2.0**40)).astype(np.int64)
    powers = np.array([side * 2**p for p in POWERS for side in (1, -1)], np.int64)
    around = np.concatenate([np.concatenate([at, powers]) - bias + d for d in (0, 1, -1, 2)])
    found = np.concatenate([around, powers, powers + 1, [0, -bias, 1 - bias, -1 - bias, low, high]])
    found = np.unique(found[(found >= low) & (found <= high)])
    if len(found) >= count:
        return rng.choice(found, count, replace=False)
    return np.concatenate([found, rng.integers(low, high + 1, count - len(found))])


def structured_rows(layer: Layer, rng: np.random.Generator) -> Codes:
    """Return rows of a structure: both ends, the zero point, alternating, all to one side for an output, ends at
    random, one input alone, the last few inputs alone, random."""
    low, high = centred_interval(layer)
    d = centred_weights(layer)
    k, n = d.shape
    columns = rng.permutation(n)[:24]
    alternating = np.arange(k) % 2 == 0
    alone = rng.permutation(k)[:24]
    parts = [
        np.stack([np.full(k, low), np.full(k, high), np.zeros(k, np.int64), np.where(alternating, low, high)]),
        np.where(d[:, columns].T > 0, high, low),
        np.where(d[:, columns].T > 0, low, high),
        np.where(rng.random((24, k)) < 0.5, low, high),
        np.where(np.arange(k) == alone[:, np.newaxis], np.where(rng.random((len(alone), 1)) < 0.5, low, high), 0),
        np.where(np.arange(k) >= k - rng.integers(1, 5, (8, 1)), high, 0),
        rng.integers(low, high + 1, (64, k)),
        np.clip(rng.integers(-3, 4, (16, k)), low, high),
    ]
    return as_codes(layer, np.concatenate(parts)[:MOST_STRUCTURED])


def every_row(layer: Layer) -> Codes | None:
    """Return every row that there is, where K is 1, or 2 of a short interval; else None."""
    low, high = centred_interval(layer)
    k = layer.w_q.shape[0]
    if k == 0 or (high - low + 1) ** k > 2**12:
        return None
    grids = np.meshgrid(*[np.arange(low, high + 1)] * k, indexing="ij")
    return as_codes(layer, np.stack([grid.ravel() for grid in grids], axis=1))


def differing_sums(
    layer: Layer, suspects: Sequence[Suspect], rng: np.random.Generator
) -> tuple[Int64, Int64, NDArray[np.int64]]:
    """Return outputs (V,), sums (V,) of them, and the answers of suspects there as numbers (V, C), where any differ."""
    outputs = rng.permutation(layer.w_q.shape[1])[:MOST_OUTPUTS]
    sums = np.stack([telling_sums(layer, int(n), 1200, rng) for n in outputs], axis=1)
    probe, x_q = with_sums(layer, [int(n) for n in outputs], sums)
    answers = np.stack([suspect.of_sums(probe, x_q).ravel() for suspect in suspects], axis=1)
    where = np.flatnonzero((answers != answers[:, :1]).any(axis=1))
    # Of sums that split alike, a few of each kind are enough: some will have no row that reaches them.
    where = rng.permutation(where)[: 6 * MOST_TABLE]
    kinds = labels_of_rows(answers[where])
    order = np.argsort(kinds, kind="stable")
    place = np.arange(len(order))
    starts = np.concatenate([[True], kinds[order][1:] != kinds[order][:-1]])[: len(order)]
    rank = place - np.maximum.accumulate(np.where(starts, place, 0))
    kept = where[order[np.argsort(rank, kind="stable")][:MOST_TABLE]]
    table = np.unique(answers[kept], return_inverse=True)[1].reshape(len(kept), len(suspects))
    return np.tile(outputs, len(sums))[kept], sums.ravel()[kept], table.astype(np.int64)


def solved_rows(layer: Layer, suspects: Sequence[Suspect], rng: np.random.Generator) -> Codes:
    """Return rows that reach sums at which suspects differ; a sum that no row was found for gives way to another."""
    by_sums = [suspect for suspect in suspects if suspect.stage]
    d = centred_weights(layer)
    found = np.empty((0, d.shape[0]), np.int64)
    if len(by_sums) < 2 or not d.size:
        return as_codes(layer, found)
    outputs, sums, table = differing_sums(layer, by_sums, rng)
    profiles = np.array([not suspect.is_profile for suspect in by_sums])
    for _ in range(4):
        chosen = _chosen(table, profiles, MOST_TARGETS - len(found))
        if not chosen:
            break
        for i in chosen:
            u, reached = rows_reaching(d[:, outputs[i]], *centred_interval(layer), np.repeat(sums[i], 2), rng)
            found = np.concatenate([found, u[reached][:1]])
        left = np.setdiff1d(np.arange(len(sums)), chosen)
        outputs, sums, table = outputs[left], sums[left], table[left]
    return as_codes(layer, found)


def _chosen(table: NDArray[np.int64], rules: NDArray[np.bool_], most: int) -> list[int]:
    """Choose rows of a table that split the profiles first, and then everybody."""
    # Rules of one group at the start, profiles of another: pairs of profiles alone are counted.
    alone = np.where(rules, np.arange(1, len(rules) + 1), 0)
    first, _ = splitting_rows(table, alone, most)
    group = np.zeros(len(rules), np.int64)
    for i in first:
        group = np.unique(group * (int(table.max()) + 1) + table[i], return_inverse=True)[1]
    more, _ = splitting_rows(table, group, most - len(first))
    return first + more


def next_rows(layer: Layer, suspects: Sequence[Suspect], rng: np.random.Generator) -> Codes:
    """Return at most 16 rows whose answers part the suspects as far as any row that was tried does, profiles first."""
    k, n = layer.w_q.shape
    rows = every_row(layer)
    if rows is None:
        rows = np.concatenate([solved_rows(layer, suspects, rng), structured_rows(layer, rng)])
        rows = rows[: max(2 * MOST_ROWS, POOL_ELEMENTS // max(1, k * n))]
    if len(suspects) < 2 or not n:
        return rows[:0]
    table = labels([suspect.answers(layer, rows) for suspect in suspects])
    chosen = _chosen(table, np.array([not suspect.is_profile for suspect in suspects]), MOST_ROWS)
    return rows[chosen]


def labels(answers: Sequence[Int64]) -> NDArray[np.int64]:
    """Return answers (V, N) of C suspects as numbers (V, C): equal where whole rows are, but for a chance of 2^-60."""
    hashed = np.stack([_hashed(codes) for codes in answers], axis=1)
    return np.unique(hashed, return_inverse=True)[1].reshape(hashed.shape).astype(np.int64)


def labels_of_rows(table: Int64) -> NDArray[np.int64]:
    """Return a number for each row (V,) of who gives whose answer: rows that split alike have the same."""
    return np.unique(_hashed(_firsts(table)), return_inverse=True)[1].astype(np.int64)


def _firsts(table: Int64) -> Int64:
    """Replace each entry by the first column of its row that holds the same."""
    order = np.argsort(table, axis=1, kind="stable")
    rows = np.take_along_axis(table, order, axis=1)
    starts = np.ones(rows.shape, bool)
    starts[:, 1:] = rows[:, 1:] != rows[:, :-1]
    place = np.maximum.accumulate(np.where(starts, np.arange(rows.shape[1]), 0), axis=1)
    first = np.empty_like(order)
    np.put_along_axis(first, order, np.take_along_axis(order, place, axis=1), axis=1)
    return np.asarray(first, np.int64)


def _hashed(rows: Int64) -> Int64:
    """Return a number for each row, equal for equal rows."""
    key = np.random.default_rng(0).integers(1, 2**62, rows.shape[1])
    with np.errstate(over="ignore"):
        return np.asarray(rows @ key)
