"""npquant's own arithmetic, as a record.

Legend: sx, sw, sy scales of input, weights, output; M multiplier.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from npquant.kernels.multiplier import FixedMultiplier, decompose_multiplier, real_multiplier
from npquant.kernels.output_stages import stage_single_rounding
from npquant.profiles.record import Profile


def fixed_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """Make the multiplier of npquant's own arithmetic.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    FixedMultiplier
        R5 of R4.

    Examples
    --------
    >>> fixed_multiplier(0.5, 0.5, 0.5).real
    0.5
    """
    return decompose_multiplier(real_multiplier(sx, sw, sy))


NPQUANT = Profile(
    name="npquant",
    engine="npquant",
    version="0.1",
    source="npquant/spec/requantize.py",
    equation="y_q = clamp(round_half_up(acc m 2^(e-31)) + zy, qmin, qmax)",
    make_multiplier=fixed_multiplier,
    output_stage=stage_single_rounding,
    accumulator="exact",
)
