"""What a file seems to be, by its content and not by its name.

What is none of npquant's formats is named too, with what would be accepted: most files that a user tries first are a
pickle, a page that a download stopped at, or weights without an architecture.

Source: the formats' own magic numbers; joblib/joblib 1.6 compressor.py; pytorch/pytorch 2.13 torch/serialization.py
(legacy magic, zip of data.pkl), torch/export (archive_format); protobuf field numbers of onnx/onnx 1.23 onnx.proto.

Legend: data the content of a file.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from npquant.files.container.layout import MAGIC

_READS: Final = "npquant reads ONNX, TFLite, Keras (.keras, .h5), safetensors and its own files"
_NO_PICKLE: Final = (
    "pickles run code and are never read: hand a scikit-learn estimator to npquant.interop.from_sklearn, a PyTorch "
    "module or state_dict to from_torch, or save the state_dict as safetensors"
)
_MAGIC: Final = MappingProxyType(
    {
        b"\x89HDF\r\n\x1a\n": "hdf5",
        MAGIC: "npquant",
        b"\x93NUMPY": f"is one .npy array, of no network; {_READS}",
        b"GGUF": f"is a GGUF file of a language model, a format that npquant does not read; {_READS}",
        b"\x1f\x8b": f"is compressed with gzip. If it holds a pickle, as joblib writes .joblib.gz: {_NO_PICKLE}; else "
        f"decompress it first: {_READS}",
        b"BZh": f"is compressed with bzip2. If it holds a pickle, as joblib writes: {_NO_PICKLE}; else decompress it",
        b"\xfd7zXZ": f"is compressed with xz. If it holds a pickle, as joblib writes: {_NO_PICKLE}; else decompress it",
        b"\x5d\x00\x00": f"is compressed with lzma. If it holds a pickle, as joblib writes: {_NO_PICKLE}",
        b"\x04\x22\x4d\x18": f"is compressed with lz4. If it holds a pickle, as joblib writes: {_NO_PICKLE}",
        b"\x28\xb5\x2f\xfd": f"is compressed with zstd; decompress it first: {_READS}",
        b"MATLAB": f"is a MATLAB file; export the network to ONNX (exportONNXNetwork). {_READS}",
    }
)
# Protocol 0 and 1 have no magic: GLOBAL and INST with two lines, a memoised dict or list, MARK and one of these.
_OLD_PICKLE: Final = re.compile(rb"\(?[ci][\w.]+\n[\w.]+\n|\([dl]p\d|\(?[\]})]q|[\]})]\(")
_TEXTS: Final = (
    (re.compile(r"<(!doctype|html|\?xml)", re.I), f"is a page of the web, not the file behind it. {_READS}"),
    (re.compile(r"version https://git-lfs"), "is a pointer of Git LFS, not the file; run 'git lfs pull'"),
    (
        re.compile(r'\s*\{.*"weight_map"', re.S),
        "is the index of sharded weights, without the architecture; save the whole model in one file of a format "
        "that npquant reads (.keras, safetensors, ONNX)",
    ),
    (
        re.compile(r'\s*\{.*"(irVersion|ir_version|opsetImport)"', re.S),
        f"is ONNX as JSON (.onnxjson); save it as binary .onnx. {_READS}",
    ),
    (re.compile(r"(\s*<)?\s*ir_version\s*:"), f"is ONNX as text (.onnxtxt); save it as binary .onnx. {_READS}"),
    (re.compile(r'\s*\{.*"modelTopology"', re.S), f"is TensorFlow.js's model.json; convert it to TFLite. {_READS}"),
    (
        re.compile(r'\s*\{.*"class_name"', re.S),
        "is a Keras architecture without weights (to_json); save the whole model as .keras",
    ),
    (
        re.compile(r".*(\b(unsigned char|uint8_t|int8_t|alignas|#include|#ifndef)\b|#pragma)", re.S),
        "is C or C++ source, a format that npquant does not read; write the bytes of a TFLite model's C array (xxd -i) "
        "to a .tflite file",
    ),
    (
        re.compile(r"(//[^\n]*\n)*\s*\d+\s*,\s*\d+\s*,\s*\d+\s*,\s*\d+\s*,"),
        f"is a .nnet text network, as of ACAS Xu, a format that npquant does not read; convert it to ONNX. {_READS}",
    ),
    (re.compile(r"(//|#|%)"), f"is a text of no known format (.nnet begins so; convert it to ONNX). {_READS}"),
)  # fmt: skip
_TAIL: Final = 1 << 20
_ENTRY: Final = re.compile(rb"PK\x01\x02.{24}(.)(.)", re.S)


def format_of(data: bytes) -> str:
    """Return the format of a file's content: "npquant", "tflite", "keras", "hdf5", "safetensors" or "onnx"; else what
    else it seems to be and what would be read.

    >>> format_of(b"    TFL3"), format_of(b"\\x80\\x04\\x95...")[:11]
    ('tflite', 'is a pickle')
    """
    if not data:
        return f"is empty; {_READS}"
    if data[4:8] == b"TFL3":
        return "tflite"
    if data[4:8] == b"ORTM":
        return f"is onnxruntime's own .ort format; take the .onnx file that it was made from. {_READS}"
    for magic, found in _MAGIC.items():
        if data.startswith(magic):
            return found
    if data[:2] == b"PK":
        return _zip_format(data)
    if _is_pickle(data):
        return f"is a pickle; {_NO_PICKLE}"
    if data[:1] == b"\x78" and len(data) > 1 and int.from_bytes(data[:2]) % 31 == 0 and data[1] in b"\x01\x5e\x9c\xda":
        return f"is compressed with zlib. If it holds a pickle, as joblib writes: {_NO_PICKLE}"
    if data[257:262] == b"ustar":
        return f"is a tar archive; unpack it first (of old torch.save: {_NO_PICKLE}). {_READS}"
    text = _text(data)
    if text is not None:
        return next((says for known, says in _TEXTS if known.match(text)), f"is text of no known format; {_READS}")
    if data[8:9] == b"{" and len(data) > 8:
        return "safetensors"
    if data[:1] in (b"\x08", b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42"):  # a protobuf field of ModelProto
        return "onnx"
    return f"is of no known format; {_READS}"


def _is_pickle(data: bytes) -> bool:
    if data[:1] == b"\x80" and data[1:2] <= b"\x05":
        return True
    return _OLD_PICKLE.match(data) is not None or b"joblib" in data[:200] or b"sklearn" in data[:200]


def _text(data: bytes) -> str | None:
    """Return the start of a text; None if it is none."""
    start = data[:4096]
    if any(byte < 9 or 13 < byte < 32 for byte in start):
        return None
    # A character may be cut at the end.
    return start.decode("utf-8", errors="replace")


def _zip_format(data: bytes) -> str:
    """Tell a zip by the names in its directory, of which no more than the last megabyte is looked at."""
    if data[30:43] == b"manifest.json":  # the first member of all that npquant writes
        return "npquant"
    names = _names_in(data[-_TAIL:]) or [data[30:94].decode("latin-1")]
    bare = {name.rsplit("/", 1)[-1] for name in names}
    if "manifest.json" in names:
        return "npquant"
    if any(name.endswith(".pkl") for name in bare):
        return f"is a pickle in a zip, as torch.save writes; {_NO_PICKLE}"
    if names and ("model.weights.h5" in names or "config.json" in names):
        return "keras"
    if any(name.endswith(".npy") for name in bare):
        return (
            f"is an .npz of arrays ({', '.join(sorted(names)[:8])}) without the manifest.json of a network that "
            f"npquant.save wrote; which array is which layer's is not in it. {_READS}"
        )
    if "archive_format" in bare or any(name.startswith(("models/", "data/weights/")) for name in names):
        return f"is a PyTorch export (.pt2), a format that npquant does not read; export it to ONNX. {_READS}"
    if "saved_model.pb" in bare:
        return f"is a zipped TensorFlow SavedModel; convert it to TFLite, or save it as .keras. {_READS}"
    return f"is a zip of {', '.join(sorted(names)[:8])}; unpack it first. {_READS}"


def _names_in(tail: bytes) -> list[str]:
    """Return the names of the central directory's entries; of what is damaged, those that still read."""
    found = []
    for entry in _ENTRY.finditer(tail):
        length = int.from_bytes(entry[1] + entry[2], "little")
        found.append(tail[entry.start() + 46 : entry.start() + 46 + length].decode("utf-8", errors="replace"))
    return found
