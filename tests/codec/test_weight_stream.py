"""Laws of the weight stream (W1 to W3): decoding undoes encoding in every form, and no form would be shorter."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.codec import weight_stream
from npquant.codec.packing import pack_codes, pack_ternary, packed_bytes
from npquant.codec.weight_stream import ENCODINGS, FORMS, decode_weights, encode_weights

DENSE = [form for form in FORMS if form.startswith(("ternary", "dense", "oriented"))]


@st.composite
def matrices(draw: st.DrawFn) -> Any:
    """Codes of 1..8 bits on the grid, its mirror image, or some neurons on each, of any density; a zero point."""
    half = 1 << (draw(st.integers(1, 8)) - 1)
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=11))
    q = draw(hnp.arrays(np.int16, shape, elements=st.integers(-half, half - 1)))
    flip = draw(hnp.arrays(np.bool_, shape[1]))
    zero = draw(
        st.one_of(st.just(0), st.integers(-128, 127), hnp.arrays(np.int16, shape[1]).map(lambda z: z % 256 - 128))
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    keep = rng.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.2, 0.9, 1.0]))
    return np.clip(np.where(keep, np.where(flip, -q, q), zero), -128, 127).astype(np.int8), zero


def law_reads_back(encode: Any, decode: Any, w_q: Any, zero: Any, encoding: Any) -> None:
    form, data = encode(w_q, zero, encoding)
    back = decode(form, data, w_q.shape, zero)
    assert form in FORMS and type(data) is bytes
    assert back.dtype == np.int8 and back.shape == w_q.shape
    np.testing.assert_array_equal(back, w_q)


def dense_bytes(form: Any, shape: Any) -> Any:
    """P3, and a flag bit a neuron."""
    if form == "ternary":
        return -(-shape[0] * shape[1] // 5)
    return packed_bytes(shape[0] * shape[1], int(form[-1])) + (-(-shape[1] // 8) if form[0] == "o" else 0)


def holds(form: Any, w_q: Any) -> Any:
    """Whether a dense form can express the codes, by W1 and W2 in plain integers."""
    columns = [[int(v) for v in column] for column in w_q.T]
    if form == "ternary":
        return all(-1 <= v <= 1 for column in columns for v in column)
    half = 1 << (int(form[-1]) - 1)
    sides = [[-half <= min(s) and max(s) < half for s in (c, [-v for v in c])] for c in columns if c]
    return all(side[0] or (side[1] and form.startswith("oriented")) for side in sides)


def law_shortest(encode: Any, w_q: Any) -> None:
    """W3: "dense" is the shortest dense form that holds the codes, "auto" the shortest of all."""
    taken = len(encode(w_q, 0, "dense")[1])
    assert taken == min(dense_bytes(form, w_q.shape) for form in DENSE if holds(form, w_q))
    assert len(encode(w_q, 0, "auto")[1]) == min(len(encode(w_q, 0, name)[1]) for name in ENCODINGS)


@given(matrices())
@example((np.zeros((0, 3), np.int8), 0))
@example((np.zeros((3, 0), np.int8), 0))
@example((np.zeros((4, 4), np.int8), 0))
@example((np.zeros((4, 4), np.int8), -128))
@example((np.array([[-128, 127]], np.int8), 127))
@example((np.array([[-128, 127]], np.int8), -128))
@example((np.array([[-64, 64]] * 9, np.int8), 0))
def test_encode_weights_reads_back_and_is_shortest(drawn: Any) -> None:
    """decode(encode(w_q)) is w_q in every encoding, and no form that holds the codes takes fewer bytes."""
    w_q, zero = drawn
    for encoding in ("auto", *ENCODINGS):
        law_reads_back(encode_weights, decode_weights, w_q, zero, encoding)
    law_shortest(encode_weights, w_q)


@pytest.mark.parametrize("bits", range(2, 9))
def test_encode_weights_every_width(bits: Any) -> None:
    """Each width is reached in the dense form, below 8 bits in the oriented one, and in the sparse ones."""
    half = 1 << (bits - 1)
    grid = np.tile(np.arange(-half, half).astype(np.int8)[:, None], 3)
    assert encode_weights(grid, 0, "dense")[0] == f"dense{bits}"
    for name in ENCODINGS:
        law_reads_back(encode_weights, decode_weights, grid, 0, name)
    sparse = np.zeros((40, 3), np.int8)
    sparse[7, 1], sparse[9, 2] = -half, half - 1
    assert encode_weights(sparse, 0, "bitmask")[0] == f"bitmask{bits}"
    assert encode_weights(sparse, 0, "relative")[0] == f"relative{bits}"
    if bits < 8:
        mixed = np.tile(grid, (4, 1))
        mixed[:, 1] = -mixed[:, 1]
        assert encode_weights(mixed, 0, "dense")[0] == f"oriented{bits}"
        law_reads_back(encode_weights, decode_weights, mixed, 0, "dense")


def test_encode_weights_laws_kill_wrong_ones() -> None:
    """The laws fail on one that never orients, one without ternary, without flags, without the zero point."""
    mixed = np.array([[-2, 2]] * 12, np.int8)

    def dense_only(w_q: Any, zero: Any, encoding: Any) -> Any:
        bits = 1 + int(max(w_q.max(), ~w_q.min())).bit_length()
        return f"dense{bits}", pack_codes(w_q, max(bits, 2)).tobytes()

    with pytest.raises(AssertionError):
        law_shortest(dense_only, mixed)
    with pytest.raises(AssertionError):
        law_shortest(lambda w_q, zero, encoding: ("dense2", pack_codes(w_q, 2).tobytes()), np.ones((4, 5), np.int8))
    with pytest.raises(AssertionError):
        law_shortest(lambda w_q, zero, encoding: encode_weights(w_q, zero, encoding.replace("auto", "dense")), mixed)

    def without_flags(form: Any, data: Any, shape: Any, zero: Any) -> Any:
        return decode_weights("dense2", data[:-1], shape)

    with pytest.raises(AssertionError):
        law_reads_back(encode_weights, without_flags, mixed, 0, "dense")
    with pytest.raises(AssertionError):
        law_reads_back(
            lambda *a: ("ternary", pack_ternary(-a[0]).tobytes()), decode_weights, np.eye(3, dtype="i1"), 0, ""
        )
    for name in ("bitmask", "relative", "arithmetic"):
        with pytest.raises(AssertionError):
            law_reads_back(
                encode_weights, lambda form, data, shape, _: decode_weights(form, data, shape), mixed, 1, name
            )


def test_decode_weights_refuses_damage() -> None:
    """A form that does not exist, a wrong length, a spare flag that is set, and codes outside int8 are refused."""
    form, data = encode_weights(np.array([[-2, 2]] * 12, np.int8), 0, "dense")
    assert form == "oriented2"
    for bad in ("dense1", "dense9", "oriented8", "dense22", "", "dense2\n", "relative1", "bitmask9", "auto"):
        with pytest.raises(ValueError, match=re.escape(f"unknown form {bad!r}")):
            decode_weights(bad, data, (12, 2))
    for wrong in (data[:-1], data + b"\0", data[:-1] + bytes([data[-1] | 4])):
        with pytest.raises(ValueError, match="flag bit"):
            decode_weights(form, wrong, (12, 2))
    form, data = encode_weights(np.array([[127]], np.int8), -128, "arithmetic")
    with pytest.raises(ValueError, match="outside int8"):
        decode_weights(form, data, (1, 1), 0)
    with pytest.raises(TypeError, match="int8"):
        encode_weights(np.zeros((2, 2), np.int16))
    with pytest.raises(ValueError, match="unknown encoding 'zip'; weights are encoded as auto, dense"):
        encode_weights(np.zeros((2, 2), np.int8), 0, "zip")


@given(st.sampled_from(FORMS), st.binary(max_size=30), st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_decode_weights_raises_nothing_but_value_errors(form: Any, data: Any, shape: Any) -> None:
    """Any bytes are codes of the shape asked for, or a ValueError."""
    try:
        assert decode_weights(form, data, shape).shape == shape
    except ValueError as error:
        assert str(error)


def test_auto_leaves_out_what_would_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """W4: beyond the limit "auto" takes a packed form; asked for by name, arithmetic code still comes."""
    sparse = np.zeros((20, 20), np.int8)
    sparse[::3, ::4] = 1
    steps = 400 + 4 * np.count_nonzero(sparse)
    for limit, form in ((steps, "arithmetic"), (steps - 1, "relative2")):
        monkeypatch.setattr(weight_stream, "_PATIENCE", limit)
        assert encode_weights(sparse)[0] == form
        assert encode_weights(sparse, 0, "arithmetic")[0] == "arithmetic"


def test_auto_never_asks_for_what_arithmetic_code_refuses() -> None:
    """W4: a tall matrix, K (N + 64) > 2^26 though K N <= 2^21, is an error by name, and packed by "auto"."""
    tall = np.zeros((1_100_000, 1), np.int8)
    with pytest.raises(ValueError, match="would take minutes"):
        encode_weights(tall, 0, "arithmetic")
    form, data = encode_weights(tall)
    assert form == "relative2" and len(data) < 100
    assert not decode_weights(form, data, tall.shape).any()
