"""The engines: each one's arithmetic as a named record, one module a family of engines.

``names()`` lists them, ``get(name)`` returns one. A name carries what the numbers depend on: the engine, and where one
engine has several arithmetics, the build, resolver or processor.
"""

from __future__ import annotations

import difflib

from npquant.profiles import (
    compilers,
    executorch,
    hardware,
    hls4ml,
    mnn,
    ncnn,
    onnx,
    openvino,
    power_of_two,
    qonnx,
    stablehlo,
    tflite,
    torch,
    tract,
    xnnpack,
)
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile
from npquant.profiles.relatives import RELATIVES

_ALL = (
    NPQUANT,
    *tflite.PROFILES,
    *xnnpack.PROFILES,
    *onnx.PROFILES,
    *torch.PROFILES,
    *compilers.PROFILES,
    *hardware.PROFILES,
    *ncnn.PROFILES,
    *mnn.PROFILES,
    *tract.PROFILES,
    *executorch.PROFILES,
    *stablehlo.PROFILES,
    *qonnx.PROFILES,
    *openvino.PROFILES,
    *power_of_two.PROFILES,
    *hls4ml.PROFILES,
)


def names(*, layers: bool = True) -> tuple[str, ...]:
    """List the profiles.

    Parameters
    ----------
    layers : bool
        Only those with a linear layer of codes of any scales and biases; False: those of engines that take fewer (see
        `Profile.restriction`), or quantize and dequantize alone, as well.

    Returns
    -------
    tuple of str
        Names, npquant's own first, then by family of engines.

    Examples
    --------
    >>> names()[:3]
    ('npquant', 'tflite_ref', 'tflm')
    """
    return tuple(profile.name for profile in _ALL if not layers or (profile.has_layers and not profile.restriction))


def get(name: str | Profile) -> Profile:
    """Return a profile by its name.

    Parameters
    ----------
    name : str or Profile
        One of `names()`, or of the relatives beside them. A record is returned as it is.

    Returns
    -------
    Profile
        The record.

    Raises
    ------
    ValueError
        If there is no such profile; the message lists the nearest names.

    Examples
    --------
    >>> get("ort").engine
    'ONNX Runtime, CPU provider (MLAS)'
    """
    if isinstance(name, Profile):
        return name
    for profile in _ALL:
        if profile.name == name:
            return profile
    for relative in RELATIVES:
        if relative.name == name:
            return relative.record
    known = (*names(), *(relative.name for relative in RELATIVES))
    # Apart, and nearer, since the many modes of one quantizer would crowd out the layers.
    alone = [name for name in names(layers=False) if name not in known]
    near = difflib.get_close_matches(str(name), known, n=4, cutoff=0.3)
    near += difflib.get_close_matches(str(name), alone, n=2, cutoff=0.7)
    near = near or list(names())
    raise ValueError(f"there is no profile {name!r}; near it: {', '.join(near)} (npquant.profiles.names() lists all)")
