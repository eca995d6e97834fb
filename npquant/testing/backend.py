"""What a backend is: a structural protocol, what it says it can do, and what one question to it came to.

Legend: a model is layers and a profile; x input codes (B, K) of the first layer; y output codes (B, N) of the last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.activation_bounds import CLAMPS
from npquant.kernels.qparams import QuantParams
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile
from npquant.testing.case import LAYOUTS, Case, Model

# What a backend may be asked to refuse, by what is wrong with the case.
ILLEGAL: Final = ("shape", "zero_point", "scale", "code")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend takes. A case outside is not put to it, and is counted as such.

    ops: "linear", "quantize". code_types: of input and output codes. weight_types: of weight codes.
    weight_zero_point, unsigned_weight_zero_point: of int8 and of uint8 weights, may differ from 0. per_channel: N
    weight scales. min_batch, min_depth: 0 where an empty batch, or a layer without inputs, is a question. max_depth:
    largest K. layouts: of `LAYOUTS`. activations: fused. networks: takes several layers at once. rejects: of
    `ILLEGAL`, what it promises to refuse by an exception. threads: may be run from several threads at once."""

    ops: tuple[str, ...] = ("linear",)
    code_types: tuple[str, ...] = ("int8", "uint8")
    weight_types: tuple[str, ...] = ("int8",)
    input_zero_point: bool = True
    weight_zero_point: bool = True
    unsigned_weight_zero_point: bool = True
    per_channel: bool = True
    min_batch: int = 0
    min_depth: int = 0
    max_depth: int = 1 << 16
    layouts: tuple[str, ...] = LAYOUTS
    activations: tuple[str, ...] = ("none", "relu", "relu6", "clipped_relu", "relu_n1_to_1")
    networks: bool = True
    rejects: tuple[str, ...] = ("shape",)
    threads: bool = False


class Prepared(Protocol):
    """A model that a backend has packed: its state, if it has any, lives here."""

    def run(self, x: NDArray[Any]) -> Any:
        """Return the output codes (B, N) for input codes x (B, K)."""


@runtime_checkable
class Backend(Protocol):
    """An implementation on trial. It may also offer `capabilities()` and `quantize(x, params)`."""

    @property
    def name(self) -> str:
        """Who it is, for reports."""

    @property
    def profile(self) -> str:
        """The arithmetic that it claims."""

    def prepare(self, model: Model) -> Prepared:
        """Pack a model; a refusal is ValueError or TypeError, and NotImplementedError declines the question."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one question to a backend came to.

    kind is "value", or what went wrong in words: one of the constants below. value is the array, where there is one;
    detail says more, for a reader."""

    kind: str
    value: NDArray[Any] | None = None
    detail: str = ""


VALUE: Final = "value"
REJECTED: Final = "rejected the case"
DECLINED: Final = "declined the case"
RAISED: Final = "raised an exception"
CRASHED: Final = "crashed"
HUNG: Final = "gave no answer in time"
JUNK: Final = "answered with junk"
NOT_AN_ARRAY: Final = "returned no array"
WRONG_TYPE: Final = "returned the wrong dtype"
WRONG_SHAPE: Final = "returned the wrong shape"
WROTE_OUTSIDE: Final = "wrote outside its output buffer"
LEFT_UNWRITTEN: Final = "left output elements unwritten"
CHANGED_INPUT: Final = "changed its input"
CHANGED_MODEL: Final = "changed the model's weights or bias"
ALIASED: Final = "returned memory that changes with its input"
OVERWRITTEN: Final = "changed its answer to an earlier call"
NO_CODE: Final = "answered with a number that is no code"
WRONG_VALUE: Final = "gave a wrong code"
FLAKY: Final = "gave different answers to one question"
ACCEPTED: Final = "accepted an illegal case"


class BackendFault(Exception):
    """Raised by an adapter whose backend did something that no return value can say, such as a crash."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


def capabilities_of(profile: Profile) -> Capabilities:
    """Return what an engine takes by its record: what a backend is asked that says nothing of itself.

    ValueError where no generator draws what the engine takes (`Profile.restriction`).

    >>> from npquant.profiles import get
    >>> capabilities_of(get("gemmini_f32")).input_zero_point
    False
    >>> capabilities_of(get("qonnx")).ops
    ('quantize',)
    """
    if profile.restriction:
        raise ValueError(f"no case is drawn for {profile.name}: its engine takes {profile.restriction}")
    if not profile.has_layers:
        types = tuple(kind for kind in profile.quantize_types if kind in ("int8", "uint8"))
        return Capabilities(ops=("quantize",), code_types=types, input_zero_point=profile.zero_points)
    weight_zero = profile.weight_zero_point in ("honoured", "per_tensor")
    weights = ("int8", "uint8") if profile.weight_zero_point in ("honoured", "uint8") else ("int8",)
    return Capabilities(
        ops=("linear", "quantize") if profile.quantize_codes is not None or profile is NPQUANT else ("linear",),
        code_types=profile.code_types,
        weight_types=weights,
        input_zero_point=profile.zero_points,
        weight_zero_point=weight_zero and profile.zero_points,
        unsigned_weight_zero_point=profile.weight_zero_point != "zero" and profile.zero_points,
        activations=("none", *_fused_by(profile.activation_bounds)),
    )


@cache
def _fused_by(bounds: Callable[[str, QuantParams], tuple[int, int]]) -> tuple[str, ...]:
    """Return the activations that layers fuse whose clamps have these code bounds; every bug that is made asks."""
    return tuple(name for name in CLAMPS if name != "identity" and _fuses(bounds, name))


def _fuses(bounds: Callable[[str, QuantParams], tuple[int, int]], activation: str) -> bool:
    """Say whether layers take a fused activation."""
    try:
        bounds(activation, QuantParams(1.0, 0, 0, 255))
    except ValueError:
        return False
    return True


def capabilities_from(backend: Any, profile: Profile) -> Capabilities:
    """Return what a backend says of itself, within what its profile's engine takes."""
    engine = capabilities_of(profile)
    stated: Capabilities | None = backend.capabilities() if hasattr(backend, "capabilities") else None
    offers = ("linear", "quantize") if hasattr(backend, "quantize") else ("linear",)
    if stated is None:
        return replace(engine, ops=tuple(op for op in engine.ops if op in offers))
    return replace(
        stated,
        ops=tuple(op for op in stated.ops if op in offers and op in engine.ops),
        input_zero_point=stated.input_zero_point and engine.input_zero_point,
        weight_zero_point=stated.weight_zero_point and engine.weight_zero_point,
        unsigned_weight_zero_point=stated.unsigned_weight_zero_point and engine.unsigned_weight_zero_point,
        code_types=tuple(kind for kind in stated.code_types if kind in engine.code_types),
        activations=tuple(name for name in stated.activations if name in engine.activations),
    )


def why_not_asked(case: Case, can: Capabilities) -> str:
    """Return why a case is not put to a backend with these capabilities; "" if it is."""
    if case.op not in can.ops:
        return f"no {case.op}"
    if case.op == "quantize":
        return ""
    if len(case.model.layers) > 1 and not can.networks:
        return "no networks"
    if case.status == "must_reject" and not set(case.tags) & set(can.rejects):
        return "promises no refusal"
    if case.x_layout not in can.layouts or case.w_layout not in can.layouts:
        return f"no layout {case.x_layout}/{case.w_layout}"
    if len(case.x_q) < can.min_batch:
        return "no empty batch"
    reasons = (_why_not_layer(layer, can) for layer in case.model.layers)
    return next((reason for reason in reasons if reason), "")


def _why_not_layer(layer: Any, can: Capabilities) -> str:
    depth = layer.w_q.shape[0]
    if not can.min_depth <= depth <= can.max_depth:
        return f"no depth {depth}"
    if layer.x.dtype.name not in can.code_types or layer.y.dtype.name not in can.code_types:
        return f"no codes of type {layer.x.dtype.name} to {layer.y.dtype.name}"
    if layer.w_q.dtype.name not in can.weight_types:
        return f"no weights of type {layer.w_q.dtype.name}"
    if np.ndim(layer.w.scale) and not can.per_channel:
        return "no per-channel weights"
    free = can.unsigned_weight_zero_point if layer.w_q.dtype == np.uint8 else can.weight_zero_point
    if np.any(layer.w.zero_point) and not free:
        return "no weight zero point"
    if (np.any(layer.x.zero_point) or np.any(layer.y.zero_point)) and not can.input_zero_point:
        return "no zero points"
    return "" if layer.activation in can.activations else f"no activation {layer.activation}"
