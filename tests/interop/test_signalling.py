"""Signalling NaNs: a number that no cast may touch under a strict NumPy is a FormatError in every float format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop import from_sklearn, from_tflite, from_torch
from npquant.interop.keras_in.reading import decode_keras
from npquant.interop.onnx_in.reading import decode_onnx
from npquant.interop.safetensors import decode_safetensors
from npquant.interop.steps import Affine, Clip, Linear, fold
from npquant.interop.tflite_out.parts import Parts
from tests.interop.keras_in.keras_files import dense, h5, layer, sequential, zipped
from tests.interop.onnx_in.models import model, node, tensor, value
from tests.interop.test_safetensors import encoded
from tests.interop.tflite_in.files import const, floats, unary
from tests.interop.tflite_in.files import dense as tflite_dense

# The quiet bit is not set: a cast to another width raises the invalid flag, and a copy does not.
PATTERNS = {np.float16: (np.uint16, 0x7D00), np.float32: (np.uint32, 0x7FA00000)}


def poisoned(shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Return ones with one signalling NaN among them, made of its bits."""
    array = np.ones(shape, dtype)
    bits, pattern = PATTERNS[dtype]
    array.reshape(-1).view(bits)[0] = pattern
    return array


def ones(*shape: int) -> Any:
    """Return float32 ones."""
    return np.ones(shape, np.float32)


def keras(kind: str, **bad: Any) -> bytes:
    """Return a Keras file of a normalization and two layers, the poisoned arrays in place of ones."""
    model = sequential(
        layer("InputLayer", "in", batch_shape=[None, 3]),
        layer("BatchNormalization", "bn", axis=-1, epsilon=1e-3),
        layer("Normalization", "n", axis=-1),
        dense("d", 2, "relu6"),
        dense("e", 2),
    )
    a = {name: ones(3) for name in ("gamma", "beta", "moving_mean", "moving_variance", "mean", "variance")}
    a |= {"count": np.array(3), "kernel": ones(3, 2), "bias": ones(2), "kernel2": ones(2, 2), "bias2": ones(2)} | bad
    groups = {
        "bn": ("gamma", "beta", "moving_mean", "moving_variance"),
        "n": ("mean", "variance", "count"),
        "d": ("kernel", "bias"),
        "e": ("kernel2", "bias2"),
    }
    if kind == "h5":
        return h5(model, {g: {f"{g}/{n.rstrip('2')}:0": a[n] for n in names} for g, names in groups.items()})
    paths = ("batch_normalization", "normalization", "dense", "dense_1")
    stores = {f"layers/{p}": [a[n] for n in names] for p, names in zip(paths, groups.values(), strict=True)}
    return zipped(model, stores)


def onnx(**bad: Any) -> bytes:
    """Return an ONNX file of a normalization and a product."""
    a = {"s": ones(3), "t": ones(3), "m": ones(3), "v": ones(3), "w": ones(3, 2), "b": ones(2)} | bad
    nodes = [
        node("BatchNormalization", "x s t m v", "n"),
        node("Gemm", "n w b", "y", alpha=0.5),
    ]
    return model(nodes, [tensor(n, v) for n, v in a.items()], inputs=[value("x", 1, ("n", 3))])


def tflite(scale: Any, w: Any) -> bytes:
    """Return a TFLite file of a product of each column and a layer."""
    parts = Parts()
    scaled = unary(parts, "MUL", floats(parts, (1, 3)), 3, None, const(parts, scale, "float32"))
    return parts.file(tflite_dense(parts, scaled, w, ones(2)), b"")


def estimator(**bad: Any) -> Any:
    """Return what `from_sklearn` reads of a fitted scaler and network."""

    class StandardScaler:
        mean_, scale_, with_mean, with_std = ones(3), ones(3), True, True

    class MLPRegressor:
        coefs_, intercepts_, activation, out_activation_ = [ones(3, 2)], [ones(2)], "relu", "identity"

    class Pipeline:
        steps = (("scaler", StandardScaler()), ("net", MLPRegressor()))

    for name, array in bad.items():
        owner: Any = StandardScaler if name in ("mean_", "scale_") else MLPRegressor
        setattr(owner, name, array if owner is StandardScaler else [array])
    return Pipeline()


HALF = np.float16
CASES: Mapping[str, Callable[[], object]] = {
    "safetensors, F32 weight": lambda: safetensors(poisoned((4, 3))),
    "safetensors, F16 weight": lambda: safetensors(poisoned((4, 3), HALF)),
    "state_dict, float32": lambda: from_torch({"0.weight": poisoned((2, 3)), "0.bias": ones(2)}, activations="relu"),
    "state_dict, float16": lambda: from_torch(
        {"0.weight": poisoned((2, 3), HALF), "0.bias": ones(2).astype(HALF)}, activations="relu"
    ),
    "tflite, MUL": lambda: from_tflite(tflite(poisoned((3,)), ones(3, 2))),
    "tflite, FULLY_CONNECTED": lambda: from_tflite(tflite(ones(3), poisoned((3, 2)))),
    **{
        f"keras {kind}, {name}": lambda kind=kind, name=name, shape=shape: decode_keras(  # type: ignore[misc]
            keras(kind, **{name: poisoned(shape)}), "net"
        )
        for kind in ("zip", "h5")
        for name, shape in {
            "gamma": (3,), "beta": (3,), "moving_mean": (3,), "moving_variance": (3,), "mean": (3,), "variance": (3,),
            "kernel": (3, 2), "bias": (2,), "kernel2": (2, 2), "bias2": (2,),
        }.items()
    },
    **{
        f"onnx, {name}": lambda name=name, shape=shape: decode_onnx(  # type: ignore[misc]
            onnx(**{name: poisoned(shape)}), "net", folder=None
        )
        for name, shape in {"s": (3,), "t": (3,), "m": (3,), "v": (3,), "w": (3, 2), "b": (2,)}.items()
    },
    **{
        f"scikit-learn, {name}": lambda name=name, shape=shape: from_sklearn(estimator(**{name: poisoned(shape)}))  # type: ignore[misc]
        for name, shape in {"mean_": (3,), "scale_": (3,), "coefs_": (3, 2), "intercepts_": (2,)}.items()
    },
    "steps, scaled": lambda: fold([Affine("s", poisoned((3,)), 0.0, ""), Linear("d", ones(3, 2))], "net"),
    "steps, clipped": lambda: fold([Linear("d", poisoned((3, 2))), Clip("c", 0, 6), Linear("e", ones(2, 2))], "net"),
}  # fmt: skip


def safetensors(weight: Any) -> object:
    """Read one layer."""
    bias = np.ones(len(weight), weight.dtype)
    return decode_safetensors(encoded({"0.weight": weight, "0.bias": bias}), "net", activations="relu")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("setting", ["raise", "warn"])
@pytest.mark.filterwarnings("error")
def test_a_signalling_nan_is_refused(case: str, setting: Any) -> None:
    """Never FloatingPointError, never a warning, whatever NumPy is set to; the place is named."""
    if case.startswith("keras"):
        pytest.importorskip("h5py", reason="h5py is not installed; it is in the extra 'keras'")
    with np.errstate(all=setting), pytest.raises(FormatError) as caught:
        CASES[case]()
    assert caught.value.place and "finite" in caught.value.problem


@pytest.mark.peer
@pytest.mark.parametrize("part", ["weight", "bias", "running_mean", "running_var"])
def test_a_signalling_nan_of_a_torch_module_is_refused(part: str) -> None:
    """The same of a module's batch normalization."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2)).eval()
    with torch.no_grad():
        getattr(net[0], part).view(torch.int32)[0] = 0x7FA00000
    with np.errstate(all="raise"), pytest.raises(FormatError, match="finite"):
        from_torch(net)


def test_the_files_are_read_where_every_number_is_finite() -> None:
    """So that a refusal above is of the number."""
    assert from_tflite(tflite(ones(3), ones(3, 2))).model.neurons == (2,)
    assert decode_onnx(onnx(), "net", folder=None).model.neurons == (2,)
    assert from_sklearn(estimator()).model.neurons == (2,)


@pytest.mark.parametrize("kind", ["zip", "h5"])
def test_the_keras_files_are_read_where_every_number_is_finite(kind: str) -> None:
    """The same of both kinds of Keras files."""
    pytest.importorskip("h5py", reason="h5py is not installed; it is in the extra 'keras'")
    assert decode_keras(keras(kind), "net").model.neurons == (2, 2)
