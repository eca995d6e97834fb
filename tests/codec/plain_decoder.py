"""A second decoder of arithmetic-coded weights, from the rules X1 to X5 alone: exact, slow, one place at a time.

The message is one fraction, an integer over a power of 256, and the interval two integers over the same power, so that
there are neither bytes to shift nor carries. Contexts are a dictionary. Nothing is shared with npquant but the rules.
"""

from math import exp
from typing import Any


def squash(x: Any) -> Any:
    """A5 from the real function: floor below 0, and the rest by symmetry."""
    return 65536 - squash(-x) if x > 0 else int(65536 / (1 + exp(-x / 256)))


def stretch(p: Any) -> Any:
    """A6 by bisection, of the middle of the sixteenth that p lies in."""
    wanted, low, high = p // 16 * 16 + 8, -2047, 2047
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if squash(middle) >= wanted else (middle + 1, high)
    return low


def sign(v: Any) -> Any:
    return (v > 0) - (v < 0)


class PlainDecoder:
    """Read a matrix (K, N) from a stride and a message."""

    def __init__(self, stride: int, message: str) -> None:
        self.stride, self.message = stride, message
        self.digits, self.low, self.size = 4, 0, (1 << 32) - 1
        self.estimates: dict[Any, Any] = {}

    def read_bit(self, p: Any) -> Any:
        """A1 and A2: the fraction is compared with a bound inside the interval."""
        number = int.from_bytes(self.message[: self.digits].ljust(self.digits, b"\0"), "big")
        bound = self.low + self.size // 65536 * p
        bit = int(number < bound)
        if bit:
            self.size = bound - self.low
        else:
            self.size -= bound - self.low
            self.low = bound
        while self.size < 1 << 24:
            self.digits, self.low, self.size = self.digits + 1, self.low * 256, self.size * 256
        return bit

    def learn(self, context: Any, bit: Any) -> None:
        """A4."""
        p, n = self.estimates[context]
        self.estimates[context] = p + (65535 * bit - p) * (131072 // (2 * n + 3)) // 65536, min(n + 1, 127)

    def read_adaptive(self, *context: Any) -> Any:
        """Read a bit of a context that starts at one half."""
        p, _ = self.estimates.setdefault(context, (32768, 0))
        bit = self.read_bit(min(max(p, 32), 65504))
        self.learn(context, bit)
        return bit

    def read_matrix(self, rows: Any, columns: Any) -> Any:
        """X1 to X5."""
        self.codes = [[0] * columns for _ in range(rows)]
        self.rows: list[Any] = []
        for k in range(rows):
            before = self.rows[k - 1] if k >= 1 else 1
            strided = self.rows[k - self.stride] if k >= self.stride else 1
            self.rows.append(self.read_adaptive("line", 2 * before + strided))
        live = [n for n in range(columns) if self.read_adaptive("line", 4)]
        self.last = [0] * columns
        self.weights = {v: [19661] * 4 for v in range(8)}
        self.estimates |= {("column", n): (6000, 0) for n in live}
        ended: dict[Any, Any] = {}
        p = 6000
        for k in (k for k in range(rows) if self.rows[k]):
            if self.stride > 1 and k - self.stride in ended:
                p = (p + ended[k - self.stride]) // 2
            self.estimates["row"] = (p, 8)
            found = [n for n in live if self.read_nonzero(k, n)]
            for n in found:
                self.codes[k][n] = self.read_value(k, n)
            p = ended[k] = self.estimates["row"][0]
        return self.codes

    def neighbours(self, k: Any, n: Any) -> Any:
        """X2: v and z."""
        weighted = [(1, 2), (2, 1)]
        if self.stride > 1:
            weighted += [(self.stride, 2), (self.stride + 1, 1), (self.stride - 1, 1)]
        signs = [(weight, sign(self.codes[k - back][n])) for back, weight in weighted if back <= k]
        return sum(w * abs(s) for w, s in signs), sum(w * s for w, s in signs)

    def read_nonzero(self, k: Any, n: Any) -> Any:
        """X3, A7 and A8."""
        v, _ = self.neighbours(k, n)
        bucket = (stretch(self.estimates["column", n][0]) + 2048) // 64
        near = ("near", v, bucket)
        self.estimates.setdefault(near, (squash(64 * bucket + 32 - 2047), 0))
        contexts = ["row", ("column", n), near]
        inputs = [*(stretch(self.estimates[context][0]) for context in contexts), 256]
        x = sum(w * s for w, s in zip(self.weights[v], inputs, strict=True)) // 65536
        p = squash(min(max(x, -2047), 2047))
        bit = self.read_bit(p)
        error = 65536 * bit - p
        self.weights[v] = [w + (s * error + 32768) // 65536 for w, s in zip(self.weights[v], inputs, strict=True)]
        for context in contexts:
            self.learn(context, bit)
        return bit

    def read_value(self, k: Any, n: Any) -> Any:
        """X4 and X5."""
        _, z = self.neighbours(k, n)
        negative = self.read_adaptive("sign", z + 7 if z else 16 + self.last[n])
        self.last[n] = -1 if negative else 1
        length = 1
        while length < 8 and not self.read_adaptive("length", length):
            length += 1
        size = 1
        for place in range(length - 1):
            size = 2 * size + self.read_adaptive("digit", length, place, size if place < 3 else None)
        return -size if negative else size
