"""Laws of the divergence that ranks candidates, and of the probabilities under it."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.nn.losses import kl_divergence, log_softmax

Float = NDArray[np.float64]
Divergence = Callable[[Float, Float], float]


def drawn_logits(seed: int, *, spread: float = 4.0) -> Float:
    return np.random.default_rng(seed).normal(0, spread, (7, 5))


def law_not_negative_and_zero_for_shifted(divergence: Divergence, seed: int) -> None:
    """M2. KL >= 0, and 0 where logits differ by a constant a row."""
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
    """KL >= 0, and 0 where logits differ by a constant a row."""
    law_not_negative_and_zero_for_shifted(kl_divergence, seed)


def test_kl_divergence_weighted_by_the_reference() -> None:
    """A class that the reference excludes does not count."""
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
def test_log_softmax_refuses(bad: Float) -> None:
    """NaN, inf and wrong shapes are errors that say so."""
    with pytest.raises(ValueError, match="logits"):
        log_softmax(bad)


def test_kl_divergence_refuses_unequal_and_empty() -> None:
    """Different rows, or none, have no divergence."""
    for a, b in ((np.zeros((2, 3)), np.zeros((3, 3))), (np.zeros((0, 3)), np.zeros((0, 3)))):
        with pytest.raises(ValueError, match="same R >= 1 rows"):
            kl_divergence(a, b)
