"""The oracle kit: judge a stranger's backend, and say what is wrong with it; and how two arithmetics are told apart.

`run` judges, `fingerprint` and `identify` ask which arithmetic something has, `from_...` plug things in, `strategies`
draw cases for tests of one's own. The names are loaded at first use; Hypothesis is loaded by `strategies` alone."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from npquant.testing.adapters.callable import from_callable
    from npquant.testing.backend import Capabilities
    from npquant.testing.case import Case, Layer, Model
    from npquant.testing.fingerprints import Fingerprint, fingerprint
    from npquant.testing.identification import Identification, identify
    from npquant.testing.trial import run
    from npquant.testing.verdict import Verdict

__all__ = [
    "Capabilities",
    "Case",
    "Fingerprint",
    "Identification",
    "Layer",
    "Model",
    "Verdict",
    "fingerprint",
    "from_callable",
    "identify",
    "run",
]

_HOME: Final = MappingProxyType(
    {
        "Case": "npquant.testing.case",
        "Layer": "npquant.testing.case",
        "Model": "npquant.testing.case",
        "Capabilities": "npquant.testing.backend",
        "from_callable": "npquant.testing.adapters.callable",
        "Fingerprint": "npquant.testing.fingerprints",
        "fingerprint": "npquant.testing.fingerprints",
        "Identification": "npquant.testing.identification",
        "identify": "npquant.testing.identification",
        "run": "npquant.testing.trial",
        "Verdict": "npquant.testing.verdict",
    }
)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'npquant.testing' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
