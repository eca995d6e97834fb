"""Losses and the divergence are their equations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.nn.losses import LOSSES, kl_divergence


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


def kl_by_rows(reference: Float64, logits: Float64) -> float:
    """M2 as the page writes it, row by row."""
    total = 0.0
    for one, two in zip(reference, logits, strict=True):
        p, q = (np.exp(row) / np.exp(row).sum() for row in (one, two))
        total += float((p * (np.log(p) - np.log(q))).sum())
    return total / len(logits)


def law_is_the_divergence(divergence: Callable[[Float64, Float64], float], seed: int) -> None:
    """The divergence of drawn logits is that of the equation, up to the roundings of 28 terms of size 32."""
    reference, logits = np.random.default_rng(seed).normal(size=(2, 7, 4))
    assert abs(divergence(reference, logits) - kl_by_rows(reference, logits)) <= 28 * 32 * np.finfo(float).eps


@given(seed=st.integers(0, 2**32 - 1))
def test_kl_divergence_is_its_equation(seed: int) -> None:
    """M2: the mean over rows of sum_c p (log p - log q), p the reference's."""
    law_is_the_divergence(kl_divergence, seed)


def test_kl_divergence_law_kills_the_other_direction() -> None:
    """A divergence weighed by the candidate's probabilities is seen."""
    with pytest.raises(AssertionError):
        law_is_the_divergence(lambda p, q: kl_divergence(q, p), 0)
