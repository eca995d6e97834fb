"""Other people's formats: existing models in, deployable models out, one module a format.

in     read load | from_onnx from_tflite from_keras from_safetensors from_sklearn from_torch
out    to_onnx to_tflite to_c to_readmemh to_npz

Whatever is read becomes a `FloatMLP`, an `IntegerMLP` or a `DynamicMLP`, or one `FormatError` that names file and
place. Heavy packages (onnx, h5py) are imported inside the functions that need them; nothing is ever unpickled.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from npquant.interop.c99.export import encode_c, to_c
    from npquant.interop.imported import Imported
    from npquant.interop.keras_in.reading import from_keras
    from npquant.interop.npz_out import to_npz
    from npquant.interop.onnx_in.reading import from_onnx
    from npquant.interop.onnx_out.to_onnx import to_onnx
    from npquant.interop.reading import load, read
    from npquant.interop.readmemh import encode_readmemh, to_readmemh
    from npquant.interop.safetensors import from_safetensors
    from npquant.interop.sklearn import from_sklearn
    from npquant.interop.tflite_in.decode import from_tflite
    from npquant.interop.tflite_out.encode import to_tflite
    from npquant.interop.torch import from_torch

__all__ = [
    "Imported",
    "encode_c",
    "encode_readmemh",
    "from_keras",
    "from_onnx",
    "from_safetensors",
    "from_sklearn",
    "from_tflite",
    "from_torch",
    "load",
    "read",
    "to_c",
    "to_npz",
    "to_onnx",
    "to_readmemh",
    "to_tflite",
]

_HOME: Final = MappingProxyType(
    {
        "Imported": "npquant.interop.imported",
        "encode_c": "npquant.interop.c99.export",
        "encode_readmemh": "npquant.interop.readmemh",
        "from_keras": "npquant.interop.keras_in.reading",
        "from_onnx": "npquant.interop.onnx_in.reading",
        "from_safetensors": "npquant.interop.safetensors",
        "from_sklearn": "npquant.interop.sklearn",
        "from_tflite": "npquant.interop.tflite_in.decode",
        "from_torch": "npquant.interop.torch",
        "load": "npquant.interop.reading",
        "read": "npquant.interop.reading",
        "to_c": "npquant.interop.c99.export",
        "to_npz": "npquant.interop.npz_out",
        "to_onnx": "npquant.interop.onnx_out.to_onnx",
        "to_readmemh": "npquant.interop.readmemh",
        "to_tflite": "npquant.interop.tflite_out.encode",
    }
)


def __getattr__(name: str) -> object:
    """Load a name at its first use, and keep it."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'npquant.interop' has no attribute {name!r}; see dir(npquant.interop)")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
