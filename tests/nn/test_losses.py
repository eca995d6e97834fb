"""Losses are their equations; the divergence has its laws; nothing overflows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.nn.losses import LOSSES, kl_divergence, log_softmax

Divergence = Callable[[Float64, Float64], float]


def softmax_cross_entropy_by_rows(logits: Float64, y: NDArray[Any]) -> float:
    """F6 as the page writes it, row by row."""
    return sum(np.log(np.exp(row).sum()) - row[c] for row, c in zip(logits, y, strict=True)) / len(y)


def soft_cross_entropy_by_rows(logits: Float64, y: NDArray[Any]) -> float:
    """F12 as the page writes it, row by row."""
    return sum(np.log(np.exp(row).sum()) - (t * row).sum() for row, t in zip(logits, y, strict=True)) / len(y)


def squared_error_by_rows(logits: Float64, y: NDArray[Any]) -> float:
    """F7 as the page writes it, row by row."""
    return sum(((row - t) ** 2).sum() for row, t in zip(logits, y, strict=True)) / (2 * len(y))


BY_ROWS = (softmax_cross_entropy_by_rows, soft_cross_entropy_by_rows, squared_error_by_rows)
NAMES = ("softmax_cross_entropy", "soft_cross_entropy", "squared_error")


def law_is_the_equation(loss: Callable[[Float64, NDArray[Any]], float], equation: int, seed: int) -> None:
    """The loss of drawn logits is that of the equation, up to the roundings of sums of 28 terms of size 32."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(7, 4))
    y = (rng.integers(0, 4, 7), rng.dirichlet(np.ones(4), 7), rng.normal(size=(7, 4)))[equation]
    assert abs(loss(logits, y) - BY_ROWS[equation](logits, y)) <= 28 * 32 * np.finfo(float).eps


@pytest.mark.parametrize("equation", range(3))
@given(seed=st.integers(0, 2**32 - 1))
def test_losses_are_their_equations(equation: int, seed: int) -> None:
    """F6, F7, F12: each loss is the mean over rows that its page writes."""
    law_is_the_equation(lambda logits, y: LOSSES[NAMES[equation]][0](logits, y)[0], equation, seed)


@pytest.mark.parametrize("equation", range(3))
def test_losses_law_kills_a_sum_over_rows(equation: int) -> None:
    """A loss that forgets the mean is seen."""
    with pytest.raises(AssertionError):
        law_is_the_equation(lambda logits, y: 7 * LOSSES[NAMES[equation]][0](logits, y)[0], equation, 0)


def drawn_logits(seed: int, *, spread: float = 4.0) -> Float64:
    return np.random.default_rng(seed).normal(0, spread, (7, 5))


def law_not_negative_and_zero_for_shifted(divergence: Divergence, seed: int) -> None:
    """KL >= 0, and 0 where logits differ by a constant a row."""
    reference, other = drawn_logits(seed), drawn_logits(seed + 1)
    assert divergence(reference, other) > 0
    # 5 classes: each log-probability is off by a few ulps of the largest logit after the shift.
    bound = 64 * np.finfo(np.float64).eps * float(np.abs(reference).max() + 8)
    assert divergence(reference, reference + np.arange(7.0)[:, None]) <= bound


def law_weighted_by_the_reference(divergence: Divergence) -> None:
    """A class that the reference excludes does not count, however it is rated."""
    sure = np.array([[0.0, -800.0]])
    assert divergence(sure, np.array([[0.0, -5.0]])) < 0.01
    assert divergence(np.array([[0.0, -5.0]]), sure) > 1.0


@given(st.integers(0, 2**32 - 2))
def test_kl_divergence_not_negative(seed: int) -> None:
    """M2: KL >= 0, and 0 where logits differ by a constant a row."""
    law_not_negative_and_zero_for_shifted(kl_divergence, seed)


def test_kl_divergence_weighted_by_the_reference() -> None:
    """M2: the reference's probabilities weigh; a class that it excludes does not count."""
    law_weighted_by_the_reference(kl_divergence)


def test_kl_divergence_laws_kill_wrong_ones() -> None:
    """The laws fail on a divergence of unnormalized logits and on one with its arguments exchanged."""
    with pytest.raises(AssertionError):
        law_not_negative_and_zero_for_shifted(lambda p, q: float(np.mean(np.square(p - q))), 0)
    with pytest.raises(AssertionError):
        law_weighted_by_the_reference(lambda p, q: kl_divergence(q, p))


def test_log_softmax_sums_to_one_at_any_size() -> None:
    """Probabilities sum to 1, also for logits that no exponential holds."""
    total = np.exp(np.maximum(log_softmax(drawn_logits(3, spread=1e4)), -700)).sum(axis=1)
    np.testing.assert_allclose(total, 1.0, rtol=8 * np.finfo(np.float64).eps * 5)


@pytest.mark.parametrize("bad", [np.array([[np.nan, 0.0]]), np.array([[np.inf, 0.0]]), np.zeros(3)])
def test_log_softmax_refuses(bad: Float64) -> None:
    """NaN, inf and wrong shapes are errors that say so."""
    with pytest.raises(ValueError, match="logits"):
        log_softmax(bad)


def test_kl_divergence_refuses_unequal_and_empty() -> None:
    """Different rows, or none, have no divergence."""
    for a, b in ((np.zeros((2, 3)), np.zeros((3, 3))), (np.zeros((0, 3)), np.zeros((0, 3)))):
        with pytest.raises(ValueError, match="same R >= 1 rows"):
            kl_divergence(a, b)
