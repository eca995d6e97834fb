"""Which fast form a network has: npquant's own, another profile's, or none.

Legend: layers those of an IntegerMLP, profile its arithmetic.
"""

from __future__ import annotations

from npquant.integer.fast_npquant import PreparedLayer, has_fast_form, prepare_layer
from npquant.integer.fast_profiles import ProfileLayer, prepare_for_profile
from npquant.integer.layer import IntegerLayer
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile

FastForm = tuple[tuple[PreparedLayer, ...], tuple[ProfileLayer, ...]]


def lay_out(layers: tuple[IntegerLayer, ...], profile: Profile) -> FastForm:
    """Prepare layers for npquant's own arithmetic, or for another profile's; both empty where no fast form is exact.

    >>> import numpy as np
    >>> from npquant.kernels.qparams import QuantParams
    >>> p, w = QuantParams(0.5, 0, -128, 127), np.array([[10]], np.int8)
    >>> layer = IntegerLayer(w, np.array([7], np.int32), p, p, None, "relu")
    >>> [len(part) for part in lay_out((layer,), NPQUANT)]
    [0, 0]
    """
    if profile is NPQUANT:
        fast = all(has_fast_form(layer) for layer in layers)
        return (tuple(prepare_layer(layer) for layer in layers) if fast else ()), ()
    others = [prepare_for_profile(layer, profile) for layer in layers]
    ready = tuple(part for part in others if part is not None)
    return (), ready if len(ready) == len(layers) else ()
