"""Targets that the tests of the command line and of the plugin name: right, wrong, crashing, declining kernels."""

from functools import partial
from typing import Any

import npquant

right = partial(npquant.linear, profile="ort")


def rounds_up(x_q: Any, w_q: Any, bias: Any, **named: Any) -> Any:
    """Round ties up where the profile rounds them to even."""
    return npquant.linear(x_q, w_q, bias, profile="tvm_upward", **named)


def leaves(x_q: Any, w_q: Any, bias: Any, **named: Any) -> Any:
    """End the process."""
    raise SystemExit(3)


class Declining:
    """A backend that declines every question."""

    name, profile = "declining", "ort"

    def prepare(self, model: Any) -> Any:
        """Decline."""
        raise NotImplementedError("not yet")


class Demanding:
    """A class that cannot be made without arguments."""

    def __init__(self, needed: int) -> None:
        self.needed = needed


number = 3
