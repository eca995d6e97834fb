"""How each operator of an engine is known: asked of the engine, of its source compiled apart, or read there.

Legend: a cell is one operator of one profile; outputs are compared bit for bit, and none of them differs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

# defined: npquant's own, which no engine answers for
How = Literal["run", "compiled", "read", "absent in the engine", "absent here", "defined"]


@dataclass(frozen=True, slots=True)
class Known:
    """Say how one operator is known, and who asks again.

    >>> str(Known("run", "torch 2.13.0", 7_100_000, "tests/peers/test_torch.py"))
    'run: torch 2.13.0, 7,100,000 outputs, tests/peers/test_torch.py'
    """

    how: How
    # run: the engine and its version; compiled, read: repository, file and revision; absent: the reason
    what: str
    outputs: int = 0  # compared
    test: str = ""  # the test that asks again, or the page that says how to

    def __post_init__(self) -> None:
        asked = self.how in ("run", "compiled")
        if asked != bool(self.outputs) or (asked and not self.test):
            raise ValueError(f"{self.how}: {self.what}: what was asked has outputs and a test, and nothing else has")

    @property
    def absent(self) -> bool:
        """Whether npquant answers nothing, be it that the engine has no such operator or that npquant lacks it."""
        return self.how.startswith("absent")

    def __str__(self) -> str:
        count = f"{self.outputs:,} outputs" if self.outputs else ""
        return f"{self.how}: {', '.join(part for part in (self.what, count, self.test) if part)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Hold a profile's cells: every operator has one."""

    linear: Known  # 8-bit codes to 8-bit codes
    wide: Known  # linear of int16 codes: 16x8
    requantize: Known  # accumulators to codes
    quantize: Known  # real values to codes
    dequantize: Known  # codes to real values
    codes_to_codes: Known  # another scale, zero point or type
    bias: Known  # a real bias as the layer takes it
    activations: Known  # stand-alone, on codes
    softmax: Known  # on codes
    dynamic: Known  # real values in and out, codes of the inputs' own range between

    def cells(self) -> tuple[tuple[str, Known], ...]:
        """The operators by name, in the order of the table."""
        return tuple((field.name, getattr(self, field.name)) for field in fields(self))
