"""What a node says beside its data: attributes, and inputs that must be constants of a kind.

Legend: walk the walk; node the operator; name the attribute's, default what it is where the node has not got it; value
an input, role what it is to the operator, like the data that it meets.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.messages import Attribute, Node, quoted
from npquant.interop.onnx_in.tensors import CODES, type_name
from npquant.interop.onnx_in.values import Data, Known, Walk
from npquant.kernels.qparams import QuantParams


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
        walk.refuse(
            node, f"its {role} is {type_name(found.type)} and its input {type_name(like.type)}; types must agree"
        )
    return found.real()


def scalar(walk: Walk, node: Node, value: Known | None, role: str) -> float:
    """Return a constant of one number."""
    found = constant(walk, node, value, role).real()
    if found.size != 1:
        walk.refuse(node, f"its {role} has shape {found.shape}; it must be one number")
    return float(found.reshape(()))


def quant_params(walk: Walk, node: Node, scale: Known | None, zero: Known | None, *, code_type: int) -> QuantParams:
    """Return the parameters of quantized data: one scale and zero point; code_type where none says it."""
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
