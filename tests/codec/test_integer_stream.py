"""Laws of the stream of integers (I1 to I3): read back, shorter for small and for even ones, damage refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.codec.integer_stream import decode_integers, encode_integers

INTEGERS = st.tuples(
    hnp.arrays(np.int64, st.integers(0, 40), elements=st.integers(-(2**31), 2**31 - 1)), st.integers(0, 31)
).map(lambda drawn: (drawn[0] >> drawn[1]).astype(np.int32))


def law_reads_back(encode: Any, decode: Any, values: Any) -> None:
    back = decode(encode(values), len(values))
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, values)


@given(INTEGERS, st.integers(0, 31))
def test_integers_read_back(values: Any, shift: Any) -> None:
    """Any int32 are read back, -2^31 and zeros included, at every common power of two."""
    law_reads_back(encode_integers, decode_integers, values)
    law_reads_back(encode_integers, decode_integers, (values.astype(np.int64) << shift).astype(np.int32))


def test_law_kills_wrong_ones() -> None:
    """The law fails on a writer that loses the common power, and on a reader that loses the sign."""
    values = np.array([8, -24, 0, 2**30], np.int32)
    with pytest.raises(AssertionError):
        law_reads_back(lambda v: encode_integers(v >> 3), decode_integers, values)
    with pytest.raises(AssertionError):
        law_reads_back(encode_integers, lambda data, n: np.abs(decode_integers(data, n)), values)


def law_powers_are_free(encode: Any, values: Any) -> None:
    """I1: a common power of two changes the first byte alone."""
    for step in range(8):
        assert encode(values << step)[1:] == encode(values)[1:]
        assert encode(values << step)[0] == encode(values)[0] + step


def test_common_power_of_two_is_stored_once() -> None:
    """I1, and a writer that does not look for one fails."""
    values = np.random.default_rng(0).integers(-(2**20), 2**20, 50).astype(np.int32)
    values[7] = 1
    law_powers_are_free(encode_integers, values)
    with pytest.raises(AssertionError):
        law_powers_are_free(lambda v: encode_integers(v | 1), values)


@pytest.mark.parametrize("bits", [4, 10, 20, 31])
def test_integers_take_about_their_own_bits(bits: Any) -> None:
    """Uniform integers of b bits and a sign take b + 1 bits each, and half a bit each for what is learned."""
    values = np.random.default_rng(bits).integers(-(2**bits) + 1, 2**bits, 300)
    values[0] = 1
    assert len(encode_integers(values.astype(np.int32))) < 300 * (bits + 1.5) / 8 + 3


@given(st.binary(max_size=30), st.integers(0, 40))
def test_any_bytes_are_integers_or_refused(data: Any, count: int) -> None:
    """Any bytes are as many int32 as asked for, or a ValueError."""
    try:
        assert decode_integers(data, count).shape == (count,)
    except ValueError as error:
        assert "damaged" in str(error)


def test_integers_refuse_other_types_and_damage() -> None:
    """Another dtype, no bytes, an exponent beyond 31, and what leaves int32 are refused."""
    with pytest.raises(TypeError, match="int32"):
        encode_integers(np.zeros(3, np.int64))
    for bad in (b"", b"\x20"):
        with pytest.raises(ValueError, match="exponent of 0 to 31"):
            decode_integers(bad, 1)
    large = encode_integers(np.array([2**31 - 1], np.int32))
    with pytest.raises(ValueError, match="leaves int32"):
        decode_integers(b"\1" + large[1:], 1)
