"""Numbers of any length as bytes, written and read from front to back: what a compact file is made of.

Legend: value, or v, a number or a text.

B1 (varint)  an integer v >= 0 in groups of 7 bits, the lowest first; every byte but the last has its top bit set, and a
             last byte of 0 stands alone: one number has one form. At most 5 bytes, so v < 2^35
B2 (zigzag)  an integer of either sign as the varint 2 v for v >= 0, -2 v - 1 for v < 0
B3 (text)    a varint, then as many bytes of ASCII
"""

from __future__ import annotations

from typing import Final

_VARINT_BYTES: Final = 5


def varint(value: int) -> bytes:
    """B1. Write an integer in [0, 2^35): 1 to 5 bytes. ValueError outside.

    >>> varint(127), varint(300)
    (b'\\x7f', b'\\xac\\x02')
    """
    if not 0 <= value < 1 << (7 * _VARINT_BYTES):
        raise ValueError(f"a varint holds 0 to 2^{7 * _VARINT_BYTES} - 1, got {value}")
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def zigzag(value: int) -> bytes:
    """B2. Write an integer in [-2^34, 2^34): 1 to 5 bytes. ValueError outside.

    >>> zigzag(-1), zigzag(64)
    (b'\\x01', b'\\x80\\x01')
    """
    # -2 v - 1 >= 0 for v < 0: both signs share [0, 2^35).
    return varint(2 * value if value >= 0 else -2 * value - 1)


def text(value: str) -> bytes:
    """B3. Write a short ASCII text. ValueError if it is not ASCII.

    >>> text("ort")
    b'\\x03ort'
    """
    return varint(len(value)) + value.encode("ascii")


class ByteReader:
    """Hand out the fields of a byte string from front to back; never past its end: ValueError there.

    >>> reader = ByteReader(varint(300) + zigzag(-5) + text("ort") + b"xy")
    >>> reader.varint(), reader.zigzag(), reader.text(), reader.take(2), reader.at
    (300, -5, 'ort', b'xy', 9)
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    @property
    def left(self) -> int:
        """Bytes that have not been read."""
        return len(self._data) - self.at

    def take(self, count: int) -> bytes:
        """Read so many bytes."""
        if count > self.left:
            raise ValueError(f"{count} bytes are wanted at byte {self.at}, {self.left} are left; the data is damaged")
        self.at += count
        return self._data[self.at - count : self.at]

    def byte(self) -> int:
        """Read one byte."""
        return self.take(1)[0]

    def varint(self) -> int:
        """Read B1."""
        # At most five groups of seven bits: value < 2^35, however long the bytes go on.
        value = 0
        for place in range(_VARINT_BYTES):
            group = self.byte()
            value |= (group & 127) << (7 * place)
            if group < 128:
                # A last group of 0 would be a second form of a shorter number.
                if group == 0 and place:
                    break
                return value
        raise ValueError(f"no integer ends at byte {self.at}; the data is damaged")

    def zigzag(self) -> int:
        """Read B2."""
        value = self.varint()
        return -(value >> 1) - 1 if value & 1 else value >> 1

    def text(self) -> str:
        """Read B3."""
        return self.take(self.varint()).decode("ascii")
