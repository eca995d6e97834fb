"""Bugs of refusal: illegal cases that are answered.

Legend: profile the arithmetic; each function returns a function with the signature of `from_callable`'s f.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.bugs.honest import Call, answer
from npquant.testing.case import checked


def depth_mismatch_is_cut(profile: Profile) -> Callable[..., Any]:
    """The shorter of the two depths is used."""

    def function(x_q: Any, w_q: Any, bias: Any, *, x: Any, w: Any, y: Any, activation: str = "none") -> Any:
        depth = min(x_q.shape[1], w_q.shape[0])
        params = (checked(x), checked(w), checked(y))
        return answer(Call(x_q[:, :depth], w_q[:depth], bias, *params, activation, profile))

    return function


def short_bias_is_repeated(profile: Profile) -> Callable[..., Any]:
    """A bias of the wrong length is read cyclically."""

    def function(x_q: Any, w_q: Any, bias: Any, *, x: Any, w: Any, y: Any, activation: str = "none") -> Any:
        fitted = None if bias is None else np.resize(bias, w_q.shape[1]) if len(bias) else None
        if x_q.shape[1] != w_q.shape[0]:
            raise ValueError("depths differ")
        params = (checked(x), checked(w), checked(y))
        return answer(Call(x_q, w_q, fitted, *params, activation, profile))

    return function
