"""How far apart the rows of a weight matrix are alike: 28 where the inputs are pictures 28 pixels wide.

Legend: codes (K, N) int16, minus their zero point; K inputs, N neurons; a stride s compares row k with row k - s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def choose_stride(codes: NDArray[np.int16]) -> int:
    """Find how far apart rows of codes are alike, such as the pixels above each other of a picture.

    A stride in [3, K / 2] whose rows agree in sign far oftener than those three and four steps beside it, by more than
    six standard deviations of a count; 1 if there is none. The counts for all strides at once are an autocorrelation:
    |FFT|^2 of the columns, padded with as many zeros. They are whole numbers, and rounded to these before they are
    compared.

    >>> rng = np.random.default_rng(0)
    >>> choose_stride(np.tile((rng.random((28, 50)) < 0.1).astype(np.int16), (20, 1)))
    28
    """
    rows = len(codes)
    if rows < 16 or codes.size == 0:
        return 1
    power = np.zeros(rows + 1)
    for start in range(0, codes.shape[1], 64):
        for sign in (1, -1):
            same = np.sign(codes[:, start : start + 64]) == sign
            power += (np.abs(np.fft.rfft(same, 2 * rows, axis=0)) ** 2).sum(axis=1)
    # Counts are whole, at most K N <= 2^26: the float64 error of the transform is far below one half.
    counts = np.rint(np.fft.irfft(power))[: rows // 2 + 5]
    strides = np.arange(3, rows // 2 + 1)
    # At strides below 5 the neighbours on one side would be those of stride 1 and 0.
    beside = sum(counts[np.abs(strides + step)] for step in (-4, -3, 3, 4)) / 4
    excess = np.where(strides < 5, 0.0, (counts[strides] - beside) / np.sqrt(beside + 1))
    best = int(np.argmax(excess))
    return int(strides[best]) if excess[best] > 6 else 1
