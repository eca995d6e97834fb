"""Files that lie: mutations of a good one, and what a reader must make of each."""

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from npquant.files.format_error import FormatError


def mutated(data: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Yield `count` damaged copies: bytes changed, runs cut out, doubled or zeroed, ends cut off, lengths blown up."""
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, max(1, len(copy))))
            run = int(rng.integers(1, 9))
            match rng.integers(0, 7):
                case 0:
                    copy[at : at + 1] = bytes([int(rng.integers(0, 256))])
                case 1:
                    copy[at : at + run] = b""
                case 2:
                    copy[at:at] = copy[at : at + run]
                case 3:
                    copy[at : at + run] = bytes(len(copy[at : at + run]))
                case 4:
                    del copy[at:]
                case 5:
                    copy[at : at + 4] = int(rng.integers(0, 2**32)).to_bytes(4, "little")
                case 6:
                    copy[at : at + run] = b"\xff" * len(copy[at : at + run])
        yield bytes(copy)


def judge(reader: Callable[[bytes], object], data: bytes, name: str, *, traced: bool = True) -> bool:
    """Read a damaged file: True if it loads, False for the documented error that names the file; else an assertion.

    Any other exception passes through, and fails the test that asked; so does memory beyond 2 files and 64 MB, where
    it is `traced`, which takes four times as long.
    """
    if traced:
        tracemalloc.start()
    try:
        try:
            reader(data)
        except FormatError as error:
            assert name in str(error), f"{error} does not name {name}"
            return False
        return True
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        if traced:
            tracemalloc.stop()
        assert peak <= 2 * len(data) + (64 << 20), f"{peak} bytes for a file of {len(data)}"
