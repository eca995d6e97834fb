"""Compare an engine with a profile bit for bit, and say everything about the first difference."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray


def differing(got: NDArray[Any], want: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the elements whose bits differ; any NaN equals any NaN."""
    same = np.asarray(got == want)
    if got.dtype.kind == "f":
        same = (got.view(np.int32) == want.view(np.int32)) | (np.isnan(got) & np.isnan(want))
    different: NDArray[np.bool_] = np.logical_not(same)
    return different


def version_note(engine: ModuleType) -> str:
    """Name the engine and its version, and say where it is not the one that was studied."""
    installed, studied = engine.installed_version(), engine.STUDIED_VERSION
    note = f"{engine.PACKAGE} {installed}"
    if installed != studied:
        note += f", while the profile was read from {studied}: its numerics may have changed"
    return note


def require_equal(engine: ModuleType, got: NDArray[Any], want: NDArray[Any], *, case: object) -> int:
    """Fail unless the engine's output `got` is the profile's `want`; return how many were compared.

    Type, shape and bits must be equal.
    """
    note = version_note(engine)
    assert got.dtype == want.dtype, f"{note}: engine {got.dtype}, profile {want.dtype} for {case}"
    assert got.shape == want.shape, f"{note}: engine {got.shape}, profile {want.shape} for {case}"
    bad = differing(got, want)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise AssertionError(
            f"{note}: {int(bad.sum())} of {bad.size} outputs differ; the first at {first}: "
            f"engine {got[first]}, profile {want[first]}; {case}"
        )
    return int(bad.size)
