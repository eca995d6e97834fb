"""Laws of the arithmetic coder: every stream reads back, carries included, and takes the ideal length within a byte."""

from collections.abc import Iterator
from math import log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.codec.arithmetic_coder import AdaptiveBits, BitDecoder, BitEncoder

EDGES = [1, 2, 32, 255, 256, 32767, 32768, 65279, 65504, 65534, 65535]
PROBABILITIES = st.one_of(st.sampled_from(EDGES), st.integers(1, 65535))
STREAMS = st.lists(st.tuples(st.integers(0, 1), PROBABILITIES), max_size=60)


def encoded(encoder: Any, stream: Any) -> Any:
    assert [encoder.code(bit, p) for bit, p in stream] == [bit for bit, _ in stream]
    return encoder.finish()


def law_reads_back(make_encoder: Any, stream: Any) -> Any:
    message = encoded(make_encoder(), stream)
    decoder = BitDecoder(message)
    assert [decoder.code(0, p) for _, p in stream] == [bit for bit, _ in stream]
    decoder.require_end()
    return message


def law_is_short(make_encoder: Any, stream: Any) -> None:
    """A1: a 1 costs at most log2(1 / (1 - 2^-8)) more than -log2 p, a 0 nothing; A3: less than a byte for the end."""
    ideal = sum(-log2(p / 65536) if bit else -log2(1 - p / 65536) for bit, p in stream)
    ideal += sum(bit for bit, _ in stream) * -log2(1 - 2**-8)
    # The first interval lacks one number of 2^32, and the sum above is itself rounded: far below 1e-6 bits.
    assert 8 * len(encoded(make_encoder(), stream)) < ideal + 8 + 1e-6


@given(STREAMS)
def test_coder_reads_back_and_is_short(stream: Any) -> None:
    """decode(encode(bits)) is bits, for any probabilities; the message takes the ideal length and less than a byte."""
    law_reads_back(BitEncoder, stream)
    law_is_short(BitEncoder, stream)


def random_streams(count: int, seed: int) -> Iterator[Any]:
    """Streams that are likely, unlikely, or that run along the upper end of the interval, where carries ripple."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = int(rng.integers(0, 80))
        p = rng.choice([rng.integers(1, 65536, n), rng.choice(EDGES, n)])
        bits = rng.random(n) < rng.choice([p / 65536, 1 - p / 65536, np.full(n, 0.02)])
        yield list(zip(bits.astype(int).tolist(), p.tolist(), strict=True))


class CarryCounter(BitEncoder):
    """Note how many bytes of 255 each carry runs through."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Any] = []

    def _carry(self) -> None:
        self.runs.append(len(self._written) - len(self._written.rstrip(b"\xff")))
        super()._carry()


def steered_stream(rng: np.random.Generator, length: Any) -> Any:
    """Bits chosen to keep the top bytes of low at 255 as long as possible, and then to carry."""
    encoder, stream = BitEncoder(), []
    for _ in range(length):
        p = int(rng.choice([1, 300, 32768, 65000, 65535]))
        bound = (encoder._range >> 16) * p
        # Toward 2^32 - 1 from below: go up unless that leaves the top byte's run.
        bit = 0 if encoder._low + bound < 1 << 32 else int(rng.random() < 0.5)
        stream.append((encoder.code(bit, p), p))
    return stream


def test_coder_reads_back_thousands_of_streams() -> None:
    """3,000 random streams and 500 steered along the upper end; carries run through several bytes of 255."""
    rng = np.random.default_rng(0)
    streams = [*random_streams(3000, 1), *(steered_stream(rng, 150) for _ in range(500))]
    runs = []
    for stream in streams:
        law_reads_back(BitEncoder, stream)
        counter = CarryCounter()
        encoded(counter, stream)
        runs += counter.runs
    # The test is not vacuous: carries happen, through no, one, two and more full bytes.
    assert len(runs) > 1000 and {0, 1, 2} <= set(runs)


class NoCarry(BitEncoder):
    """Lose the carry."""

    def _carry(self) -> None:
        self._low -= 1 << 32


class ShortCarry(BitEncoder):
    """Carry into the last byte alone."""

    def _carry(self) -> None:
        self._written[-1] = (self._written[-1] + 1) & 255
        self._low -= 1 << 32


class LowEnd(BitEncoder):
    """Cut the lower end of the interval to a byte, instead of looking for a number inside."""

    def finish(self) -> Any:
        self._low &= ~0xFFFFFF
        self._write_byte()
        return bytes(self._written)


class LongEnd(BitEncoder):
    """Write the lower end in full."""

    def finish(self) -> Any:
        for _ in range(5):
            self._write_byte()
        return bytes(self._written)


def test_coder_laws_kill_wrong_ones() -> None:
    """The laws fail on lost carries, carries into one byte, ends outside the interval, and ends written in full."""
    rng = np.random.default_rng(0)
    streams = [*random_streams(300, 1), *(steered_stream(rng, 150) for _ in range(200))]
    for wrong in (NoCarry, ShortCarry, LowEnd, LongEnd):
        with pytest.raises((AssertionError, ValueError)):
            for stream in streams:
                law_reads_back(wrong, stream)
    with pytest.raises(AssertionError):
        for stream in streams:
            law_is_short(LongEnd, stream)


@given(st.binary(max_size=20), st.lists(PROBABILITIES, max_size=60))
def test_any_bytes_decode(message: str, probabilities: Any) -> None:
    """Any message gives bits; the encoder's own for these is no longer (A3), unless the message is refused."""
    decoder = BitDecoder(message)
    try:
        bits = [decoder.code(0, p) for p in probabilities]
        assert set(bits) <= {0, 1}
        decoder.require_end()
    except ValueError as error:
        assert "damaged" in str(error)
    else:
        again = law_reads_back(BitEncoder, list(zip(bits, probabilities, strict=True)))
        assert len(again) <= len(message)


def adaptive_ideal(bits: Any) -> Any:
    """A4 once more, with exact rates: the code length of an adaptive estimate, in bits."""
    p, n, total = 32768, 0, 0.0
    for bit in bits:
        held = min(max(p, 32), 65504) / 65536
        total -= log2(held if bit else 1 - held)
        p += (65535 * bit - p) * (2**17 // (2 * n + 3)) // 65536
        n = min(n + 1, 127)
    return total


def law_adapts(make_bits: Any, bits: Any) -> None:
    encoder, estimates = BitEncoder(), make_bits(2)
    for bit in bits:
        estimates.code(encoder, 1, bit)
    length, ideal = 8 * len(encoder.finish()), adaptive_ideal(bits)
    assert ideal - 8 < length < ideal + sum(bits) * -log2(1 - 2**-8) + 8 + 1e-6
    assert estimates.p[0] == 32768  # another context has learned nothing


@given(st.lists(st.integers(0, 1), max_size=400).filter(lambda bits: 0 in bits[-3:]))
def test_adaptive_bits_take_the_adaptive_code_length(bits: Any) -> None:
    """A4: the length is that of the adaptive estimate, within a byte; other contexts do not learn."""
    law_adapts(AdaptiveBits, bits)


class Stubborn(AdaptiveBits):
    """Never learn."""

    def code(self, coder: Any, context: Any, bit: Any) -> Any:
        return coder.code(bit, self.p[context])


class Forgetful(AdaptiveBits):
    """Learn at the first rate for ever."""

    def code(self, coder: Any, context: Any, bit: Any) -> Any:
        self.n[context] = 0
        return super().code(coder, context, bit)


def test_adaptive_law_kills_wrong_ones() -> None:
    """The law fails on an estimate that never learns, and on one that learns as fast for ever."""
    bits = (np.random.default_rng(0).random(400) < 0.2).astype(int).tolist()
    bits[-1] = 0
    law_adapts(AdaptiveBits, bits)
    for wrong in (Stubborn, Forgetful):
        with pytest.raises(AssertionError):
            law_adapts(wrong, bits)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_adaptive_bits_beat_huffman_on_two_symbols(share: Any) -> None:
    """Huffman pays a whole bit for either of two symbols; the coder comes near the entropy, which is far less."""
    bits = (np.random.default_rng(1).random(4000) < share).astype(int).tolist()
    encoder, estimates = BitEncoder(), AdaptiveBits(1)
    for bit in bits:
        estimates.code(encoder, 0, bit)
    length, ones = 8 * len(encoder.finish()), sum(bits) / 4000
    entropy = -4000 * (ones * log2(ones) + (1 - ones) * log2(1 - ones))
    assert length < 4000
    # An average over the last 129 bits has a variance of p (1 - p) / 257, which costs 1 / (514 ln 2) bits a bit; the
    # first bits, like any estimate's, cost log2(4000) / 2 more, and held probabilities and the end some bits.
    assert entropy - 16 < length < entropy + 4000 / (514 * np.log(2)) + log2(4000) / 2 + 40
