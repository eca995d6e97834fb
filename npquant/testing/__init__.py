"""The oracle kit: judge a stranger's backend, and say what is wrong with it; and how two arithmetics are told apart.

`run` judges, `fingerprint` and `identify` ask which arithmetic something has, `from_...` plug things in, `strategies`
draw cases for tests of one's own. The names are loaded at first use; Hypothesis is loaded by `strategies` alone."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from npquant.testing import strategies
    from npquant.testing.adapters.callable import from_callable
    from npquant.testing.adapters.files import from_files, write_questions
    from npquant.testing.adapters.onnx_backend import from_onnx_backend
    from npquant.testing.adapters.process import from_process
    from npquant.testing.adapters.shared import c_header, from_ctypes
    from npquant.testing.backend import Capabilities
    from npquant.testing.case import Case, Layer, Model
    from npquant.testing.explain.counterexample import Counterexample
    from npquant.testing.offline import verify_offline
    from npquant.testing.trial import run
    from npquant.testing.vectors.generation import generate
    from npquant.testing.vectors.verification import Verification, verify
    from npquant.testing.verdict import Verdict
    from npquant.testing.who.fingerprints import Fingerprint, fingerprint
    from npquant.testing.who.identification import Identification, identify

__all__ = [
    "Capabilities",
    "Case",
    "Counterexample",
    "Fingerprint",
    "Identification",
    "Layer",
    "Model",
    "Verdict",
    "Verification",
    "c_header",
    "fingerprint",
    "from_callable",
    "from_ctypes",
    "from_files",
    "from_onnx_backend",
    "from_process",
    "generate",
    "identify",
    "run",
    "strategies",
    "verify",
    "verify_offline",
    "write_questions",
]

_HOME: Final = MappingProxyType(
    {
        "from_callable": "npquant.testing.adapters.callable",
        "from_files": "npquant.testing.adapters.files",
        "write_questions": "npquant.testing.adapters.files",
        "from_onnx_backend": "npquant.testing.adapters.onnx_backend",
        "from_process": "npquant.testing.adapters.process",
        "c_header": "npquant.testing.adapters.shared",
        "from_ctypes": "npquant.testing.adapters.shared",
        "Capabilities": "npquant.testing.backend",
        "Case": "npquant.testing.case",
        "Layer": "npquant.testing.case",
        "Model": "npquant.testing.case",
        "Counterexample": "npquant.testing.explain.counterexample",
        "Fingerprint": "npquant.testing.who.fingerprints",
        "fingerprint": "npquant.testing.who.fingerprints",
        "Identification": "npquant.testing.who.identification",
        "identify": "npquant.testing.who.identification",
        "verify_offline": "npquant.testing.offline",
        "run": "npquant.testing.trial",
        "generate": "npquant.testing.vectors.generation",
        "Verification": "npquant.testing.vectors.verification",
        "verify": "npquant.testing.vectors.verification",
        "Verdict": "npquant.testing.verdict",
    }
)


def __getattr__(name: str) -> object:
    if name == "strategies":
        return import_module("npquant.testing.strategies")
    if name not in _HOME:
        raise AttributeError(f"module 'npquant.testing' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
