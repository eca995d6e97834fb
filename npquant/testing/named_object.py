"""The object that words name: `module:attribute` or `file.py:attribute`, the current folder looked in first.

Legend: target the words; place its module or file.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any


def named_object(target: str) -> Any:
    """Return the object at `module:attribute` or `file.py:attribute`.

    ValueError that names the thing, whatever went wrong on the way: an import that fails, no such name.

    >>> named_object("npquant.profiles:names").__name__
    'names'
    """
    place, colon, names = target.rpartition(":")  # a path may begin with a drive and a colon
    if not colon or not place or not names:
        raise ValueError(f"{target!r} names no object; write module:attribute or file.py:attribute")
    found: Any = _imported(place)
    for name in names.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ValueError(f"{place} has no attribute {name!r}") from None
    return found


def _imported(place: str) -> Any:
    """Import a module by name or by file; whatever it raises becomes a ValueError that says so."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None:
            raise ImportError("it is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    return module
