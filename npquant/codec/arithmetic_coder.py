"""An adaptive binary arithmetic coder in integers: one bit at a time, each with a probability that both sides know.

Legend: p probability of a 1 in units of 2^-16, n bits seen, bit 0 or 1, coder a BitCoder.

A1 (interval)  the message is a number in [low, low + range), first [0, 2^32 - 1); with p = P(bit is 1) 2^16 and
               bound = floor(range / 2^16) p, a 1 keeps [low, low + bound), a 0 keeps the rest
A2 (bytes)     while range < 2^24, the top byte of low is written, and low and range are multiplied by 2^8; a carry
               out of 32 bits is added to the bytes that are written already
A3 (end)       of the last interval, the number with the most zero bytes behind is taken; these, at most four, are not
               written. Reading past the end gives up to four zeros; a fifth would be of a message cut short
A4 (estimate)  an adaptive bit holds p and the count n of bits seen: p += floor((65535 bit - p) rate[n] / 2^16),
               rate[n] = floor(2^17 / (2n + 3)); n stops at 127. It codes with p held in [32, 65504]

A bit of probability p costs -log2(p / 2^16), and at most 2^-8 / ln 2 more for the floor in A1.
"""

from __future__ import annotations

from typing import Final, Protocol

_TOP: Final = 1 << 24
_COUNT_LIMIT: Final = 127
RATES: Final = tuple((1 << 17) // (2 * n + 3) for n in range(_COUNT_LIMIT + 1))


class BitCoder(Protocol):
    """Write or read bits: one model drives both, so they cannot part."""

    def code(self, bit: int, p: int) -> int:
        """Return the bit: an encoder writes the one it is given, a decoder ignores that and reads."""


class BitEncoder:
    """Write bits (A1 to A3).

    >>> encoder = BitEncoder()
    >>> [encoder.code(bit, 1 << 15) for bit in (0, 1, 1)], encoder.finish()
    ([0, 1, 1], b'\\x80')
    """

    __slots__ = ("_low", "_range", "_written")

    def __init__(self) -> None:
        self._low, self._range = 0, (1 << 32) - 1
        self._written = bytearray()

    def code(self, bit: int, p: int) -> int:
        """A1, A2. Write a bit that is 1 with probability p / 2^16, 0 < p < 2^16, and return it."""
        # 2^24 <= range < 2^32, so 0 < bound < range: either bit keeps a part of the interval.
        bound = (self._range >> 16) * p
        if bit:
            self._range = bound
        else:
            self._low += bound
            self._range -= bound
        while self._range < _TOP:
            self._write_byte()
        return bit

    def finish(self) -> bytes:
        """A3. Return the whole message; the encoder is used up."""
        high = self._low + self._range
        # Steps of 2^32 down to 2^0: the last always has a number in the interval.
        ends = ((kept, -(-self._low >> (32 - 8 * kept)) << (32 - 8 * kept)) for kept in range(5))
        kept, self._low = next((kept, end) for kept, end in ends if end < high)
        if self._low >> 32:
            self._carry()
        for _ in range(kept):
            self._write_byte()
        return bytes(self._written)

    def _write_byte(self) -> None:
        if self._low >> 32:
            self._carry()
        # low < 2^32 now: its top byte is one, and the rest times 2^8 is below 2^32 again.
        self._written.append(self._low >> 24)
        self._low = (self._low & (_TOP - 1)) << 8
        self._range <<= 8

    def _carry(self) -> None:
        """Add 1 to the bytes that are written."""
        # low + range never passes the first interval's end, so that there is a byte below 255 to take it.
        at = len(self._written) - 1
        while self._written[at] == 255:
            self._written[at] = 0
            at -= 1
        self._written[at] += 1
        self._low -= 1 << 32


class BitDecoder:
    """Read what `BitEncoder` wrote, from the whole message.

    >>> decoder = BitDecoder(b"\\x80")
    >>> [decoder.code(0, 1 << 15) for _ in range(3)]
    [0, 1, 1]
    """

    __slots__ = ("_at", "_message", "_range", "_value")

    def __init__(self, message: bytes) -> None:
        self._message, self._at = message + bytes(4), 4
        self._value = int.from_bytes(self._message[:4], "big")
        self._range = (1 << 32) - 1

    def code(self, bit: int, p: int) -> int:
        """A1, A2. Read a bit that is 1 with probability p / 2^16; the argument `bit` is not looked at.

        ValueError if the message ends before it.
        """
        # value, the message less low, stays below range: the encoder's number lies in every interval that is kept.
        bound = (self._range >> 16) * p
        if self._value < bound:
            self._range, bit = bound, 1
        else:
            self._value -= bound
            self._range -= bound
            bit = 0
        while self._range < _TOP:
            if self._at == len(self._message):
                raise ValueError("the arithmetic code ends before its last bit; the stream is damaged")
            self._value = (self._value << 8) | self._message[self._at]
            self._range <<= 8
            self._at += 1
        return bit

    def require_end(self) -> None:
        """A3. Refuse a message that goes on: ValueError."""
        if self._at < len(self._message) - 4:
            raise ValueError("the arithmetic code goes on after its last bit; the stream is damaged")


class AdaptiveBits:
    """A4. Estimate the bits of several contexts, each by its own past; p is the first estimate of all.

    >>> bits, encoder = AdaptiveBits(2), BitEncoder()
    >>> for _ in range(1000):
    ...     _ = bits.code(encoder, 1, 0)
    >>> len(encoder.finish()), bits.p
    (1, [32768, 0])
    """

    __slots__ = ("n", "p")

    def __init__(self, contexts: int, p: int = 1 << 15) -> None:
        self.p, self.n = [p] * contexts, [0] * contexts

    def code(self, coder: BitCoder, context: int, bit: int) -> int:
        """Code a bit in a context, and learn from it."""
        # 0 <= p <= 65535 always: a rate is at most 43,690 / 2^16, and the floor never passes the goal.
        p, n = self.p[context], self.n[context]
        bit = coder.code(bit, min(max(p, 32), 65504))
        self.p[context] = p + (((65535 if bit else 0) - p) * RATES[n] >> 16)
        if n < _COUNT_LIMIT:
            self.n[context] = n + 1
        return bit
