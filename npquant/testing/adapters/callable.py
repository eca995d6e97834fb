"""A Python function, or an object with `prepare`, as a backend.

Legend: f(x_q, w_q, bias, x, w, y, activation) -> y_q has the signature of `npquant.linear` without the profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.backend import Backend, Capabilities, capabilities_of
from npquant.testing.case import Model


@dataclass(frozen=True, slots=True, eq=False)
class _PreparedFunction:
    """A model whose layers a function computes one after another."""

    f: Callable[..., Any]
    model: Model

    def run(self, x: NDArray[Any]) -> Any:
        """Chain the layers: the function's own output codes are the next layer's input."""
        codes: Any = x
        for layer in self.model.layers:
            codes = self.f(codes, layer.w_q, layer.bias, x=layer.x, w=layer.w, y=layer.y, activation=layer.activation)
        return codes


@dataclass(frozen=True, slots=True, eq=False)
class FunctionBackend:
    """A backend made of a function for a linear layer, and perhaps one for QUANTIZE."""

    name: str
    profile: str
    f: Callable[..., Any]
    can: Capabilities
    quantize_function: Callable[..., Any] | None = None

    def capabilities(self) -> Capabilities:
        """Return what it was said to take."""
        return self.can

    def prepare(self, model: Model) -> _PreparedFunction:
        """Keep the model: a function has nothing to pack."""
        return _PreparedFunction(self.f, model)

    def quantize(self, x: NDArray[Any], params: Any) -> Any:
        """Call the function for QUANTIZE; NotImplementedError if there is none."""
        if self.quantize_function is None:
            raise NotImplementedError("no function for quantize was given")
        return self.quantize_function(x, params)


def from_callable(
    f: Callable[..., Any],
    *,
    profile: str | Profile,
    quantize: Callable[..., Any] | None = None,
    capabilities: Capabilities | None = None,
    name: str = "",
) -> Backend:
    """Make a backend of a Python function that computes one linear layer.

    Parameters
    ----------
    f : callable
        f(x_q, w_q, bias, x=, w=, y=, activation=) -> y_q, as `npquant.linear` without its profile: x_q (B, K) and w_q
        (K, N) integer codes in any memory layout, bias (N,) int32 codes or None, x, w, y `QuantParams`, activation a
        name; it returns codes (B, N) of y.dtype. It may raise NotImplementedError to decline a
        case, and ValueError or TypeError where a case asks for more than a plain layer; to refuse that is a failure.
    profile : str or Profile
        The arithmetic that it claims, as in `npquant.profiles.names()`.
    quantize : callable, optional
        quantize(x, params) -> codes, if it has a QUANTIZE of its own; x float32, params `QuantParams`.
    capabilities : Capabilities, optional
        What it takes; by default all that the profile's engine takes.
    name : str
        For reports; by default the function's own name.

    Returns
    -------
    Backend
        For `run`, `fingerprint` and the rest.

    Raises
    ------
    ValueError
        If there is no such profile.

    Examples
    --------
    >>> import npquant
    >>> from functools import partial
    >>> backend = from_callable(partial(npquant.linear, profile="ort"), profile="ort", name="mine")
    >>> backend.name, backend.profile
    ('mine', 'ort')
    """
    record = get(profile)
    can = capabilities or capabilities_of(record)
    offers = ("linear", "quantize") if quantize is not None else ("linear",)
    if capabilities is None:
        can = _only(can, offers)
    label = name or getattr(f, "__name__", type(f).__name__)
    return FunctionBackend(label, record.name, f, can, quantize)


def _only(can: Capabilities, ops: tuple[str, ...]) -> Capabilities:
    return replace(can, ops=tuple(op for op in can.ops if op in ops))
