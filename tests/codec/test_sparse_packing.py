"""Laws of the bitmask and the relative index (V1 to V4): read back, as short as they say, damage refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npquant.codec.sparse_packing import (
    decode_bitmask,
    decode_relative,
    encode_bitmask,
    encode_relative,
    value_bits,
)


@st.composite
def values(draw: st.DrawFn) -> Any:
    """Values of 1 to 8 bits at every density, of any shape, empty and one-wide ones too."""
    bits = draw(st.integers(1, 8))
    low, high = (-1, 1) if bits == 1 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    shape = draw(st.tuples(st.integers(0, 40), st.integers(0, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    keep = rng.random(shape) < draw(st.sampled_from([0.0, 0.003, 0.02, 0.3, 0.9, 1.0]))
    return np.where(keep, rng.integers(low, high + 1, shape), 0).astype(np.int8)


def law_reads_back(encode: Any, decode: Any, array: Any, bits: Any) -> None:
    back = decode(encode(array, bits), bits, array.shape)
    assert back.dtype == np.int8 and back.shape == array.shape
    np.testing.assert_array_equal(back, array)


@given(values())
@example(np.array([[-128, 127]], np.int8))
@example(np.zeros((40, 40), np.int8))
def test_sparse_forms_read_back(array: Any) -> None:
    """decode(encode(v)) is v, in the fewest bits that hold the values and in more."""
    bits = value_bits(array)
    for wide in {bits, max(bits, 2), 8}:
        if wide > 1 or bits == 1:
            law_reads_back(encode_bitmask, decode_bitmask, array, wide)
        if wide > 1:
            law_reads_back(encode_relative, decode_relative, array, wide)


@given(values())
def test_value_bits_are_the_fewest(array: Any) -> None:
    """V1: the fewest bits whose interval, without 0 for one bit, holds every value that is not 0."""
    found = {int(v) for v in array.reshape(-1) if v}
    fits = [b for b in range(2, 9) if all(-(1 << (b - 1)) <= v < 1 << (b - 1) for v in found)]
    assert value_bits(array) == (1 if found <= {-1, 1} else fits[0])


def law_bitmask_length(encode: Any, array: Any) -> None:
    assert len(encode(array, value_bits(array))) == -(-array.size // 8) - (
        -np.count_nonzero(array) * value_bits(array) // 8
    )


def relative_lengths(array: Any, width: int, bits: Any) -> Any:
    """V3, place by place: bytes of the gaps and of the values."""
    entries, gap = 0, 0
    for value in array.reshape(-1).tolist():
        if value:
            entries, gap = entries + 1 + gap // (1 << width), 0
        else:
            gap += 1
    return -(-entries * width // 8) + -(-entries * bits // 8)


def law_relative_length(encode: Any, array: Any) -> None:
    bits = max(2, value_bits(array))
    lengths = [relative_lengths(array, width, bits) for width in range(1, 17)]
    data = encode(array, bits)
    assert data[0] == 1 + int(np.argmin(lengths))
    # Behind g and the number of entries, a varint of up to 2 bytes here.
    assert len(data) - min(lengths) in (2, 3)


@given(values())
def test_sparse_forms_are_as_short_as_they_say(array: Any) -> None:
    """V2: a bit a code and b a value; V4: no gap width from 1 to 16 takes fewer bytes."""
    law_bitmask_length(encode_bitmask, array)
    law_relative_length(encode_relative, array)


def test_sparse_laws_kill_wrong_ones() -> None:
    """The laws fail on 8 bits for every value, a fixed gap width, a gap that is cut off, and a reader without signs."""
    array = np.zeros((30, 40), np.int8)
    array[::7, ::9] = -1
    with pytest.raises(AssertionError):
        law_bitmask_length(lambda a, _: encode_bitmask(a, 8), array)
    with pytest.raises(AssertionError):
        law_relative_length(lambda a, bits: encode_relative(np.ones_like(a), bits), array)
    with pytest.raises(AssertionError):
        law_reads_back(encode_relative, lambda data, b, shape: decode_relative(data, b, shape)[:, ::-1], array, 2)
    with pytest.raises(AssertionError):
        law_reads_back(encode_bitmask, lambda data, b, shape: np.abs(decode_bitmask(data, b, shape)), array, 1)


@pytest.mark.parametrize("density", [0.01, 0.02, 0.1, 0.5])
def test_best_gap_width_is_near_the_logarithm_of_the_density(density: Any) -> None:
    """Gaps of one in d places are stored best in about log2(1 / d) bits: never two more, never one less."""
    rng = np.random.default_rng(0)
    array = np.where(rng.random((300, 100)) < density, 3, 0).astype(np.int8)
    assert 0 <= encode_relative(array, 4)[0] - np.log2(1 / density) < 2


@given(st.sampled_from([decode_bitmask, decode_relative]), st.binary(max_size=40), st.integers(1, 8), st.data())
def test_any_bytes_are_values_or_refused(decode: Any, data: st.DataObject, bits: Any, drawn: Any) -> None:
    """Any bytes are values of the shape asked for, or a ValueError."""
    shape = drawn.draw(st.tuples(st.integers(0, 12), st.integers(0, 12)))
    try:
        assert decode(data, bits, shape).shape == shape
    except ValueError as error:
        assert str(error)


def test_sparse_forms_refuse_what_they_cannot_hold() -> None:
    """A value too wide, an entry beyond the end, a mask that is cut short and a gap width of 17 are refused."""
    with pytest.raises(ValueError, match="1 and -1 alone"):
        encode_bitmask(np.array([2], np.int8), 1)
    with pytest.raises(ValueError, match="3 bits hold"):
        encode_relative(np.array([4], np.int8), 3)
    data = encode_relative(np.array([[0, 0, 0, 1]], np.int8), 2)
    with pytest.raises(ValueError, match="place 3 of 3"):
        decode_relative(data, 2, (1, 3))
    with pytest.raises(ValueError, match="not 17"):
        decode_relative(b"\x11\x00", 2, (1, 3))
    with pytest.raises(ValueError, match="takes 2 bytes, 1 are there"):
        decode_bitmask(b"\0", 2, (3, 3))
