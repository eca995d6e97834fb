"""What this processor makes of an engine: some arithmetics depend on the instruction set."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path


@cache
def flags() -> frozenset[str]:
    """Return the processor's feature flags as Linux names them; empty where it does not say."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return frozenset()
    for line in path.read_text().splitlines():
        if line.partition(":")[0].strip() in ("flags", "Features"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def is_x86() -> bool:
    """Tell whether this is an x86-64 machine."""
    return platform.machine().lower() in ("x86_64", "amd64")


def has_avx512() -> bool:
    """Tell whether AVX-512 kernels run here."""
    return "avx512f" in flags()


def sums_pairs_exactly() -> bool:
    """Tell whether uint8 x int8 products are summed in int32: VNNI, or no x86 at all."""
    return not is_x86() or "avx512_vnni" in flags() or "avx_vnni" in flags()


def fuses_multiply_add() -> bool:
    """Tell whether an x86 kernel with fused multiply-adds runs here."""
    return is_x86() and "fma" in flags()
