"""What a name in the graph stands for while it is walked: a constant, integers that depend on the batch, or the data.

Data is what flows from the graph's input to its output. Its shape is kept for a few batch sizes (1, 2 and the one the
file declares), so that "Reshape to [2, 64]" and a chain of Shape, Gather and Concat are judged alike: a size of the
batch for which the file's own shapes do not hold is dropped, with the reason; one must be left.

Legend: type the element type's number; node the operator, or the place of what has none; None in a shape is a size that
the file does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.tensors import TensorReader
from npquant.interop.onnx_in.tokens import Token

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Integers computed from the data's shape: one array a batch size."""

    by_batch: Mapping[int, NDArray[np.int64]]


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
