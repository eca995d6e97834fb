"""npquant's own arithmetic, as a record.

Legend: sx, sw, sy scales of input, weights, output; M multiplier.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from npquant.kernels.multiplier import FixedMultiplier, decompose_multiplier, real_multiplier
from npquant.kernels.output_stages import stage_single_rounding
from npquant.profiles.record import Profile


def fixed_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """Make the multiplier of npquant's own arithmetic: R5 of R4.

    >>> fixed_multiplier(0.5, 0.5, 0.5).real
    0.5
    """
    return decompose_multiplier(real_multiplier(sx, sw, sy))


NPQUANT = Profile(
    name="npquant",
    engine="npquant",
    version="0.1",
    source="npquant/spec/requantize.py",
    proof="a definition: laws equate its arrays with exact rationals",
    equation="y_q = clamp(round_half_up(acc m 2^(e-31)) + zy, qmin, qmax)",
    make_multiplier=fixed_multiplier,
    output_stage=stage_single_rounding,
    accumulator="exact",
    rescale_types=("int16", "uint16", "int32"),
    multipliers=(-(2**31), 2**31 - 1, 1),
)
