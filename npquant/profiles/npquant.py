"""npquant's own arithmetic, as a record.

Legend: acc accumulator, (m, e) multiplier of R5, zy zero point, [qmin, qmax] output interval.
"""

from __future__ import annotations

from npquant.kernels.multiplier import fixed_multiplier
from npquant.kernels.output_stages import stage_single_rounding, stage_single_rounding_wide
from npquant.profiles.known import own as known
from npquant.profiles.record import Profile, WideStage

_WEIGHTS = ("int8", "int4", "uint8", "int16", "uint16")

NPQUANT = Profile(
    name="npquant",
    engine="npquant",
    version="0.1",
    source="npquant/spec/requantize.py",
    knowledge=known.NPQUANT,
    equation="y_q = clamp(round_half_up(acc m 2^(e-31)) + zy, qmin, qmax)",
    make_multiplier=fixed_multiplier,
    output_stage=stage_single_rounding,
    accumulator="exact",
    rescale_types=("int16", "uint16", "int32"),
    multipliers=(-(2**31), 2**31 - 1, 1),
    # R6 is defined for |acc| <= 2^31, R170 for 48 bits.
    wide_stages=(
        WideStage(
            "int64",
            fixed_multiplier,
            stage_single_rounding_wide,
            zero_points=True,
            accumulator_bits=48,
            mixed=True,
            weights=_WEIGHTS,
        ),
        WideStage("int32", fixed_multiplier, stage_single_rounding, zero_points=True, mixed=True, weights=_WEIGHTS),
    ),
)
