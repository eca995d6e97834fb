"""Whoever runs ONNX models as a backend: ONNX's own backend API, or a function that makes sessions.

Legend: x_q (B, K), w_q (K, N), bias (N,) codes of one layer, x and w (or params) their quantization, outputs N where
these are weights; d = x_q - zx what an input code counts. The package onnx is imported when a model is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Int64
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.adapters.operands import LayerByLayer
from npquant.testing.backend import Capabilities, capabilities_of
from npquant.testing.case import Layer, Model, Params, checked

# QuantizeLinear here divides in float32, the type of its scale.
OPSET: Final = 21
IR_VERSION: Final = 10
MICROSOFT: Final = "com.microsoft"
# Products that may stand for a bias before the question is declined.
MOST_PRODUCTS: Final = 2048

Operator = Literal["QLinearMatMul", "QGemm"]
# From a serialized model to a function of the feeds that returns the outputs.
Session = Callable[[dict[str, NDArray[Any]]], Sequence[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class OnnxBackend:
    """A backend that puts every layer as a model of one node."""

    name: str
    profile: str
    operator: Operator
    can: Capabilities
    session: Callable[[bytes], Session]
    # Whether pairs of products saturate, so that further products change the sum.
    pairs: bool

    def capabilities(self) -> Capabilities:
        """Return what the operator can say."""
        return self.can

    def prepare(self, model: Model) -> LayerByLayer:
        """Build a model for each layer; its session is made now, with the weights inside."""
        made = {id(layer): _LayerSession(self, layer) for layer in model.layers}
        return LayerByLayer(lambda layer, x_q: made[id(layer)].answer(x_q), model)

    def quantize(self, x: NDArray[Any], params: Params) -> Any:
        """Run QuantizeLinear."""
        node = one_node("QuantizeLinear", x, affine(params), params.dtype)
        return self.session(node)({"x": x})[0]


class _LayerSession:
    """One layer in a session, its bias as further products where the operator has none."""

    def __init__(self, backend: OnnxBackend, layer: Layer) -> None:
        x, w, y = checked(layer.x), checked(layer.w), checked(layer.y)
        n = layer.w_q.shape[1]
        bias = np.zeros(n, np.int64) if layer.bias is None else layer.bias.astype(np.int64)
        if bias.shape != (n,):
            raise ValueError(f"the bias has shape {bias.shape}, ({n},) was due")
        fixed = [*affine(x), np.ascontiguousarray(layer.w_q), *affine(w, n)]
        self.more = np.zeros(0, x.dtype)
        if backend.operator == "QGemm":
            fixed += [bias.astype(np.int32)]
        elif bias.any() and backend.pairs:
            raise NotImplementedError("the operator has no bias, and none can be made where pairs of products saturate")
        elif bias.any():
            self.more, weights = bias_as_products(bias, x, w)
            fixed[2] = np.concatenate([fixed[2], weights])
        empty = np.zeros((1, fixed[2].shape[0]), x.dtype)
        domain = MICROSOFT if backend.operator == "QGemm" else ""
        self.depth = layer.w_q.shape[0]
        self.run = backend.session(one_node(backend.operator, empty, [*fixed, *affine(y)], y.dtype, domain))

    def answer(self, x_q: Codes) -> Any:
        """Run the session; ValueError for a depth that does not fit."""
        if x_q.shape[1] != self.depth:
            raise ValueError(f"the input has {x_q.shape[1]} columns, {self.depth} were due")
        rows = np.broadcast_to(self.more, (len(x_q), self.more.size))
        return self.run({"x": np.ascontiguousarray(np.concatenate([x_q, rows], axis=1))})[0]


def one_node(
    operator: str, x: NDArray[Any], fixed: Sequence[NDArray[Any]], dtype: np.dtype[Any], domain: str = ""
) -> bytes:
    """Return a serialized model of one operator of a domain: input x of any number of rows, all else fixed, output y of
    a dtype."""
    from onnx import helper, numpy_helper

    names = ["x", *(f"c{i}" for i in range(len(fixed)))]
    shape = ["B", *x.shape[1:]]
    ends = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), dims)
        for name, kind, dims in (("x", x.dtype, shape), ("y", dtype, None))
    ]
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in zip(names[1:], fixed, strict=True)]
    node = helper.make_node(operator, names, ["y"], domain=domain)
    graph = helper.make_graph([node], operator, ends[:1], ends[1:], initializer=constants)
    opsets = [helper.make_opsetid("", OPSET), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString())


def affine(params: Params, outputs: int | None = None) -> list[NDArray[Any]]:
    """Return scale and zero point as two arrays of one shape: () or, for weights with several, (N,)."""
    scale, zero = np.asarray(params.scale, np.float32), np.asarray(params.zero_point)
    shape = () if outputs is None or not params.per_channel else (outputs,)
    return [np.array(np.broadcast_to(scale, shape)), np.array(np.broadcast_to(zero, shape)).astype(params.dtype)]


def bias_as_products(bias: Int64, x: QuantParams, w: QuantParams) -> tuple[Codes, Codes]:
    """Return input codes (E,) and weight codes (E, N) whose products sum to the bias: the same accumulator, without a
    bias.

    int32 sums do not mind the order, so the answer is the layer's own. NotImplementedError where that takes more than
    `MOST_PRODUCTS` products, or codes that there are not.

    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> inputs, weights = bias_as_products(np.array([1000, -3]), p, p)
    >>> inputs.astype(int) @ weights.astype(int)
    array([1000,   -3])
    """
    zero_x, zero_w = int(x.zero_point), np.broadcast_to(np.asarray(w.zero_point, np.int64), bias.shape)
    largest = max((x.qmin - zero_x, x.qmax - zero_x), key=abs)
    low, high = w.qmin - zero_w, w.qmax - zero_w
    rest = bias.copy()
    inputs: list[int] = []
    rows: list[Int64] = []
    # Large steps first: d = +-largest with as large a weight as leaves the sign; then d = +-1 for what is left.
    for d in (largest, -largest, 1, -1):
        if not x.qmin <= zero_x + d <= x.qmax:
            continue
        while rest.any():
            step = np.clip(np.sign(rest * d) * (np.abs(rest) // abs(d)), low, high)
            if not step.any():
                break
            if len(rows) == MOST_PRODUCTS:
                raise NotImplementedError("the operator has no bias, and this one takes too many products")
            rest = rest - step * d
            inputs.append(zero_x + d)
            rows.append(step + zero_w)
    if rest.any():
        raise NotImplementedError("the operator has no bias, and these zero points leave no products to stand for it")
    return np.array(inputs, x.dtype), np.array(rows).astype(w.dtype).reshape(-1, len(bias))


def from_onnx_backend(
    backend: Any,
    *,
    profile: str | Profile = "ort",
    operator: Operator = "QLinearMatMul",
    capabilities: Capabilities | None = None,
    name: str = "",
) -> OnnxBackend:
    """Make a backend of something that runs ONNX models.

    Parameters
    ----------
    backend : class, object or callable
        With ONNX's backend API (`onnx.backend.base.Backend`): prepare(ModelProto) and, of what that returns,
        run([x]) -> outputs. Or a callable: serialized model (bytes) -> function of the feeds {"x": x} -> outputs, as
        two lines make it of an onnxruntime session.
    profile : str or Profile
        The arithmetic that it claims, as in `npquant.profiles.names()`.
    operator : {"QLinearMatMul", "QGemm"}
        QLinearMatMul is the standard's, and has no bias; com.microsoft's QGemm has one.
    capabilities : Capabilities, optional
        What it takes; by default what the operator can say: no fused activation, at least one row and one input.
    name : str
        For reports.

    Returns
    -------
    Backend
        For `run` and the rest; each layer is a model of one node, which is loaded when the layer is prepared.

    Raises
    ------
    ValueError
        If there is no such profile or operator.

    Notes
    -----
    Where the operator has no bias, the bias becomes further products of constant inputs: the same int32 accumulator. A
    bias that would take too many is declined, and so is any under a profile whose machine saturates pairs of products.
    QUANTIZE is the operator QuantizeLinear.

    Examples
    --------
    >>> def session(model: bytes):
    ...     raise NotImplementedError("no engine here")
    >>> from npquant.testing import run
    >>> run(from_onnx_backend(session), tier="smoke", classes=["plain"]).exit_code
    4
    """
    if operator not in ("QLinearMatMul", "QGemm"):
        raise ValueError(f"there is no operator {operator!r} here; known: QLinearMatMul, QGemm")
    record = get(profile)
    can = capabilities or replace(
        capabilities_of(record),
        activations=("none",),
        layouts=("c",),
        min_batch=1,
        min_depth=1,
        rejects=(),
    )
    session = backend if not hasattr(backend, "prepare") else _prepared_by(backend)
    label = name or getattr(backend, "__name__", type(backend).__name__)
    return OnnxBackend(label, record.name, operator, can, _declining(session), record.accumulator == "pair16")


def _declining(session: Callable[[bytes], Session]) -> Callable[[bytes], Session]:
    """Return a maker of sessions whose engine, where it says that it has no such kernel, declines."""

    def declining(model: bytes) -> Session:
        try:
            return session(model)
        except Exception as error:
            # onnxruntime's NotImplemented, and ONNX's BackendIsNotSupposedToImplementIt, are no NotImplementedError.
            if type(error).__name__ in ("NotImplemented", "BackendIsNotSupposedToImplementIt"):
                raise NotImplementedError("the engine has no kernel for these types") from error
            raise

    return declining


def _prepared_by(backend: Any) -> Callable[[bytes], Session]:
    """Return ONNX's backend API as a function that makes sessions."""

    def session(model: bytes) -> Session:
        from onnx import ModelProto

        prepared = backend.prepare(ModelProto.FromString(model))
        return lambda feeds: prepared.run(list(feeds.values()))

    return session
