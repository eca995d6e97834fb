"""Exact integer products: the BLAS route gives the plain route's numbers at the worst operands and every block edge."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels.matmul import BLOCK_K, MAX_K, matmul_int8, matmul_int8_blas, matmul_pair16

EDGES = [0, 1, 2, BLOCK_K - 1, BLOCK_K, BLOCK_K + 1, 2 * BLOCK_K - 1, 2 * BLOCK_K, 2 * BLOCK_K + 1, 3 * BLOCK_K + 7]


def equals_plain(product: Any, x_q: Any, w_q: Any) -> bool:
    """Say whether a product equals the plain one, dtype and shape included."""
    want, got = matmul_int8(x_q, w_q), product(x_q, w_q)
    return got.dtype == want.dtype == np.int32 and got.shape == want.shape and bool((got == want).all())


@pytest.mark.parametrize("depth", EDGES)
def test_matmul_int8_blas_equals_plain_at_block_edges(depth: Any) -> None:
    """C6, R15: -128 times -128, and the signs that make the largest odd partial sums, around every block edge."""
    for x, w in ((-128, -128), (-128, 127), (127, 127)):
        x_q = np.full((3, depth), x, np.int8)
        w_q = np.full((depth, 2), w, np.int8)
        w_q[:1] = 1  # an odd term: a sum beyond 2^24 in float32 would lose it
        assert equals_plain(matmul_int8_blas, x_q, w_q)


def test_matmul_int8_blas_law_kills_a_block_that_is_too_long() -> None:
    """One unblocked float32 product loses the odd unit, and the law sees it."""

    def unblocked(x_q: Any, w_q: Any) -> Any:
        return (x_q.astype(np.float32) @ w_q.astype(np.float32)).astype(np.int32)

    x_q, w_q = np.full((3, 4097), 127, np.int8), np.full((4097, 2), 127, np.int8)
    assert equals_plain(matmul_int8_blas, x_q, w_q) and not equals_plain(unblocked, x_q, w_q)


@given(shape=st.tuples(st.integers(0, 5), st.integers(0, 40), st.integers(0, 5)), seed=st.integers(0, 2**32 - 1))
def test_matmul_int8_equals_python_integers(shape: Any, seed: int) -> None:
    """R15: both routes are the sum of products, empty shapes included."""
    rng = np.random.default_rng(seed)
    rows, depth, columns = shape
    x_q = rng.integers(-128, 128, (rows, depth), np.int8)
    w_q = rng.integers(-128, 128, (depth, columns), np.int8)
    want = [[sum(int(a) * int(b) for a, b in zip(r, c, strict=True)) for c in w_q.T] for r in x_q]
    assert matmul_int8(x_q, w_q).tolist() == want
    assert equals_plain(matmul_int8_blas, x_q, w_q)


def test_matmul_int8_at_the_largest_depth() -> None:
    """C5: at K = MAX_K the worst sum still fits int32; one more is refused by both routes."""
    x_q, w_q = np.full((1, MAX_K), -128, np.int8), np.full((MAX_K, 1), -128, np.int8)
    for product in (matmul_int8, matmul_int8_blas):
        assert product(x_q, w_q).item() == MAX_K * 128 * 128 <= 2**31 - 1
        with pytest.raises(ValueError, match="C5"):
            product(np.zeros((1, MAX_K + 1), np.int8), np.zeros((MAX_K + 1, 1), np.int8))


@pytest.mark.parametrize("product", [matmul_int8, matmul_int8_blas])
def test_matmul_int8_refuses_bad_operands(product: Any) -> None:
    """A wrong dtype, rank or depth is named."""
    good = np.zeros((2, 2), np.int8)
    with pytest.raises(TypeError, match="w_q has dtype float64"):
        product(good, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="must be a matrix"):
        product(np.zeros(2, np.int8), good)
    with pytest.raises(ValueError, match="do not agree"):
        product(good, np.zeros((3, 2), np.int8))


@pytest.mark.parametrize("product", [matmul_int8, matmul_int8_blas])
def test_matmul_int8_ignores_memory_layout(product: Any) -> None:
    """Fortran order and strided views give the same numbers and leave the operands alone."""
    rng = np.random.default_rng(0)
    x_q, w_q = rng.integers(-128, 128, (6, 10), np.int8), rng.integers(-128, 128, (10, 4), np.int8)
    want = product(x_q, w_q)
    before = x_q.copy(), w_q.copy()
    assert (product(np.asfortranarray(x_q), np.asfortranarray(w_q)) == want).all()
    assert (product(x_q[::2], w_q[:, ::-1]) == want[::2, ::-1]).all()
    assert (x_q == before[0]).all() and (w_q == before[1]).all()


@pytest.mark.parametrize("shape", [(1, 4_001, 5), (8, 301, 64), (200, 9, 100), (3, 4, 0), (0, 4, 3), (2, 0, 3)])
@pytest.mark.parametrize("apart", [0, 3])
def test_matmul_pair16_saturates_every_pair(shape: tuple[int, int, int], apart: int) -> None:
    """R36 pair by pair, in plain integers: however many pairs, rows and outputs are corrected at a time."""
    b, k, n = shape
    rng = np.random.default_rng([b, k, n])
    x_q = rng.integers(0, 256, (b, k)).astype(np.uint8) | np.uint8(128)
    w_q = rng.integers(-128, 128, (k, n)).astype(np.int8)
    x, w = x_q.astype(np.int64), w_q.astype(np.int64)
    want, exact = np.zeros((b, n), np.int64), x @ w
    for first, last in ((0, min(apart, k)), (min(apart, k), k)):
        for i in range(first, last, 2):
            end = min(i + 2, last)
            want += (x[:, i:end] @ w[i:end]).clip(-(2**15), 2**15 - 1)
    np.testing.assert_array_equal(matmul_pair16(x_q, w_q, apart if k else 0), want)
    assert k < 9 or not want.size or (want != exact).any(), "something saturates"
