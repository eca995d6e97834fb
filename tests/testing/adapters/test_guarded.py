"""Watched memory: a write outside a view is seen, wherever it lands, and one inside is told apart."""

from typing import Any

import numpy as np
import pytest

from npquant.testing.adapters.guarded import MARGIN, watched


@pytest.mark.parametrize(
    ("shape", "strides"), [((3, 4), (4, 1)), ((3, 4), (1, 3)), ((3, 4), (9, 2)), ((3, 4), (-6, 1)), ((2, 3), (-1, -5))]
)
def test_every_byte_outside_is_watched(shape: Any, strides: Any) -> None:
    """Changing any one byte of the buffer is a change outside, or inside, and never both or neither."""
    codes = np.arange(np.prod(shape), dtype=np.int8).reshape(shape)
    laid = watched(shape, strides, codes.dtype, 0xA5, codes)
    assert laid.view.tolist() == codes.tolist() and laid.view.strides == strides
    inside = 0
    for i in range(laid.buffer.size):
        laid.buffer[i] ^= 1
        assert laid.outside_changed() != laid.inside_changed()
        inside += laid.inside_changed()
        laid.buffer[i] ^= 1
    assert inside == codes.size and not laid.outside_changed() and not laid.inside_changed()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_empty_view_has_margins(shape: Any) -> None:
    """An empty array has an address of its own, and nothing but margins."""
    laid = watched(shape, (max(shape[1], 1), 1), np.dtype(np.int8), 0x5A)
    assert laid.view.shape == shape and laid.outside.all() and laid.buffer.size >= 2 * MARGIN


def test_wide_types_are_laid_byte_by_byte() -> None:
    """int32 and float32 arrays are watched too."""
    values = np.array([1, -2, 3], np.int32)
    laid = watched((3,), (4,), values.dtype, 0xA5, values)
    assert laid.view.tolist() == [1, -2, 3] and (~laid.outside).sum() == 12
    laid.view[1] = 5
    assert laid.inside_changed() and not laid.outside_changed()
