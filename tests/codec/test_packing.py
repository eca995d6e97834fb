"""Laws of packed codes: P1 and P2 are read back exactly, in P3 bytes, and one array has one encoding."""

from math import ceil, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.codec.packing import (
    pack_codes,
    pack_fields,
    pack_ternary,
    packed_bytes,
    unpack_codes,
    unpack_fields,
    unpack_ternary,
)

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)


@st.composite
def codes_of(draw: st.DrawFn, bits: Any) -> Any:
    """Codes of a width, of any shape: empty, one-wide and scalar ones too."""
    half = 1 << (bits - 1)
    return draw(hnp.arrays(np.int8, draw(SHAPES), elements=st.integers(-half, half - 1)))


def written_out(q: Any, bits: Any) -> Any:
    """P1, digit by digit."""
    digits = [(int(code) >> place) & 1 for code in q.reshape(-1) for place in range(bits)]
    sums = [0] * ceil(q.size * bits / 8)
    for j, digit in enumerate(digits):
        sums[j // 8] += digit << (j % 8)
    return sums


def law_is_p1(pack: Any, q: Any, bits: Any) -> None:
    packed = pack(q, bits)
    assert packed.dtype == np.uint8
    assert packed.tolist() == written_out(q, bits)


def law_reads_back(pack: Any, unpack: Any, q: Any, bits: Any) -> None:
    back = unpack(pack(q, bits), bits, q.shape)
    assert back.dtype == np.int8 and back.shape == q.shape
    np.testing.assert_array_equal(back, q)


@given(st.data(), st.integers(2, 8))
def test_pack_codes_is_p1_and_reads_back(data: st.DataObject, bits: Any) -> None:
    """The stream is P1, takes P3 bytes, and is read back exactly: values, dtype and shape."""
    q = data.draw(codes_of(bits))
    law_is_p1(pack_codes, q, bits)
    law_reads_back(pack_codes, unpack_codes, q, bits)
    assert pack_codes(q, bits).size == packed_bytes(q.size, bits)


def test_pack_codes_laws_kill_wrong_ones() -> None:
    """The laws fail on a stream of the most significant bit first, and on a reader that forgets the sign."""
    q = np.array([[-4, 3, 1], [0, -1, 2]], np.int8)

    def most_significant_first(q: Any, bits: Any) -> Any:
        stream = np.unpackbits(q.reshape(-1, 1).view(np.uint8), axis=1)[:, 8 - bits :]
        return np.packbits(stream.reshape(-1))

    def without_sign(packed: Any, bits: Any, shape: Any) -> Any:
        return unpack_codes(packed, bits, shape) & np.int8((1 << bits) - 1)

    with pytest.raises(AssertionError):
        law_is_p1(most_significant_first, q, 3)
    with pytest.raises(AssertionError):
        law_reads_back(pack_codes, without_sign, q, 3)


@pytest.mark.parametrize("bits", range(2, 9))
def test_pack_codes_of_zeros_are_zero_bytes(bits: Any) -> None:
    """A zero code is zero bits, whatever the width."""
    assert not pack_codes(np.zeros((3, 1), np.int8), bits).any()


@pytest.mark.parametrize("bits", range(2, 9))
def test_pack_codes_every_code_of_a_width(bits: Any) -> None:
    """Both ends of the interval, and all between them, survive in a memory order other than C."""
    q = np.arange(-(1 << bits - 1), 1 << bits - 1).astype(np.int8).reshape(2, -1)
    np.testing.assert_array_equal(unpack_codes(pack_codes(q.T, bits), bits, q.T.shape), q.T)


def law_is_p2(pack: Any, q: Any) -> None:
    flat = [*q.reshape(-1).tolist(), *[0] * (-q.size % 5)]
    expected = [sum((flat[i + k] + 1) * 3**k for k in range(5)) for i in range(0, len(flat), 5)]
    assert pack(q).dtype == np.uint8
    assert pack(q).tolist() == expected


@given(SHAPES.flatmap(lambda shape: hnp.arrays(np.int8, shape, elements=st.integers(-1, 1))))
def test_pack_ternary_is_p2_and_reads_back(q: Any) -> None:
    """The bytes are P2, ceil(n / 5) of them (P3), and are read back exactly: values, dtype and shape."""
    law_is_p2(pack_ternary, q)
    packed = pack_ternary(q)
    back = unpack_ternary(packed, q.shape)
    assert packed.size == -(-q.size // 5) and back.dtype == np.int8 and back.shape == q.shape
    np.testing.assert_array_equal(back, q)


def test_pack_ternary_law_kills_a_reversed_one() -> None:
    """The law fails on a packing that puts the first code at the highest place."""
    with pytest.raises(AssertionError):
        law_is_p2(lambda q: pack_ternary(q.reshape(-1, 5)[:, ::-1]), np.array([1, 0, -1, 0, 0], np.int8))


@given(st.integers(2, 8), st.integers(0, 9), st.data())
def test_unpack_codes_has_one_encoding(bits: Any, n: Any, data: st.DataObject) -> None:
    """A stream of the right length is refused, or is exactly what packing gives for its codes."""
    packed = data.draw(hnp.arrays(np.uint8, packed_bytes(n, bits)))
    try:
        q = unpack_codes(packed, bits, (n,))
    except ValueError as error:
        assert "spare bit" in str(error)
    else:
        np.testing.assert_array_equal(pack_codes(q, bits), packed)


@given(st.integers(0, 12), st.data())
def test_unpack_ternary_has_one_encoding(n: Any, data: st.DataObject) -> None:
    """A stream of the right length is refused, or is exactly what packing gives for its codes."""
    packed = data.draw(hnp.arrays(np.uint8, -(-n // 5)))
    try:
        q = unpack_ternary(packed, (n,))
    except ValueError as error:
        assert "ternary" in str(error)
    else:
        np.testing.assert_array_equal(pack_ternary(q), packed)


@pytest.mark.parametrize("bits", range(2, 8))
def test_pack_codes_refuses_what_does_not_fit(bits: Any) -> None:
    """The first code past either end is refused; nothing saturates."""
    half = 1 << (bits - 1)
    for code in (half, -half - 1):
        with pytest.raises(ValueError, match=f"{bits} bits hold"):
            pack_codes(np.array([code], np.int8), bits)


def test_packing_refuses_other_types_widths_and_lengths() -> None:
    """Types, widths and lengths that are no packed codes are named."""
    q = np.zeros(3, np.int8)
    for bits in (1, 9):
        with pytest.raises(ValueError, match="bits must lie in"):
            pack_codes(q, bits)
    with pytest.raises(ValueError, match="negative"):
        packed_bytes(-1, 4)
    with pytest.raises(TypeError, match="int8"):
        pack_codes(q.astype(np.int16), 4)
    with pytest.raises(TypeError, match="int8"):
        pack_ternary(q.astype(np.float32))
    with pytest.raises(ValueError, match="ternary codes hold"):
        pack_ternary(np.array([2], np.int8))
    for unpack in (lambda p: unpack_codes(p, 4, (3,)), lambda p: unpack_ternary(p, (6,))):
        with pytest.raises(TypeError, match="uint8"):
            unpack(np.zeros(2, np.int8))
        for wrong in (np.zeros(1, np.uint8), np.zeros(3, np.uint8), np.zeros((1, 2), np.uint8)):
            with pytest.raises(ValueError, match="take 2 bytes"):
                unpack(wrong)
    assert prod(()) == 1 and unpack_codes(np.array([5], np.uint8), 8, ()).item() == 5


def law_fields_are_p1(pack: Any, values: Any, width: int) -> None:
    """P1 of unsigned numbers, digit by digit, and back."""
    number = sum(int(value) << (i * width) for i, value in enumerate(values))
    packed = pack(values, width)
    assert packed.dtype == np.uint8 and packed.tobytes() == number.to_bytes(ceil(len(values) * width / 8), "little")
    np.testing.assert_array_equal(unpack_fields(packed, width, len(values)), values)


@given(st.integers(1, 16), st.data())
def test_pack_fields_is_p1_and_reads_back(width: int, data: st.DataObject) -> None:
    """Unsigned numbers of 1 to 16 bits are one large number, lowest first; the law kills another number."""
    values = data.draw(hnp.arrays(np.uint16, st.integers(0, 20), elements=st.integers(0, (1 << width) - 1)))
    law_fields_are_p1(pack_fields, values, width)
    if width > 1 and len(values) and values[0] not in (0, (1 << width) - 1):
        with pytest.raises(AssertionError):
            law_fields_are_p1(lambda v, w: pack_fields(((1 << w) - 1 - v).astype(np.uint16), w), values, width)


def test_fields_refuse_what_does_not_fit() -> None:
    """A number too large, widths of 0 and 17, another length and a spare bit are refused."""
    for values, width in (([4], 2), ([0], 0), ([0], 17)):
        with pytest.raises(ValueError, match="widths are 1 to 16"):
            pack_fields(np.array(values, np.uint16), width)
    with pytest.raises(ValueError, match="take 2 bytes"):
        unpack_fields(np.zeros(1, np.uint8), 3, 3)
    with pytest.raises(ValueError, match="spare bit"):
        unpack_fields(np.array([8], np.uint8), 3, 1)
