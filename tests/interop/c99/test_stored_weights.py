"""Every form of stored weights gives the layer's centred weights and accumulators back."""

from __future__ import annotations

import numpy as np
import pytest

from npquant.interop.c99.stored_weights import StoredWeights, store_weights
from tests.interop.c99.networks import Kind, network


def _unpacked(stored: StoredWeights, k: int, n: int) -> np.ndarray:
    """Read stored codes u (K, N) back, entry by entry."""
    if stored.form == "bytes":
        return stored.codes.T.astype(np.int64)
    u = np.zeros((k, n), np.int64)
    if stored.form == "packed":
        for row, column in zip(stored.codes, u.T, strict=True):
            whole = int.from_bytes(row.tobytes(), "little")
            column[:] = [(whole >> (stored.bits * i)) & (2**stored.bits - 1) for i in range(k)]
        return u
    entry = 0
    assert stored.gaps is not None and stored.counts is not None
    for column, count in zip(u.T, stored.counts, strict=True):
        at = 0
        for _ in range(count):
            at += int(stored.gaps[entry])
            column[at] += int(stored.codes[entry])
            entry += 1
    return u


@pytest.mark.parametrize("grid", ["full", "mirrored", "ternary"])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("density", [1.0, 0.2, 0.002, 0.0])
def test_stored_weights_give_accumulators(grid: str, bits: int, density: float) -> None:
    """sum x u - base sum x + constant is the accumulator, whatever form was shortest."""
    kind = Kind(sizes=(611, 7), bits=bits, grid=grid, density=density, weight_zero=0 if grid == "ternary" else 1)
    layer = network(kind, 4).layers[0]
    stored = store_weights(layer)
    x = np.random.default_rng(1).integers(-128, 128, (20, 611))
    acc = x @ _unpacked(stored, 611, 7) - stored.base * x.sum(axis=1, keepdims=True) + stored.constant
    want = (x - layer.x.zero_point) @ layer.centred_weights.astype(np.int64) + layer.bias
    assert np.array_equal(acc, want)
    assert stored.n_bytes <= store_weights(layer, pack=False).n_bytes


@pytest.mark.parametrize(("bits", "grid"), [(2, "full"), (3, "full"), (4, "full"), (2, "mirrored"), (3, "mirrored")])
def test_few_bits_take_few_bytes(bits: int, grid: str) -> None:
    """b bits a weight, rows padded to bytes; a mirrored grid costs a byte a neuron more."""
    layer = network(Kind(sizes=(64, 32), bits=bits, grid=grid), 1).layers[0]
    stored = store_weights(layer)
    assert (stored.form, stored.bits) == ("packed", bits)
    assert stored.n_bytes == 64 * bits // 8 * 32 + (32 if grid == "mirrored" else 0)


def test_pruned_weights_take_no_place() -> None:
    """Two bytes a nonzero weight and two a neuron; a whole layer of zeros still has its constants."""
    layer = network(Kind(sizes=(200, 10), density=0.1), 1).layers[0]
    stored = store_weights(layer)
    assert stored.form == "sparse"
    assert stored.n_bytes == 2 * np.count_nonzero(layer.w_q) + 2 * 10


def test_sums_that_may_leave_int32_are_wide() -> None:
    """Where magnitudes add up beyond int32, although C7 holds, the sum is kept in int64."""
    layer = network(Kind(sizes=(2**17, 1), weight_zero=-100), 1).layers[0]
    assert store_weights(layer).wide
    assert not store_weights(network(Kind(sizes=(1000, 1), weight_zero=-100), 1).layers[0]).wide
