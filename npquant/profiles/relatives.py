"""Engines that are another's record under a name of their own, and what shows that they are.

Legend: record the name of a profile, name one that `npquant.profiles.get` takes for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from npquant.profiles.knowledge import Known


@dataclass(frozen=True, slots=True)
class Relative:
    """Say which record an engine has, and how that is known.

    >>> Relative("brevitas", "Brevitas", "qonnx", Known("run", "brevitas 0.13.4", 1_048_576, "tests/peers")).record
    'qonnx'
    """

    name: str
    engine: str
    record: str
    known: Known


RELATIVES: Final = (
    Relative(
        "brevitas",
        "Brevitas IntQuant, ROUND (CEIL, FLOOR and ROUND_TO_ZERO are qonnx_ceil, qonnx_floor and qonnx_down)",
        "qonnx",
        Known("run", "brevitas 0.13.4", 1_048_576, "tests/peers/test_brevitas.py"),
    ),
    Relative(
        "iree_tosa_single",
        "IREE, TOSA RESCALE, SINGLE_ROUND",
        "tosa_single",
        Known("run", "iree-base-compiler 3.13.0, llvm-cpu", 1_048_576, "tests/peers/test_iree.py"),
    ),
    Relative(
        "iree_tosa_double",
        "IREE, TOSA RESCALE, DOUBLE_ROUND",
        "tosa_double",
        Known("run", "iree-base-compiler 3.13.0, llvm-cpu", 1_048_576, "tests/peers/test_iree.py"),
    ),
)
