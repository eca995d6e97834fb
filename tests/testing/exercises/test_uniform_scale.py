"""The exercise on the scale that fits: a solution written in another way passes, those that everybody writes do not."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.testing.exercises import check

Floats = NDArray[np.float64]


def by_table(w: Floats, scales: Floats, qmin: int, qmax: int) -> float:
    """Compare every weight with every point of every grid."""
    points = scales[:, None] * np.arange(qmin, qmax + 1)
    off = np.abs(points[:, None, :] - w[:, None]).min(axis=2)
    return float(scales[np.argmin((off**2).sum(axis=1))])


def without_saturation(w: Floats, scales: Floats, qmin: int, qmax: int) -> float:
    """The finest grid always fits best, if it has no end."""
    return float(min(scales, key=lambda s: ((w - s * np.rint(w / s)) ** 2).sum()))


def absmax(w: Floats, scales: Floats, qmin: int, qmax: int) -> float:
    """Nothing may saturate."""
    enough = [s for s in scales if s * qmax >= np.abs(w).max()]
    return float(min(enough, default=max(scales)))


def test_choose_scale_passes_another_way() -> None:
    """The nearest point of a grid is what rounding and saturation give."""
    assert check("choose_scale", by_table).right


def test_choose_scale_kills_what_everybody_writes() -> None:
    """No saturation, and no weight beyond the grid, are both seen."""
    wrong: tuple[Any, ...] = (without_saturation, absmax)
    for answer in wrong:
        assert not check("choose_scale", answer).right
    assert "should give" in check("choose_scale", without_saturation).words
