"""What both sides of the container agree on: its numbers, the record of its parts, the bound on its size (N6)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final

from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile

MAGIC: Final = b"NPQ"
VERSION: Final = 1
INTEGER_MLP: Final = 1
# A file names an activation by its place here: new ones go to the end.
ACTIVATIONS: Final = ("identity", "relu", "clipped_relu", "relu6", "relu_n1_to_1", "sigmoid", "tanh")
OFFSETS: Final = ("", "<f4", "<f8")
_FREE_STEPS: Final = 1 << 20
_STEPS_PER_BYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Say what some bytes of a file are for.

    Parameters
    ----------
    name : str
        Such as "header", "scales", "biases", "weights", "checksum".
    layer : int or None
        The layer that they belong to.
    encoding : str
        How they are encoded; "" where there is one way only.
    n_bytes : int
        How many.
    """

    name: str
    layer: int | None
    encoding: str
    n_bytes: int


def find_profile(name: str) -> Profile:
    """Find an engine's arithmetic by its name.

    Parameters
    ----------
    name : str
        One of `npquant.profiles.names()`.

    Returns
    -------
    Profile
        The record.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> find_profile("npquant") is NPQUANT
    True
    """
    if name == NPQUANT.name:
        return NPQUANT
    # On demand: a network of npquant's own arithmetic needs no other engine's record.
    profile: Profile = import_module("npquant.profiles").get(name)
    return profile


def decoding_steps(inputs: int, outputs: int) -> int:
    """Count the steps that decoding a layer takes at most (N6).

    Parameters
    ----------
    inputs, outputs : int
        K and N.

    Returns
    -------
    int
        Steps of two to ten microseconds: a row of weights takes as long as 64 weights, a bias as long as 16.

    Examples
    --------
    >>> decoding_steps(784, 300)
    290176
    """
    return inputs * (outputs + 64) + 16 * outputs


def allowed_steps(n_bytes: int) -> int:
    """Bound the steps of decoding by the length of the file (N6).

    Parameters
    ----------
    n_bytes : int
        Length of the container.

    Returns
    -------
    int
        Steps.

    Examples
    --------
    >>> allowed_steps(100)
    1150976
    """
    return _FREE_STEPS + _STEPS_PER_BYTE * n_bytes
