"""What the words of a command line name: a Python object, a shared library, or a program, as a backend.

Legend: target `module:attribute`, `file.py:attribute` or a shared library; command a program and its arguments, that
speaks the pipe; profile the arithmetic claimed, None for what the object claims itself.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

from npquant.testing.backend import Backend
from npquant.testing.named_object import named_object
from npquant.testing.trial import as_backend

LIBRARIES: Final = (".so", ".dylib", ".dll")


def backend_of(
    target: str | None,
    *,
    command: str | None = None,
    profile: str | None = None,
    symbol: str = "npquant_linear",
    timeout: float = 5.0,
) -> Backend:
    """Return the backend that a target or a command names; symbol of a library's function, timeout in seconds.

    ValueError that names the thing and the fix, whatever went wrong on the way: an import that fails, no such name, a
    class that cannot be made without arguments, an object that is no backend.

    >>> backend_of("npquant:nothing", profile="ort")
    Traceback (most recent call last):
    ValueError: npquant has no attribute 'nothing'
    """
    if (target is None) == (command is None):
        raise ValueError("give either a target (module:attribute, or a shared library), or --command")
    if command is not None:
        return _program(command, profile, timeout)
    assert target is not None
    if Path(target.partition(":")[0]).suffix in LIBRARIES:
        return _library(target, profile, symbol, timeout)
    return as_backend(_as_object(named_object(target), target, profile), profile)


def _program(command: str, profile: str | None, timeout: float) -> Backend:
    from npquant.testing.adapters.process import from_process

    if profile is None:
        raise ValueError("a program claims no profile: give --profile; `npquant profiles` lists them")
    try:
        return from_process(command, profile=profile, timeout=timeout)
    except FileNotFoundError as error:
        raise ValueError(f"--command: {error}") from error


def _library(path: str, profile: str | None, symbol: str, timeout: float) -> Backend:
    from npquant.testing.adapters.shared import from_ctypes

    if profile is None:
        raise ValueError("a library claims no profile: give --profile; `npquant profiles` lists them")
    try:
        return from_ctypes(path, profile=profile, symbol=symbol, timeout=timeout)
    except OSError as error:
        raise ValueError(str(error)) from error


def _as_object(found: Any, target: str, profile: str | None) -> Any:
    """Make an object of a class, and a backend of an ONNX backend."""
    if hasattr(found, "run_model") and hasattr(found, "supports_device"):
        from npquant.testing.adapters.onnx_backend import from_onnx_backend

        if profile is None:
            raise ValueError("an ONNX backend claims no profile: give --profile")
        return from_onnx_backend(found, profile=profile)
    if inspect.isclass(found):
        try:
            found = found()
        except Exception as error:
            raise ValueError(
                f"{target} cannot be made without arguments: {type(error).__name__}: {error}; name an object"
            ) from error
    if not isinstance(found, Backend) and not callable(found):
        raise ValueError(
            f"{target} is {type(found).__name__}: neither a function nor an object with name, profile and prepare"
        )
    return found
