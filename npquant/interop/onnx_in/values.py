"""What a name in the graph stands for while it is walked: a constant, integers that depend on the batch, or the data.

Data is what flows from the graph's input to its output. Its shape is kept for a few batch sizes (1, 2 and the one the
file declares), so that "Reshape to [2, 64]" and a chain of Shape, Gather and Concat are judged alike: a size of the
batch for which the file's own shapes do not hold is dropped, with the reason; one must be left.

Legend: type the element type's number; place the node; None in a shape is a size that the file does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in.messages import Attribute, Node, quoted
from npquant.interop.onnx_in.tensors import CODES, TYPES, TensorReader, type_name
from npquant.interop.steps import Activation, Affine, Clip, Head
from npquant.kernels.qparams import QuantParams

Shape = tuple[int | None, ...]
MAX_CONSTANT = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A constant: numbers, or codes with the scale and zero point that make numbers of them (`scale` is then given).

    low and high narrow the interval of integer codes, where the file clips them.
    """

    array: NDArray[Any]
    type: int
    scale: NDArray[np.float32] | None = None
    zero: NDArray[Any] | None = None
    axis: int = 0
    code_type: int = 0
    low: int | None = None
    high: int | None = None

    def real(self) -> NDArray[Any]:
        """Return the numbers; those of codes in float32: f32(code - zero) scale."""
        if self.scale is None:
            return self.array
        centred = self.array.astype(np.int64) - along(self.zero, self.axis, self.array.ndim)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(centred.astype(np.float32) * along(self.scale, self.axis, self.array.ndim))

    def interval(self) -> tuple[int, int]:
        """Return the closed interval of the codes: their type's, or what a Clip left of it."""
        low, high = CODES[self.code_type or self.type]
        return (low if self.low is None else self.low), (high if self.high is None else self.high)


def along(values: NDArray[Any] | None, axis: int, ndim: int) -> NDArray[Any]:
    """Return one value, or one a position of `axis`, so that it broadcasts over `ndim` axes; None is 0."""
    if values is None:
        return np.zeros((), np.int64)
    if values.size == 1:
        return values.reshape(())
    return values.reshape([-1 if i == axis else 1 for i in range(ndim)])


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Integers computed from the data's shape: one array a batch size."""

    by_batch: Mapping[int, NDArray[np.int64]]


class Product(NamedTuple):
    """y = x w + b, with w (K, N) and what it was before it was turned; codes where the file holds codes."""

    place: str
    w: Const
    b: Const | None
    turned: bool  # w is stored (N, K)
    alpha: float = 1.0
    beta: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """(K, N)."""
        k, n = self.w.array.shape[::-1] if self.turned else self.w.array.shape
        return k, n


class Quantize(NamedTuple):
    """Real values to codes."""

    place: str
    params: QuantParams


class CodeClip(NamedTuple):
    """Codes into a narrower interval."""

    place: str
    low: int
    high: int


class Dequantize(NamedTuple):
    """Codes to real values."""

    place: str
    params: QuantParams


class DynamicProduct(NamedTuple):
    """y = f32(acc) f32(sx sw) + b, the codes of x made from the range of x itself."""

    place: str
    w: Const
    zero: Const | None
    scale: Const
    b: Const | None


class Pair(NamedTuple):
    """[1 - p, p] of one probability p, which scikit-learn's converters write."""

    place: str


Token = Product | Quantize | CodeClip | Dequantize | DynamicProduct | Pair | Affine | Clip | Activation | Head


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What flows from input to output: its type, its shape for each batch size, and how it was made."""

    type: int
    shapes: Mapping[int, Shape]
    token: Token | None = None
    parent: Data | None = None

    def then(self, token: Token, *, type: int | None = None, shapes: Mapping[int, Shape] | None = None) -> Data:
        """Return what the token makes of it."""
        return Data(self.type if type is None else type, self.shapes if shapes is None else shapes, token, self)

    def instead(self, token: Token) -> Data:
        """Return it with another last token."""
        return replace(self, token=token)

    def tokens(self) -> list[Token]:
        """Return the tokens from the input on."""
        found, at = [], self
        while at.parent is not None:
            assert at.token is not None
            found.append(at.token)
            at = at.parent
        return found[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Dynamic:
    """What DynamicQuantizeLinear makes of x, and what is computed from it until real values come back.

    kind: "codes", "scale", "zero"; "sum" (MatMulInteger), "sum in floats" (its Cast), "scales" (sx sw).
    """

    kind: str
    x: Data
    w: Const | None = None
    zero: Const | None = None
    scale: Const | None = None


Known = Const | Sizes | Data | Dynamic


@dataclass(slots=True)
class Walk:
    """The walk through one graph: its file, the opset of ONNX's own operators, and what is to be told."""

    file: str
    opset: int
    tensors: TensorReader
    notes: list[str] = field(default_factory=list)
    dropped: str = ""  # why a batch size was dropped last

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def refuse(self, node: Node | str, problem: str) -> NoReturn:
        """Raise the error that names file and node."""
        raise FormatError(self.file, node if isinstance(node, str) else node.place, problem)

    def each(self, node: Node, data: Data, new: Callable[[int, Shape], Shape]) -> Mapping[int, Shape]:
        """Return the shapes that `new` makes for each batch size, without those it refuses by ValueError."""
        shapes = {}
        for batch, shape in data.shapes.items():
            try:
                shapes[batch] = new(batch, shape)
            except ValueError as error:
                self.dropped = f"{node.place}: {error}"
        if not shapes:
            self.refuse(node, self.dropped.removeprefix(f"{node.place}: "))
        return shapes


def attribute(walk: Walk, node: Node, name: str) -> Attribute | None:
    """Return an attribute, None if the node has not got it; a reference to a function's own is refused."""
    found = node.attributes.get(name)
    if found is not None and found.refers:
        walk.refuse(node, f"its attribute {quoted(name)} refers to a function's; functions are not read")
    return found


def integer_of(walk: Walk, node: Node, name: str, default: int) -> int:
    """Return an integer attribute."""
    found = attribute(walk, node, name)
    return default if found is None else found.i


def float_of(walk: Walk, node: Node, name: str, default: float) -> float:
    """Return a float attribute: the float32 that the file holds, widened."""
    found = attribute(walk, node, name)
    return default if found is None else found.f


def integers_of(walk: Walk, node: Node, name: str) -> list[int] | None:
    """Return an attribute of several integers, None if the node has not got it."""
    found = attribute(walk, node, name)
    return None if found is None else found.ints


def constant(walk: Walk, node: Node, value: Known | None, role: str) -> Const:
    """Return an input that must be a constant; FormatError otherwise."""
    if not isinstance(value, Const):
        walk.refuse(node, f"its {role} must be a constant of the file, not computed from the input or missing")
    return value


def numbers(walk: Walk, node: Node, value: Known | None, role: str, like: Data) -> NDArray[Any]:
    """Return a constant's numbers, of the same type as the data that it meets."""
    found = constant(walk, node, value, role)
    if found.type != like.type:
        walk.refuse(node, f"its {role} is {type_name(found.type)} and its input {type_name(like.type)}; types must agree")
    return found.real()


def scalar(walk: Walk, node: Node, value: Known | None, role: str) -> float:
    """Return a constant of one number."""
    found = constant(walk, node, value, role).real()
    if found.size != 1:
        walk.refuse(node, f"its {role} has shape {found.shape}; it must be one number")
    return float(found.reshape(()))


def quant_params(walk: Walk, node: Node, scale: Known | None, zero: Known | None, *, code_type: int) -> QuantParams:
    """Return the parameters of quantized data: one scale, one zero point, 8-bit codes."""
    s = constant(walk, node, scale, "scale")
    z = None if zero is None else constant(walk, node, zero, "zero point")
    kind = code_type if z is None else z.type
    if kind not in (2, 3):
        walk.refuse(node, f"quantizes data to {type_name(kind)}; INT8 and UINT8 are read")
    if s.type != 1 or s.scale is not None or s.array.size != 1 or (z is not None and z.array.size != 1):
        walk.refuse(node, "its scale and zero point must be one FLOAT and one code; data is quantized per tensor")
    try:
        low, high = CODES[kind]
        return QuantParams(float(s.array.reshape(())), 0 if z is None else int(z.array.reshape(())), low, high)
    except (ValueError, TypeError) as error:
        walk.refuse(node, str(error))


def dtype_of(kind: int) -> type[Any]:
    """Return the NumPy type of an element type's numbers in memory."""
    found: type[Any] = TYPES[kind][1]
    return found
