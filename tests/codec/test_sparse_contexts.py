"""Laws of the arithmetic form of weights: read back, as a stranger's decoder reads it, short, and bounded."""

import importlib.util
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npquant.codec.byte_fields import ByteReader
from npquant.codec.row_stride import choose_stride
from npquant.codec.sparse_contexts import decode_codes, encode_codes
from npquant.codec.sparse_packing import encode_bitmask, encode_relative

_SPEC = importlib.util.spec_from_file_location("plain_decoder", Path(__file__).with_name("plain_decoder.py"))
plain_decoder = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(plain_decoder)


def sparse_codes(rng: np.random.Generator, shape: Any, density: Any, largest: Any, stride: int = 1) -> Any:
    """Codes of rows and columns of unlike densities; rows a stride apart are alike."""
    busy = np.outer(rng.gamma(1, 1, shape[0]), rng.gamma(1, 1, shape[1]))
    keep = rng.random(shape) < np.clip(busy * density, 0, 1)
    codes = np.where(keep, rng.integers(1, largest + 1, shape) * rng.choice([-1, 1], shape), 0)
    for k in range(stride, shape[0]):
        same = rng.random(shape[1]) < 0.6
        codes[k] = np.where(same & (stride > 1), codes[k - stride], codes[k])
    return codes.astype(np.int16)


@st.composite
def matrices(draw: st.DrawFn) -> Any:
    """Codes of 1 to 9 bits at every density, of any shape, with and without a stride."""
    shape = draw(st.tuples(st.integers(0, 60), st.integers(0, 12)))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    density = draw(st.sampled_from([0.0, 0.02, 0.2, 0.9, 5.0]))
    return sparse_codes(rng, shape, density, draw(st.sampled_from([1, 3, 7, 127, 255])), draw(st.sampled_from([1, 7])))


def law_reads_back(encode: Any, decode: Any, codes: Any) -> None:
    back = decode(encode(codes), codes.shape)
    assert back.dtype == np.int16 and back.shape == codes.shape
    np.testing.assert_array_equal(back, codes)


def read_plainly(data: Any, shape: Any) -> Any:
    reader = ByteReader(data)
    stride = reader.varint()
    plain = plain_decoder.PlainDecoder(stride, reader.take(reader.left))
    return np.array(plain.read_matrix(*shape), np.int16).reshape(shape)


@given(matrices())
@example(np.zeros((5, 0), np.int16))
@example(np.zeros((0, 5), np.int16))
@example(np.full((5, 5), -255, np.int16))
@example(np.array([[255]], np.int16))
def test_codes_read_back(codes: Any) -> None:
    """decode(encode(c)) is c, for every density, shape and width."""
    law_reads_back(encode_codes, decode_codes, codes)


@pytest.mark.parametrize("density", [0.0, 0.03, 0.3, 5.0])
@pytest.mark.parametrize(("largest", "stride"), [(1, 1), (7, 7), (255, 1)])
def test_a_plain_decoder_reads_the_same(density: Any, largest: Any, stride: int) -> None:
    """A decoder written from X1 to X5 alone, in exact fractions and one place at a time, reads the same codes."""
    rng = np.random.default_rng(largest)
    codes = sparse_codes(rng, (56, 14), density, largest, stride)
    data = encode_codes(codes)
    assert (data[0] > 1) == (stride > 1 and density > 0)
    np.testing.assert_array_equal(read_plainly(data, codes.shape), codes)


def test_a_plain_decoder_reads_random_messages_the_same() -> None:
    """Both decoders read the same from bytes that no encoder wrote, or this one refuses what goes on."""
    rng = np.random.default_rng(3)
    equal = 0
    for _ in range(20):
        message = bytes([int(rng.integers(1, 6))]) + rng.bytes(40)
        for length in range(1, 41):
            try:
                codes = decode_codes(message[:length], (9, 7))
            except ValueError as error:
                assert "damaged" in str(error)
                continue
            equal += 1
            np.testing.assert_array_equal(read_plainly(message[:length], (9, 7)), codes)
    assert equal > 10


def test_laws_kill_wrong_ones() -> None:
    """The laws fail on a reader of another stride, one that forgets signs, and a plain decoder of another rule."""
    codes = sparse_codes(np.random.default_rng(0), (56, 14), 0.3, 7, 7)
    with pytest.raises((AssertionError, ValueError)):
        law_reads_back(encode_codes, lambda data, shape: decode_codes(b"\6" + data[1:], shape), codes)
    with pytest.raises(AssertionError):
        law_reads_back(encode_codes, lambda data, shape: np.abs(decode_codes(data, shape)), codes)

    class NoSupport(plain_decoder.PlainDecoder):  # type: ignore[name-defined]
        def neighbours(self, k: Any, n: Any) -> Any:
            return 0, 0

    data = encode_codes(codes)
    wrong = NoSupport(data[0], data[1:]).read_matrix(*codes.shape)
    assert not np.array_equal(np.array(wrong), codes)


def entropy_bytes(symbols: Any) -> Any:
    """Length of an ideal code that knows how often each symbol comes."""
    counts = np.unique(symbols, return_counts=True)[1]
    return -(counts * np.log2(counts / symbols.size)).sum() / 8


def huffman_bytes(symbols: Any) -> Any:
    """Length of the best code of whole bits a symbol, its table not counted."""
    heap = sorted(np.unique(symbols, return_counts=True)[1].tolist())
    total = 0 if len(heap) > 1 else symbols.size
    while len(heap) > 1:
        total += heap[0] + heap[1]
        heap = sorted([heap[0] + heap[1], *heap[2:]])
    return total / 8


def law_is_short(encode: Any, codes: Any) -> None:
    """Beat Huffman's code, a bitmask, gaps, and an ideal code that knows frequencies but not rows and columns."""
    length = len(encode(codes))
    values = codes.astype(np.int8)
    assert length < huffman_bytes(codes) and length < entropy_bytes(codes)
    assert length < min(len(encode_bitmask(values, 4)), len(encode_relative(values, 4)))


@pytest.mark.parametrize("density", [0.03, 0.1, 0.3])
def test_codes_of_unlike_rows_and_columns_take_less_than_the_entropy(density: Any) -> None:
    """Where rows and columns differ in density, contexts know more than frequencies; the law fails on an encoder blind
    to them, which a shuffled matrix stands for, and on the packed forms."""
    rng = np.random.default_rng(5)
    codes = sparse_codes(rng, (300, 100), density, 7)
    law_is_short(encode_codes, codes)
    with pytest.raises(AssertionError):
        law_is_short(lambda c: encode_codes(rng.permutation(c.reshape(-1)).reshape(c.shape)), codes)
    with pytest.raises(AssertionError):
        law_is_short(lambda c: encode_relative(c.astype(np.int8), 4), codes)


@pytest.mark.parametrize("density", [0.02, 0.5, 1.0])
def test_codes_without_structure_take_about_the_entropy(density: Any) -> None:
    """Where there is nothing to learn, learning costs: less than half a logarithm for each of the estimates in use."""
    rng = np.random.default_rng(6)
    codes = np.where(rng.random((200, 100)) < density, rng.integers(1, 8, (200, 100)), 0).astype(np.int16)
    # Rows forget after 127 codes, and columns and neighbourhoods have estimates of their own: 300 lines, 60 contexts
    # and 8 sets of 4 weights, each log2(20000) / 2 bits at most; what forgetting costs, 1 / (514 ln 2) bits a decision.
    learned = (300 + 60 + 32) * log2(20000) / 16
    decisions = codes.size + 6 * np.count_nonzero(codes)
    assert len(encode_codes(codes)) < entropy_bytes(codes) + learned + decisions / (514 * np.log(2) * 8)


def law_finds_stride(choose: Any, shape: Any, stride: int) -> None:
    rng = np.random.default_rng(stride)
    for density in (0.05, 0.3):
        assert choose(sparse_codes(rng, shape, density, 3, stride)) == stride
        assert choose(sparse_codes(rng, shape, density, 3)) == 1


@pytest.mark.parametrize(("shape", "stride"), [((784, 50), 28), ((400, 40), 20), ((300, 60), 9)])
def test_choose_stride_finds_pictures(shape: Any, stride: int) -> None:
    """The width of a picture is found from the codes alone, and none where there is none; the law fails on a guess."""
    law_finds_stride(choose_stride, shape, stride)
    with pytest.raises(AssertionError):
        law_finds_stride(lambda codes: round(len(codes) ** 0.5), (300, 60), 9)


def test_a_stride_saves_bytes() -> None:
    """Pictures take fewer bytes with their stride than with their rows in another order."""
    rng = np.random.default_rng(0)
    codes = sparse_codes(rng, (400, 40), 0.05, 3, 20)
    assert len(encode_codes(codes)) < len(encode_codes(rng.permutation(codes)))


@given(st.binary(max_size=40), st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_any_bytes_are_codes_or_refused(data: Any, shape: Any) -> None:
    """Any bytes are codes in [-255, 255] of the shape asked for, or a ValueError."""
    try:
        codes = decode_codes(data, shape)
    except ValueError as error:
        assert "damaged" in str(error)
    else:
        assert codes.shape == shape and np.abs(codes).max(initial=0) <= 255


def test_codes_refuse_what_they_cannot_hold() -> None:
    """Another dtype, codes beyond 255, a stride beyond the rows, and bytes behind the message are refused."""
    with pytest.raises(TypeError, match="int16"):
        encode_codes(np.zeros((2, 2), np.int8))
    with pytest.raises(ValueError, match="these span"):
        encode_codes(np.array([[256]], np.int16))
    for attempt in (lambda: decode_codes(b"\1", (1 << 20, 1)), lambda: encode_codes(np.zeros((1 << 20, 1), np.int16))):
        with pytest.raises(ValueError, match="would take minutes"):
            attempt()
    data = encode_codes(np.eye(4, dtype=np.int16))
    for bad in (b"\0" + data[1:], b"\5" + data[1:], data + b"\1" * 5, data[:-5]):
        with pytest.raises(ValueError, match="damaged"):
            decode_codes(bad, (4, 4))
