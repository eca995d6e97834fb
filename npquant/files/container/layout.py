"""What both sides of the container agree on: its numbers, the record of its parts, the bound on its size (N6).

Legend: inputs and outputs, K and N of a layer; name that of a profile.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile
from npquant.version import numerics_version, own_numerics_unchanged_since

MAGIC: Final = b"NPQ"
VERSION: Final = 1
VERSION_WITH_FACTS: Final = 2
INTEGER_MLP: Final = 1
# With an output offset or factors, which a reader that knows kind 1 alone would leave out.
WITH_ENDS: Final = 2
# Kinds 1 and 2 with biases of int64, beside inputs of int16.
WIDE: Final = 3
WIDE_WITH_ENDS: Final = 4
# A file names an activation by its place here: new ones go to the end.
ACTIVATIONS: Final = ("identity", "relu", "clipped_relu", "relu6", "relu_n1_to_1", "sigmoid", "tanh", "softplus")
OFFSETS: Final = ("", "<f4", "<f8")
_FREE_STEPS: Final = 1 << 20
_STEPS_PER_BYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Say what some bytes of a file are for."""

    name: str  # such as "header", "scales", "biases", "weights", "checksum"
    layer: int | None  # the layer that they belong to
    encoding: str  # how they are encoded; "" where there is one way only
    n_bytes: int


def find_profile(name: str) -> Profile:
    """Find an engine's arithmetic by its name, one of `npquant.profiles.names()`; ValueError if there is none.

    >>> find_profile("npquant") is NPQUANT
    True
    """
    if name == NPQUANT.name:
        return NPQUANT
    # On demand: a network of npquant's own arithmetic needs no other engine's record.
    from npquant.profiles import get

    return get(name)


def warn_of_numerics(version: str, profile: Profile) -> None:
    """Warn if outputs may not be those that a network, written under a numerics version, was accepted for."""
    same = profile is NPQUANT and version in own_numerics_unchanged_since
    if version != numerics_version and not same:
        warnings.warn(
            f"the network was written under numerics {version!r}, this npquant has {numerics_version!r}: "
            "its outputs may differ, so prove them anew",
            stacklevel=2,
        )


def decoding_steps(inputs: int, outputs: int) -> int:
    """N6. Steps that decoding a layer of K inputs and N outputs takes at most, of two to ten microseconds each.

    A row of weights takes as long as 64 weights, a bias as long as 16.

    >>> decoding_steps(784, 300)
    290176
    """
    return inputs * (outputs + 64) + 16 * outputs


def allowed_steps(n_bytes: int) -> int:
    """N6. Steps of decoding that a container of n_bytes may take.

    >>> allowed_steps(100)
    1150976
    """
    return _FREE_STEPS + _STEPS_PER_BYTE * n_bytes
