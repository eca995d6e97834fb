"""The picture of docs/compare.md is what its script draws."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

FIGURES = Path(__file__).parents[1] / "docs" / "figures"


def test_picture_is_what_its_script_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared and drawn anew, it is the file, byte for byte."""
    monkeypatch.syspath_prepend(str(FIGURES))
    plate: Any = import_module("plate")
    drawn = plate.plates_of(FIGURES / "comparison.py")
    sys.modules.pop("plate")
    assert drawn == {"comparison.svg": (FIGURES / "comparison.svg").read_text(encoding="utf-8")}
