"""What the numerics version stands for: `npquant.numerics_version` is raised when any of these digests changes.

Legend: digest SHA-256 of the codes that a profile gives for a fixed, generated set of accumulators.
"""

from __future__ import annotations

import hashlib

import numpy as np

from npquant.kernels.profile import Profile
from npquant.profiles.samples import codes_under, extremes, near_ties, realistic
from npquant.profiles.separating import SEPARATING_SET, answer


def golden_digest(profile: Profile) -> str:
    """Hash a profile's answers to a fixed set of accumulators and layers.

    Parameters
    ----------
    profile : Profile
        The arithmetic.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.

    Notes
    -----
    The set comes from NumPy's PCG64 with a fixed seed, whose integers are stable across versions; floats are rounded to
    float32 scales. 96 sets near ties and 32 realistic ones, 256 accumulators each, the
    extremes, and the layers of the separating set.

    Examples
    --------
    >>> from npquant.profiles import get
    >>> golden_digest(get("npquant")) == golden_digest(get("tosa_single"))
    False
    """
    rng = np.random.default_rng(20260101)
    digest = hashlib.sha256()
    for sample in [*near_ties(rng, 96, 256), *realistic(rng, 32, 256), *extremes()]:
        codes = codes_under(profile, sample)
        digest.update(b"refused" if codes is None else codes.astype(np.int8).tobytes())
    digest.update(repr([answer(profile, vector) for vector in SEPARATING_SET]).encode())
    return digest.hexdigest()
