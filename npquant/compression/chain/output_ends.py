"""The far end of an integer network: what real outputs are shifted and divided by before they become codes.

Legend: R calibration rows, C outputs; Z (R, C) pre-activations of the float network's last layer, w, b its real weights
and bias; `output` what the outputs are: "softmax" for logits of classes, "identity" for real values, "auto" for real
values where there is one output; `calibrate` takes values -> (lo, hi).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule
from npquant.kernels.qparams import QuantParams, choose_affine, choose_symmetric

OUTPUTS: Final = ("auto", "softmax", "identity")
# Of the 255 steps of R14, how many every output keeps: with fewer, more than one bit of 8 would be lost.
LEAST_STEPS: Final = 127
# A float32 value is known to 2^-24 of its size: steps twice as fine as that would tell rounding errors apart.
FINEST_STEP: Final = 2.0**-23


def output_kind(output: str, outputs: int) -> str:
    """Return what `output` means for so many outputs; ValueError for a name that is none of OUTPUTS.

    >>> output_kind("auto", 1), output_kind("auto", 10)
    ('identity', 'softmax')
    """
    if output not in OUTPUTS:
        raise ValueError(f"output is {output!r}; it must be one of {OUTPUTS}")
    if output != "auto":
        return output
    return "identity" if outputs == 1 else "softmax"


@dataclass(frozen=True, slots=True, eq=False)
class OutputEnds:
    """Say what the last layer's real outputs are before they become codes: (z - offset) / factor."""

    offset: Float64 | None = None  # (C,)
    factor: Float64 | None = None  # (C,), > 0

    def params(self, bits: int) -> QuantParams | None:
        """Quantization of the outputs, codes of `bits`, where it is known: with factors every range is [-1, 1]."""
        if self.factor is None:
            return None
        return choose_symmetric(1.0, bits) if bits == 16 else choose_affine(-1.0, 1.0, bits)

    def fold(self, w: Float64, b: Float64, z: Float64) -> tuple[Float64, Float64, Float64]:
        """Return weights, bias and pre-activations of the layer that gives (z - offset) / factor."""
        if self.offset is not None:
            b, z = b - self.offset, z - self.offset
        if self.factor is not None:
            w, b, z = w / self.factor, b / self.factor, z / self.factor
        return w, b, z


def choose_output_ends(z: Float64, activation: str, output: str, calibrate: RangeRule) -> OutputEnds:
    """Choose offset and factors from Z; neither where one R14 of all outputs leaves each at least 127 of its 255 steps.

    Real values get the middle of their range as offset, and several outputs half its width as factor, so that each
    spends all codes. Classes are compared with each other: they get one offset for all, and no factor. Outputs that are
    constant on the rows ask for nothing. Codes of 16 bits have the ends of those of 8. Another activation than
    "identity" is bounded, or starts at 0, and has no ends.

    >>> from npquant.compression.chain.calibration import min_max_range
    >>> z = np.array([[999.0, 0.0], [1001.0, 4.0]])
    >>> ends = choose_output_ends(z, "identity", "identity", min_max_range)
    >>> ends.offset, ends.factor
    (array([1000.,    2.]), array([1., 2.]))
    >>> choose_output_ends(z, "identity", "softmax", min_max_range).offset is None
    True
    """
    if activation != "identity":
        return OutputEnds()
    kind = output_kind(output, z.shape[1])
    ranges = [calibrate(part) for part in ([z] if kind == "softmax" else np.split(z, z.shape[1], axis=1))]
    lo, hi = (np.array(end, np.float64) for end in zip(*ranges, strict=True))
    step = float(choose_affine(float(lo.min()), float(hi.max()), 8).scale)
    width = hi - lo
    varies = width > 255 * FINEST_STEP * np.maximum(np.abs(lo), np.abs(hi))
    if not (varies & (width < LEAST_STEPS * step)).any():
        return OutputEnds()
    middle = lo + width / 2
    if len(ranges) == 1:
        return OutputEnds(np.full(z.shape[1], middle[0]))
    return OutputEnds(middle, np.where(varies, width / 2, 1.0))
