"""How many threads the BLAS library has: what it reads, once, when NumPy is loaded. Nothing is imported for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# What the BLAS libraries that NumPy is built with read.
BLAS_THREADS: Final = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


def ask_for_one_blas_thread() -> None:
    """Ask for one BLAS thread, before NumPy is loaded, unless the environment asks for a number.

    The products of these networks are too small to share: on a machine whose cores are busy, two threads that wait for
    each other at every product took 20 times as long as one.
    """
    if not any(name in os.environ for name in BLAS_THREADS):
        os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))


@contextmanager
def children_with_one_blas_thread() -> Iterator[None]:
    """Give processes that are started in the block one BLAS thread each, whatever this one has.

    >>> with children_with_one_blas_thread():
    ...     os.environ["OMP_NUM_THREADS"]
    '1'
    """
    before = {name: os.environ.get(name) for name in BLAS_THREADS}
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
