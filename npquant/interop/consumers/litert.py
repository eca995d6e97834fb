"""LiteRT, the runtime of TFLite files on phones and PCs: a file's inputs in, its outputs out.

Legend: path the file; x (B, K) what it takes, codes or real values; resolver whose kernels compute.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.consumers.apart import run_apart

PACKAGE: Final = "ai-edge-litert"
# What LiteRT calls each choice of kernels, and the profile that computes as these do on x86 with AVX-512.
RESOLVERS: Final = MappingProxyType(
    {
        "xnnpack": ("AUTO", "xnnpack_fp32_avx512"),
        "ref": ("BUILTIN_REF", "litert_ref_2025"),
        "ruy": ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", "ruy_x86"),
    }
)
_RUN: Final = """
from ai_edge_litert.interpreter import Interpreter, OpResolverType
kind = getattr(OpResolverType, option)
engine = Interpreter(model_path=path, experimental_op_resolver_type=kind, num_threads=1)
engine.allocate_tensors()
taken, given = engine.get_input_details()[0], engine.get_output_details()[0]
shape, rows = tuple(taken["shape"]), int(taken["shape"][0])
answers = []
for start in range(0, max(len(x), 1), rows):
    part = np.zeros((rows, x.shape[1]), x.dtype)
    part[: len(x) - start] = x[start : start + rows]
    engine.set_tensor(taken["index"], part.reshape(shape))
    engine.invoke()
    answers.append(engine.get_tensor(given["index"]).reshape(rows, -1))
y = np.concatenate(answers)[: len(x)]
"""


def run_litert(path: str | os.PathLike[str], x: NDArray[Any], *, resolver: str = "xnnpack") -> NDArray[Any]:
    """What LiteRT answers, one inference of the file's own batch after another, in a process of its own.

    ImportError, naming the extra, if LiteRT is not installed; RuntimeError if it refuses the file or dies on it;
    ValueError for an unknown resolver.
    """
    if resolver not in RESOLVERS:
        raise ValueError(f"unknown resolver {resolver!r}; known: {', '.join(RESOLVERS)}")
    if version_litert() is None:
        raise ImportError(f"LiteRT needs the package {PACKAGE}: pip install 'npquant[peers]'")
    return run_apart(_RUN, path, np.ascontiguousarray(x), engine="LiteRT", option=RESOLVERS[resolver][0])


def version_litert() -> str | None:
    """The installed version, None if LiteRT is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None
