"""Laws of the sets: the test rows open once, calibration rows are training rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.data.sets import CALIBRATION_ROWS, SealedRows, load_sets


def law_opens_once(seal: Callable[[], SealedRows]) -> None:
    """The second opening raises."""
    sealed = seal()
    sealed.open()
    with pytest.raises(RuntimeError, match="opened before"):
        sealed.open()


def sealed_rows() -> SealedRows:
    return SealedRows(np.zeros((2, 1)), np.zeros(2, np.int64))


class LeakyRows(SealedRows):
    """Opens as often as asked."""

    def open(self) -> Any:
        return np.zeros((2, 1)), np.zeros(2, np.int64)


def test_sealed_rows_open_once() -> None:
    """The second opening raises."""
    law_opens_once(sealed_rows)


def test_sealed_rows_law_kills_leaky_ones() -> None:
    """A seal that can be opened twice breaks the law."""
    with pytest.raises(pytest.fail.Exception):
        law_opens_once(lambda: LeakyRows(np.zeros((2, 1)), np.zeros(2, np.int64)))


def test_load_sets_calibration_rows_are_training_rows() -> None:
    """Calibration looks at training rows alone, at most 2,048 of them."""
    sets = load_sets(None, 0)
    assert np.isin(sets.calibration, sets.split.train).all()
    assert sets.calibration.size <= CALIBRATION_ROWS


def test_load_sets_many_rows_are_drawn_without_repetition(tmp_path: Path) -> None:
    """A large set gives 2,048 different training rows, the same for the same seed."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "many.npz", x=rng.integers(0, 9, (4000, 2)), y=rng.integers(0, 2, 4000))
    one, two = (load_sets(str(tmp_path / "many.npz"), 5).calibration for _ in range(2))
    assert np.unique(one).size == CALIBRATION_ROWS
    np.testing.assert_array_equal(one, two)
    assert np.isin(one, load_sets(str(tmp_path / "many.npz"), 5).split.train).all()
