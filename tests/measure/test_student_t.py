"""Student's t against SciPy's and against its definition."""

from math import inf

import numpy as np
import pytest

from npquant.measure.student_t import t_below, t_quantile


@pytest.mark.parametrize("freedom", [2, 3, 4, 5, 10, 31, 200, 4999])
def test_t_below_is_the_integral_of_the_density(freedom: int) -> None:
    """SciPy's value, to a thousand roundings."""
    stats = pytest.importorskip("scipy.stats")
    for t in (-30.0, -2.5, -1e-6, 0.0, 0.3, 1.96, 7.0, 1e4):
        assert t_below(t, freedom) == pytest.approx(float(stats.t.cdf(t, freedom)), abs=1000 * np.finfo(float).eps)


def test_t_below_at_the_ends() -> None:
    """Half at 0, all at infinity, one angle for one degree of freedom: P(T <= 1) = 3/4."""
    assert (t_below(inf, 3), t_below(-inf, 3), t_below(0.0, 7)) == (1.0, 0.0, 0.5)
    assert abs(t_below(1.0, 1) - 0.75) <= 4 * np.finfo(float).eps


def test_t_below_goes_over_to_the_normal_distribution() -> None:
    """Where the series stops being used, the difference is below 1e-4."""
    assert all(abs(t_below(t, 4999) - t_below(t, 5000)) < 1e-4 for t in (-3.0, -1.0, 0.5, 1.96, 4.0))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.975])
@pytest.mark.parametrize("freedom", [1, 7, 300, 10_000])
def test_t_quantile_undoes_t_below(share: float, freedom: int) -> None:
    """The probability below the quantile is the share."""
    assert abs(t_below(t_quantile(share, freedom), freedom) - share) < 1e-12


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_t_quantile_refuses(share: float) -> None:
    """No quantile stands at the ends."""
    with pytest.raises(ValueError, match="share"):
        t_quantile(share, 3)
