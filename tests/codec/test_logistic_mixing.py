"""Laws of the tables A5 and A6: they are the logistic function and its inverse, in integers."""

from math import exp, log
from typing import Any

import pytest

from npquant.codec.logistic_mixing import LIMIT, SQUASH, STRETCH


def law_is_logistic(squash: Any) -> None:
    """Within one unit of 2^16 / (1 + e^(-x/256)), rising, and the two sides of 0 add up to 1."""
    assert len(squash) == 2 * LIMIT + 1
    for x in range(-LIMIT, LIMIT + 1):
        assert abs(squash[x + LIMIT] - 65536 / (1 + exp(-x / 256))) < 1
        assert squash[x + LIMIT] + squash[LIMIT - x] == 65536
    assert list(squash) == sorted(squash)


def test_squash_is_the_logistic_function() -> None:
    """A5; the law fails on a table of another step."""
    law_is_logistic(SQUASH)
    with pytest.raises(AssertionError):
        law_is_logistic([round(65536 / (1 + exp(-x / 255))) for x in range(-LIMIT, LIMIT + 1)])


def law_is_inverse(stretch: Any) -> None:
    """A6 by search, and within a step of the real log odds where the limit does not hold it."""
    assert len(stretch) == 4096
    for i in range(0, 4096, 7):
        p = 16 * i + 8
        found = next((x for x in range(-LIMIT, LIMIT + 1) if SQUASH[x + LIMIT] >= p), LIMIT)
        assert stretch[i] == found
        # A unit of p is 256 / (65536 p (1 - p)) units of x; A5 and A6 are off by less than one each.
        share = p / 65536
        if abs(found) < LIMIT:
            assert abs(found - 256 * log(share / (1 - share))) <= 2 + 1 / (256 * share * (1 - share))


def test_stretch_is_the_inverse() -> None:
    """A6; the law fails on a table that rounds to the nearest."""
    law_is_inverse(STRETCH)
    with pytest.raises(AssertionError):
        law_is_inverse([x - 1 for x in STRETCH])
