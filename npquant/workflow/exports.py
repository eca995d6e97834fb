"""A network as the files of a target: one table for `npquant export` and for step 8.

Legend: model a network; target one of `target_names.TARGETS`; form how it is written; files contents by name, and for a
target that is one file under the name "", since its user names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from npquant.files.facts import Facts
from npquant.files.staging import write_together
from npquant.files.storage import write_atomically
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP

_ONNX_FORMS: Final = MappingProxyType({"onnx": "qdq", "onnx-qoperator": "qoperator", "onnx-integer": "integer"})


@dataclass(frozen=True, slots=True)
class ExportForm:
    """Say how to write a target; each target reads what concerns it."""

    head: str = "none"  # behind the logits: ONNX, TFLite
    weights: str = "auto"  # how their codes are stored: ONNX with quantize-dequantize pairs
    per_channel: bool | None = None  # a scale an output always, never, or as the network has them: TFLite
    style: Literal["plain", "cmsis-nn"] = "plain"  # C
    name: str = "model"  # of files and symbols: C, memory images
    facts: Facts | None = None  # what is known of the data, documented where the format has a place: all but TFLite


def encode_export(
    model: FloatMLP | IntegerMLP | DynamicMLP, target: str, form: ExportForm = ExportForm()
) -> dict[str, bytes]:
    """Encode a network for a target; nothing is written.

    ValueError or TypeError, with the reason, where the format cannot hold the network.
    """
    if target in _ONNX_FORMS:
        from npquant.interop.onnx_out.to_onnx import encode_onnx

        return {
            "": encode_onnx(model, form=_ONNX_FORMS[target], head=form.head, weights=form.weights, facts=form.facts)
        }
    if target == "tflite":
        from npquant.interop.tflite_out.encode import encode_tflite

        if isinstance(model, DynamicMLP):
            raise TypeError("tflite holds float and integer networks, not a DynamicMLP: quantize it with fixed ranges")
        return {"": encode_tflite(model, head=form.head, per_channel=form.per_channel)}
    if target == "npz":
        from npquant.files.plain_arrays import encode_plain_arrays

        return {"": encode_plain_arrays(model, form.facts)}
    if not isinstance(model, IntegerMLP):
        raise TypeError(f"{target} holds an integer network alone, not a {type(model).__name__}: quantize it first")
    if target == "readmemh":
        from npquant.interop.readmemh import encode_readmemh

        texts = encode_readmemh(model, name=form.name, facts=form.facts)
    else:
        from npquant.interop.c99.export import encode_c

        texts = encode_c(model, name=form.name, style=form.style, facts=form.facts)
    return {name: text.encode("ascii") for name, text in texts.items()}


def write_export(out: Path, files: Mapping[str, bytes]) -> dict[Path, int]:
    """Write encoded files, all or none, to the file or the folder out; return their lengths.

    OSError if one cannot be written.
    """
    if set(files) == {""}:
        write_atomically(out, files[""])
    else:
        out.mkdir(exist_ok=True)
        write_together(out, files)
    return {out / name if name else out: len(content) for name, content in files.items()}
