"""The arithmetic form of a weight matrix: which codes are zero, by row, column and neighbourhood; then sign and size.

Legend: codes c (K, N) int16 differences from the weights' zero point, in [-255, 255], shape theirs, data their bytes;
K inputs, N neurons, k row, n column, s stride. Rows are coded from the first to the last, all in one message of
`arithmetic_coder`:

X1 (lines)    a flag for each row, 1 if it has a code other than 0, in context 2 (flag of row k-1) + (flag of row k-s);
              a row before the first counts as 1. Then a flag for each column, in context 4. Only codes of flagged rows
              and columns follow. The stride s stands in front: 28 for pictures 28 pixels wide, 1 if there is none
X2 (support)  neighbours of code (k, n) are those of rows k-1 and k-s (weight 2), k-2, k-s-1 and k-s+1 (weight 1) in
              column n; at s = 1 only k-1 and k-2; a row before the first is 0. v sums the weights of those that are not
              0, z the weights times the signs
X3 (zero?)    is c not 0: A7 over the estimates of the row, of the column and of context (v, column's log odds / 64),
              and a constant 256, with a set of weights for each v. A row's first estimate is what the last flagged row
              ended with, or the mean of that and what row k-s ended with, at n = 8
X4 (sign)     is c < 0: in context z + 7 if z is not 0, else in 15, 16 or 17: the last code in the column was < 0, there
              was none, it was > 0
X5 (size)     bits of |c| in unary, a context each; those below the top one from above, the first three in a context of
              all above them, the others in a context of their place
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int16
from npquant.codec.arithmetic_coder import RATES, AdaptiveBits, BitCoder, BitDecoder, BitEncoder
from npquant.codec.byte_fields import ByteReader, varint
from npquant.codec.logistic_mixing import LIMIT, SQUASH, STRETCH
from npquant.codec.row_stride import choose_stride

_FIRST: Final = 6000  # one code in eleven: rows and columns soon know better
# The tables as arrays, for a row of columns at once.
_STRETCHED: Final = np.array(STRETCH)
_ROW_RATES: Final = np.array(RATES)
_SUPPORTS: Final = 8
_COUNT_LIMIT: Final = len(RATES) - 1

LARGEST: Final = 255
_PATIENCE: Final = 1 << 26


def encode_codes(codes: Int16) -> bytes:
    """The stride as a varint, then the message X1 to X5. Integers only, so the bytes are the same on every machine.

    About 2 microseconds for each code in a flagged row and column, and twice as much for each that is not zero.
    TypeError if codes is not int16; ValueError if a code is outside [-255, 255], or K (N + 64) exceeds 2^26: minutes of
    decoding.

    >>> len(encode_codes(np.zeros((300, 100), np.int16))), len(encode_codes(np.eye(100, dtype=np.int16)))
    (2, 110)
    """
    if codes.dtype != np.int16:
        raise TypeError(f"codes must be int16, got {codes.dtype}")
    if codes.size and (codes.min() < -LARGEST or codes.max() > LARGEST):
        raise ValueError(f"codes lie in [-{LARGEST}, {LARGEST}], these span [{codes.min()}, {codes.max()}]")
    _require_patience(codes.shape)
    stride, encoder = choose_stride(codes), BitEncoder()
    _code_matrix(encoder, codes, stride)
    return varint(stride) + encoder.finish()


def decode_codes(data: bytes, shape: tuple[int, int]) -> Int16:
    """X1 to X5. Undo `encode_codes`, for a shape (K, N) that the caller bounds.

    ValueError if the bytes are no such message, or the shape exceeds what `encode_codes` takes.

    >>> bool((decode_codes(encode_codes(np.eye(9, dtype=np.int16)), (9, 9)) == np.eye(9)).all())
    True
    """
    _require_patience(shape)
    reader = ByteReader(data)
    stride = reader.varint()
    if not 1 <= stride <= max(shape[0], 1):
        raise ValueError(f"the stride is {stride} for {shape[0]} rows; the stream is damaged")
    decoder = BitDecoder(reader.take(reader.left))
    codes = _code_matrix(decoder, np.zeros(shape, np.int16), stride)
    decoder.require_end()
    return codes


def decodes_in_time(shape: tuple[int, ...]) -> bool:
    """Whether K (N + 64) <= 2^26: beyond that decoding takes minutes.

    >>> decodes_in_time((2**20, 1)), decodes_in_time((784, 300))
    (False, True)
    """
    return shape[0] * (shape[1] + 64) <= _PATIENCE


def _require_patience(shape: tuple[int, ...]) -> None:
    if not decodes_in_time(shape):
        raise ValueError(f"a matrix of shape {shape} would take minutes in arithmetic code: use encoding='relative'")


class _Sizes:
    """Code sign and size of the codes that are not zero (X4, X5)."""

    def __init__(self, columns: int) -> None:
        self._last = [0] * columns
        self._signs = AdaptiveBits(18)
        self._lengths = AdaptiveBits(9)
        self._digits = AdaptiveBits(9 * 16)

    def code(self, coder: BitCoder, column: int, signs: int, value: int) -> int:
        """Code a value other than 0; `signs` is z of X2."""
        negative = self._signs.code(coder, signs + 7 if signs else 16 + self._last[column], int(value < 0))
        self._last[column] = -1 if negative else 1
        size, length = abs(value), 1
        while length < 8 and not self._lengths.code(coder, length, int(size >> length == 0)):
            length += 1
        found = 1
        for place in range(length - 2, -1, -1):
            above = length - 2 - place
            # found < 8 while above < 3, and 8 + above <= 14: sixteen contexts a length.
            context = 16 * length + (found if above < 3 else 8 + above)
            found = 2 * found + self._digits.code(coder, context, size >> place & 1)
        return -found if negative else found


class _Zeros:
    """Say which codes of a row are zero (X3)."""

    def __init__(self, columns: int) -> None:
        self._p = np.full(columns, _FIRST, np.int64)
        self._n = np.zeros(columns, np.int64)
        self._near = [SQUASH[64 * (i % 64) + 32] for i in range(64 * _SUPPORTS)]
        self._seen = [0] * (64 * _SUPPORTS)
        self._weights = [[19661] * 4 for _ in range(_SUPPORTS)]

    def code(self, coder: BitCoder, p: int, support: NDArray[np.int64], row: list[int]) -> tuple[list[int], int]:
        """Code whether each code of a row is zero; return the columns of the others and the row's last estimate."""
        stretched = _STRETCHED[self._p >> 4]
        # v <= 2 + 1 + 2 + 1 + 1 = 7, and log odds in [-2047, 2047] give 0 to 63: contexts 0 to 511.
        contexts = (64 * support + ((stretched + 2048) >> 6)).tolist()
        found, count = [], 8
        near, seen, code = self._near, self._seen, coder.code
        for j, (s2, at, v) in enumerate(zip(stretched.tolist(), contexts, support.tolist(), strict=True)):
            weights = self._weights[v]
            w1, w2, w3, w4 = weights
            p3 = near[at]
            s1, s3 = STRETCH[p >> 4], STRETCH[p3 >> 4]
            x = (w1 * s1 + w2 * s2 + w3 * s3 + 256 * w4) >> 16
            # Held in SQUASH, whose entries lie inside (0, 2^16): the coder's condition on p.
            x = LIMIT if x > LIMIT else -LIMIT if x < -LIMIT else x
            mixed = SQUASH[x + LIMIT]
            if code(1 if row[j] else 0, mixed):
                found.append(j)
                wanted, error = 65535, 65536 - mixed
            else:
                wanted, error = 0, -mixed
            weights[0] = w1 + ((s1 * error + 32768) >> 16)
            weights[1] = w2 + ((s2 * error + 32768) >> 16)
            weights[2] = w3 + ((s3 * error + 32768) >> 16)
            weights[3] = w4 + ((256 * error + 32768) >> 16)
            p += (wanted - p) * RATES[count] >> 16
            if count < _COUNT_LIMIT:
                count += 1
            near[at] = p3 + ((wanted - p3) * RATES[seen[at]] >> 16)
            if seen[at] < _COUNT_LIMIT:
                seen[at] += 1
        self._learn_columns(found)
        return found, p

    def _learn_columns(self, found: list[int]) -> None:
        """Let each column's estimate see its new bit (A4)."""
        wanted = np.zeros(len(self._p), np.int64)
        wanted[found] = 65535
        # |wanted - p| < 2^16, rates < 2^16: int64 has room.
        self._p += (wanted - self._p) * _ROW_RATES[self._n] >> 16
        self._n = np.minimum(self._n + 1, _COUNT_LIMIT)


def _code_lines(coder: BitCoder, stride: int, rows: list[int], columns: list[int]) -> tuple[list[int], list[int]]:
    """Code which rows and columns have codes other than zero (X1)."""
    flags = AdaptiveBits(5)
    known: list[int] = []
    for k, flag in enumerate(rows):
        before = known[k - 1] if k else 1
        strided = known[k - stride] if k >= stride else 1
        known.append(flags.code(coder, 2 * before + strided, flag))
    return known, [flags.code(coder, 4, flag) for flag in columns]


class _Neighbours:
    """Keep the rows that X2 looks back to."""

    def __init__(self, stride: int, columns: int) -> None:
        back = ((1, 2), (2, 1), (stride, 2), (stride + 1, 1), (stride - 1, 1))
        self._back = back if stride > 1 else back[:2]
        self._zero = np.zeros(columns, np.int16)
        self._rows = deque([self._zero] * (stride + 1), maxlen=stride + 1)

    def support(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return v and z of the next row."""
        v, z = np.zeros(len(self._zero), np.int64), np.zeros(len(self._zero), np.int64)
        for distance, weight in self._back:
            signs = np.sign(self._rows[-distance])
            v += weight * np.abs(signs)
            z += weight * signs
        return v, z

    def append(self, row: Int16 | None) -> None:
        """Go on to the next row; None stands for one of zeros."""
        self._rows.append(self._zero if row is None else row)


def _code_matrix(coder: BitCoder, codes: Int16, stride: int) -> Int16:
    """Code a matrix (X1 to X5): a decoder ignores what is in `codes`, and returns what it reads."""
    rows, columns = _code_lines(
        coder, stride, codes.any(axis=1).astype(int).tolist(), codes.any(axis=0).astype(int).tolist()
    )
    live = np.flatnonzero(columns)
    zeros, sizes, neighbours = _Zeros(live.size), _Sizes(live.size), _Neighbours(stride, live.size)
    result = np.zeros(codes.shape, np.int16)
    ended = [0] * len(rows)
    p = _FIRST
    for k, flag in enumerate(rows):
        if not flag:
            neighbours.append(None)
            continue
        support, signs = neighbours.support()
        if stride > 1 and k >= stride and rows[k - stride]:
            p = (p + ended[k - stride]) // 2
        row = codes[k, live].tolist()
        found, p = zeros.code(coder, p, support, row)
        ended[k] = p
        values = np.zeros(live.size, np.int16)
        for j in found:
            values[j] = sizes.code(coder, j, int(signs[j]), row[j])
        result[k, live] = values
        neighbours.append(values)
    return result
