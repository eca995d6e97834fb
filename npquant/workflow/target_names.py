"""What a network can be exported to, by name, and the runtimes that each is for: names alone, so that help is quick."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

TARGETS: Final = ("c", "onnx", "onnx-qoperator", "onnx-integer", "tflite", "readmemh", "npz")
FOLDERS: Final = ("c", "readmemh")  # several files; the others are one
# Under which names step 8 writes them.
FILES: Final = MappingProxyType(
    {
        "c": "deployed_c",
        "onnx": "deployed.onnx",
        "onnx-qoperator": "deployed_qoperator.onnx",
        "onnx-integer": "deployed_integer.onnx",
        "tflite": "deployed.tflite",
        "readmemh": "deployed_readmemh",
        "npz": "deployed_arrays.npz",
    }
)
ENGINES: Final = ("cc", "onnxruntime", "litert", "tflm", "verilog")
# Which runtimes step 8 hands a target to; NumPy itself is the one that opens an npz.
ENGINES_OF: Final = (
    ("c", "cc"),
    ("onnx", "onnxruntime"),
    ("onnx-qoperator", "onnxruntime"),
    ("onnx-integer", "onnxruntime"),
    ("tflite", "litert"),
    ("tflite", "tflm"),
    ("readmemh", "verilog"),
    ("npz", "numpy"),
)


def check_targets(targets: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the targets that are asked for: all for None, none for ("none",); ValueError names one that is unknown.

    >>> check_targets(("c", "tflite")), check_targets(("none",))
    (('c', 'tflite'), ())
    """
    if targets is None:
        return TARGETS
    if targets == ("none",):
        return ()
    for target in targets:
        if target not in TARGETS:
            raise ValueError(
                f"the target {target!r} is unknown; choose of {', '.join(TARGETS)} with --targets, or none"
            )
    return tuple(target for target in TARGETS if target in targets)
