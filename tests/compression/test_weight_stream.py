"""Laws of the shortest weight stream (W1, W2): decoding undoes encoding, and no form would be shorter."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.compression.packing import pack_codes, pack_ternary
from npquant.compression.weight_stream import decode_weights, encode_weights, weights_bytes

FORMS = ["ternary", *(f"dense{bits}" for bits in range(2, 9)), *(f"oriented{bits}" for bits in range(2, 8))]


@st.composite
def matrices(draw):
    """Codes of 1..8 bits on the grid, its mirror image, or some neurons on each: empty and one-wide ones too."""
    half = 1 << (draw(st.integers(1, 8)) - 1)
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=11))
    q = draw(hnp.arrays(np.int16, shape, elements=st.integers(-half, half - 1)))
    flip = draw(hnp.arrays(np.bool_, shape[1]))
    return np.clip(np.where(flip, -q, q), -128, 127).astype(np.int8)


def law_reads_back(encode, decode, w_q):
    form, stream = encode(w_q)
    back = decode(form, stream, w_q.shape)
    assert form in FORMS and stream.ndim == 1 and stream.dtype == np.uint8
    assert stream.size == weights_bytes(form, w_q.shape)
    assert back.dtype == np.int8 and back.shape == w_q.shape
    np.testing.assert_array_equal(back, w_q)


def holds(form, w_q):
    """Whether a form can express the codes, by W1 and W2 in plain integers."""
    columns = [[int(v) for v in column] for column in w_q.T]
    if form == "ternary":
        return all(-1 <= v <= 1 for column in columns for v in column)
    half = 1 << (int(form[-1]) - 1)
    sides = [[-half <= min(s) and max(s) < half for s in (c, [-v for v in c])] for c in columns if c]
    return all(side[0] or (side[1] and form.startswith("oriented")) for side in sides)


def law_shortest(encode, w_q):
    taken = encode(w_q)[1].size
    assert taken == min(weights_bytes(form, w_q.shape) for form in FORMS if holds(form, w_q))


@given(matrices())
@example(np.zeros((0, 3), np.int8))
@example(np.zeros((3, 0), np.int8))
@example(np.zeros((4, 4), np.int8))
@example(np.array([[-128, 127]], np.int8))
@example(np.array([[-64, 64]] * 9, np.int8))
def test_encode_weights_reads_back_and_is_shortest(w_q):
    """decode(encode(w_q)) is w_q, and no form that holds the codes takes fewer bytes."""
    law_reads_back(encode_weights, decode_weights, w_q)
    law_shortest(encode_weights, w_q)


@pytest.mark.parametrize("bits", range(2, 9))
def test_encode_weights_every_width(bits):
    """Each width is reached in the dense form, and below 8 bits in the oriented one."""
    half = 1 << (bits - 1)
    grid = np.tile(np.arange(-half, half).astype(np.int8)[:, None], 3)
    assert encode_weights(grid)[0] == f"dense{bits}"
    law_reads_back(encode_weights, decode_weights, grid)
    if bits < 8:
        mixed = np.tile(grid, (4, 1))
        mixed[:, 1] = -mixed[:, 1]
        assert encode_weights(mixed)[0] == f"oriented{bits}"
        law_reads_back(encode_weights, decode_weights, mixed)


def test_encode_weights_laws_kill_wrong_ones():
    """The laws fail on an encoder that never orients, one that never looks for ternary, one that loses the flags."""
    mixed = np.array([[-2, 2]] * 12, np.int8)

    def dense_only(w_q):
        bits = 1 + int(max(w_q.max(), ~w_q.min())).bit_length()
        return f"dense{bits}", pack_codes(w_q, max(bits, 2))

    with pytest.raises(AssertionError):
        law_shortest(dense_only, mixed)
    with pytest.raises(AssertionError):
        law_shortest(lambda w_q: ("dense2", pack_codes(w_q, 2)), np.ones((4, 5), np.int8))
    with pytest.raises(AssertionError):
        law_reads_back(encode_weights, lambda f, s, shape: decode_weights("dense2", s[:-1], shape), mixed)
    with pytest.raises(AssertionError):
        law_reads_back(lambda w_q: ("ternary", pack_ternary(-w_q)), decode_weights, np.eye(3, dtype=np.int8))


def test_decode_weights_refuses_damage():
    """A form that does not exist, a wrong length, and a spare flag that is set are refused."""
    form, stream = encode_weights(np.array([[-2, 2]] * 12, np.int8))
    assert form == "oriented2"
    for bad in ("dense1", "dense9", "oriented8", "dense22", "", "dense2\n"):
        with pytest.raises(ValueError, match=re.escape(f"unknown form {bad!r}")):
            decode_weights(bad, stream, (12, 2))
        with pytest.raises(ValueError, match="unknown form"):
            weights_bytes(bad, (12, 2))
    spare = stream.copy()
    spare[-1] |= 4
    for wrong in (stream[:-1], np.append(stream, np.uint8(0)), spare):
        with pytest.raises(ValueError, match="flag bit"):
            decode_weights(form, wrong, (12, 2))
    with pytest.raises(TypeError, match="int8"):
        encode_weights(np.zeros((2, 2), np.int16))
