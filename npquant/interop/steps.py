"""What every float importer reads a file into, and how a list of it becomes a FloatMLP: one rule for all formats.

A reader walks its file and lists steps in the order of the computation; `fold` makes layers of them.

J1 (affine)   an affine map before a layer is folded into it: (x S + t) W + b = x (S W) + (t W + b); one behind a layer
              that has no activation yet is folded into that layer's outputs
J2 (clip)     clip(z, l, h) = l + (h - l) clipped_relu((z - l) / (h - l)); with h infinite l + relu(z - l); with l
              infinite h - relu(h - z). What stands before the activation goes into its layer, the rest by J1 into the
              next one; clips that follow one another are one clip
J3 (head)     softmax, log-softmax and an elementwise sigmoid behind the last layer are split off, and named
J4 (dtype)    where nothing was folded, the file's own numbers (float16 as float32); folds are made in float64, and the
              network is float64

Legend: K inputs and N outputs of a step; w (K, N), b (N,) float; scale () or (N,) elementwise or (K, N) a matrix, shift
() or (N,); low < high bounds, infinite where there is none; place what the file calls the step; file its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.files.format_error import FormatError
from npquant.nn.model import DenseLayer, FloatMLP

HEADS: Final = ("none", "softmax", "logsoftmax", "logistic")
# Formats write "no bound" as the largest float32, too.
_NO_BOUND: Final = float(np.finfo(np.float32).max)


class Linear(NamedTuple):
    """y = x w + b; no bias is zeros."""

    place: str
    w: NDArray[Any]
    b: NDArray[Any] | None = None


class Affine(NamedTuple):
    """y = x scale + shift: elementwise, or x @ scale + shift for a matrix. `says` is the note on its folding."""

    place: str
    scale: ArrayLike
    shift: ArrayLike
    says: str
    wide: bool = False  # the file computes it in float64


class Clip(NamedTuple):
    """y = clip(x, low, high): relu is (0, inf), relu6 (0, 6), hardtanh (-1, 1)."""

    place: str
    low: float
    high: float


class Activation(NamedTuple):
    """An activation that clips alone do not make: "sigmoid", "tanh", "hard_sigmoid" or "softplus"."""

    place: str
    name: str


class Head(NamedTuple):
    """What stands behind the logits: "softmax" or "logsoftmax"; a last sigmoid becomes "logistic" by itself."""

    place: str
    kind: str


Step = Linear | Affine | Clip | Activation | Head


@dataclass(slots=True)
class _Layers:
    """The layers so far, and the affine map that waits for the next one."""

    file: str
    w: list[NDArray[Any]] = field(default_factory=list)
    b: list[NDArray[Any]] = field(default_factory=list)
    activations: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    clip: Clip = field(
        default_factory=lambda: Clip("", -inf, inf)
    )  # of the last layer, composed of all that followed it
    waiting: Affine | None = None
    head: str = "none"
    folded: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def clipped(self) -> bool:
        return (self.clip.low, self.clip.high) != (-inf, inf)


def fold(steps: Iterable[Step], file: str) -> tuple[FloatMLP, str, tuple[str, ...]]:
    """J1 to J4. The network that steps describe, its head, and what was folded on the way.

    FormatError, naming file and place, where shapes do not agree, a number is not finite, or a step stands where no
    FloatMLP can hold it.

    >>> eye = np.eye(2, dtype=np.float32)
    >>> halves = Affine("scaler", 0.5, 0.0, "the scaler was folded into layer 0")
    >>> net, head, notes = fold([halves, Linear("fc", eye, None), Clip("act", 0, inf), Linear("out", eye)], "net")
    >>> net.activation_names, net.logits([[4.0, -4.0]]), head, notes
    (('relu', 'identity'), array([[2., 0.]]), 'none', ('the scaler was folded into layer 0',))
    """
    layers = _Layers(file)
    # A product that overflows, or a NaN of the file, is refused where the layer is made.
    with np.errstate(all="ignore"):
        for step in steps:
            if layers.head != "none":
                raise FormatError(file, step.place, f"stands behind the {layers.head}, which must be the last step")
            _take(layers, step)
        if not layers.w:
            raise FormatError(file, "", "holds no fully-connected layer")
        _end(layers)
        return _network(layers), layers.head, tuple(layers.notes)


def _take(layers: _Layers, step: Step) -> None:
    match step:
        case Linear():
            _linear(layers, step)
        case Affine():
            _affine(layers, step)
        case Clip():
            _require_layer(layers, step.place)
            _clip(layers, step)
        case Activation(place, name):
            _require_layer(layers, place)
            if layers.activations[-1] != "identity" or layers.clipped:
                raise FormatError(layers.file, place, f"{name} stands behind another activation; a layer has one")
            layers.activations[-1] = name
        case Head(place, kind):
            _require_layer(layers, place)
            layers.head = kind
            layers.notes.append(f"the {kind} behind the last layer was split off as the head")


def _require_layer(layers: _Layers, place: str) -> None:
    if not layers.w:
        raise FormatError(layers.file, place, "stands before the first fully-connected layer")
    if layers.waiting is not None:
        raise FormatError(layers.file, place, f"stands behind {layers.waiting.place}, which no layer takes in")


def _clip(layers: _Layers, step: Clip) -> None:
    """J2. clip(clip(z, a, b), l, h) = clip(z, clip(a, l, h), clip(b, l, h))."""
    low, high = (inf * np.sign(v) if abs(v) >= _NO_BOUND else float(v) for v in (step.low, step.high))
    if layers.activations[-1] != "identity":
        raise FormatError(layers.file, step.place, f"clips the outputs of a {layers.activations[-1]}; a layer has one")
    old = layers.clip
    new = Clip(step.place, min(max(old.low, low), high), min(max(old.high, low), high))
    if not (low < high and new.low < new.high):
        raise FormatError(layers.file, step.place, f"clips to [{step.low:g}, {step.high:g}], which leaves one value")
    layers.clip = new


def _linear(layers: _Layers, step: Linear) -> None:
    w = np.asarray(step.w)
    b = np.zeros(w.shape[-1:], w.dtype) if step.b is None else np.asarray(step.b)
    if w.ndim != 2 or b.shape != w.shape[1:]:
        raise FormatError(layers.file, step.place, f"weights {w.shape} and bias {b.shape}; they must be (K, N), (N,)")
    if layers.w:
        _end_layer(layers)
    if layers.waiting is not None:
        affine, layers.waiting = layers.waiting, None
        scale, shift = _checked(layers.file, affine, outputs=w.shape[0])
        # J1: t W before S W, and both in float64.
        b = _wide(b) + np.broadcast_to(shift, w.shape[:1]) @ _wide(w)
        w = scale @ _wide(w) if scale.ndim == 2 else np.broadcast_to(scale, w.shape[:1])[:, None] * _wide(w)
        layers.folded = True
    if layers.w and layers.w[-1].shape[1] != w.shape[0]:
        raise FormatError(
            layers.file, step.place, f"takes {w.shape[0]} inputs; {layers.places[-1]} has {layers.w[-1].shape[1]}"
        )
    layers.w.append(w)
    layers.b.append(b)
    layers.activations.append("identity")
    layers.places.append(step.place)


def _affine(layers: _Layers, step: Affine) -> None:
    layers.notes.extend([step.says] if step.says else [])
    layers.folded = True
    if layers.w and layers.activations[-1] == "identity" and not layers.clipped and layers.waiting is None:
        scale, shift = _checked(layers.file, step, inputs=layers.w[-1].shape[1])
        w, b = _wide(layers.w[-1]), _wide(layers.b[-1])
        layers.w[-1] = w @ scale if scale.ndim == 2 else w * scale
        layers.b[-1] = (b @ scale if scale.ndim == 2 else b * scale) + shift
        return
    if layers.w:
        _end_layer(layers)
    _checked(layers.file, step)
    layers.waiting = step if layers.waiting is None else _after(layers.file, layers.waiting, step)


def _checked(
    file: str, step: Affine, *, inputs: int | None = None, outputs: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift, of shapes that map `inputs` to `outputs` numbers, as far as these are known."""
    scale, shift = _wide(step.scale), _wide(step.shift)
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        raise FormatError(file, step.place, "scales or shifts by a number that is not finite")
    rows, columns = scale.shape if scale.ndim == 2 else (inputs, inputs if outputs is None else outputs)
    fits = scale.ndim <= 2 and shift.ndim <= 1 and inputs in (None, rows) and outputs in (None, columns)
    vectors = [v.size for v in (scale, shift) if v.ndim == 1]
    if not fits or any(size not in (1, columns) for size in vectors if columns is not None):
        raise FormatError(
            file,
            step.place,
            f"scales by {scale.shape} and shifts by {shift.shape}; {inputs or 'any'} inputs and "
            f"{outputs or 'any'} outputs are here",
        )
    return scale, shift


def _after(file: str, one: Affine, two: Affine) -> Affine:
    """J1. The one affine map that does `one`, then `two`: x S U + (t U + v)."""
    s, t, u, v = (_wide(a) for a in (one.scale, one.shift, two.scale, two.shift))
    try:
        if u.ndim == 2:
            scale = s @ u if s.ndim == 2 else np.broadcast_to(s, u.shape[:1])[:, None] * u
            return Affine(two.place, scale, np.broadcast_to(t, u.shape[:1]) @ u + v, "")
        return Affine(two.place, s * u, t * u + v, "")
    except ValueError as error:
        raise FormatError(file, two.place, f"has other shapes than {one.place} before it") from error


def _end_layer(layers: _Layers) -> None:
    """J2. Settle the clip of the last layer."""
    (at, low, high), layers.clip = layers.clip, Clip("", -inf, inf)
    if (low, high) == (-inf, inf):
        return
    if (low, high) in ((0, inf), (0, 1)):
        layers.activations[-1] = "relu" if high == inf else "clipped_relu"
        return
    # The activation's argument is (z - start) / step, and start + step activation(...) what the next layer reads.
    if high == inf:
        name, start, step = "relu", low, 1.0
    elif low == -inf:
        name, start, step = "relu", high, -1.0
    else:
        name, start, step = "clipped_relu", low, high - low
    layers.w[-1] = _wide(layers.w[-1]) / step
    layers.b[-1] = (_wide(layers.b[-1]) - start) / step
    layers.activations[-1] = name
    bounds = f"{'relu6' if (low, high) == (0, 6) else 'clip'} to [{low:g}, {high:g}]"
    layers.waiting = Affine(f"{at} ({bounds})", step, start, "")
    layers.folded = True
    layers.notes.append(f"{at}: the {bounds} was folded into a {name} and the next layer")


def _end(layers: _Layers) -> None:
    """J3. Settle what stands behind the last layer."""
    _end_layer(layers)
    if layers.waiting is not None:
        raise FormatError(
            layers.file,
            layers.waiting.place,
            "scales or shifts the outputs behind the last activation; only a relu, clipped_relu, sigmoid, tanh, "
            "hard_sigmoid, softplus or a head may stand last",
        )
    if layers.head == "none" and layers.activations[-1] == "sigmoid":
        layers.activations[-1], layers.head = "identity", "logistic"
        layers.notes.append("the sigmoid behind the last layer was split off as the head 'logistic'")


def _network(layers: _Layers) -> FloatMLP:
    """J4. Each array is let go once its layer is made: no more than one of them is held twice."""
    dtypes = {array.dtype for array in (*layers.w, *layers.b)}
    small = not layers.folded and all(dtype in (np.float16, np.float32) for dtype in dtypes)
    dtype = np.float32 if small else np.float64
    made: list[DenseLayer] = []
    try:
        for activation in layers.activations:
            w, b = layers.w.pop(0), layers.b.pop(0)
            made.append(DenseLayer(w.astype(dtype, copy=False), b.astype(dtype, copy=False), activation))
        return FloatMLP(tuple(made))
    except (ValueError, TypeError) as error:
        place = layers.places[len(made)] if len(made) < len(layers.places) else ""
        raise FormatError(layers.file, place, str(error)) from error


def _wide(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)
