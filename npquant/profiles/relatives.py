"""Engines whose layer of 8-bit codes is another record's: names that `get` knows, beside those that `names` lists.

What tells records apart (the separating set, the fingerprints, the vectors) looks at 8-bit layers, where a relative
and its record are one. Legend: name and engine the relative's, record what answers for it, of the name of the profile
whose 8-bit layers it has: the record itself where nothing differs; known what shows so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from npquant.profiles.cmsis_nn import CMSIS_NN
from npquant.profiles.compilers import TOSA_DOUBLE, TOSA_SINGLE
from npquant.profiles.knowledge import Known
from npquant.profiles.litert_convolution import LITERT_REF_CONV, RUY_X86_CONV
from npquant.profiles.qonnx import QONNX
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True)
class Relative:
    """Name an engine, the record that answers for it, the record whose 8-bit layers it shares, and why that is known.

    >>> [(relative.name, relative.of) for relative in RELATIVES][0]
    ('cmsis_nn', 'tflm')
    """

    name: str
    engine: str
    record: Profile
    of: str
    known: Known
    per_channel: bool = False  # whether it shares the layers of per-channel weights alone

    def __str__(self) -> str:
        shared = "all is" if self.record.name == self.of else "8-bit layers are"
        return f"{self.engine}: {shared} {self.of}'s{' per channel' if self.per_channel else ''}"


RELATIVES: Final = (
    Relative("cmsis_nn", CMSIS_NN.engine, CMSIS_NN, "tflm", CMSIS_NN.knowledge.linear),
    Relative("litert_ref_conv", LITERT_REF_CONV.engine, LITERT_REF_CONV, "tflm", LITERT_REF_CONV.knowledge.linear),
    Relative("ruy_x86_conv", RUY_X86_CONV.engine, RUY_X86_CONV, "ruy_x86", RUY_X86_CONV.knowledge.linear, True),
    Relative(
        "brevitas",
        "Brevitas IntQuant, ROUND (CEIL, FLOOR and ROUND_TO_ZERO are qonnx_ceil, qonnx_floor and qonnx_down)",
        QONNX,
        "qonnx",
        Known("run", "brevitas 0.13.4", 1_048_576, "tests/peers/test_brevitas.py"),
    ),
    Relative(
        "iree_tosa_single",
        "IREE, TOSA RESCALE, SINGLE_ROUND",
        TOSA_SINGLE,
        "tosa_single",
        Known("run", "iree-base-compiler 3.13.0, llvm-cpu", 1_048_576, "tests/peers/test_iree.py"),
    ),
    Relative(
        "iree_tosa_double",
        "IREE, TOSA RESCALE, DOUBLE_ROUND",
        TOSA_DOUBLE,
        "tosa_double",
        Known("run", "iree-base-compiler 3.13.0, llvm-cpu", 1_048_576, "tests/peers/test_iree.py"),
    ),
)
