"""The labels of the chapters on the float network are those of the code; tests/test_docs.py runs the pages."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "nn.md").read_text(encoding="utf-8")


def test_labels_stand_on_both_sides() -> None:
    """Each F label that this page or that on fine-tuning derives is named in the code, and the other way round."""
    rooms = (ROOT / "npquant" / "nn", ROOT / "npquant" / "compression")
    code = "".join(path.read_text(encoding="utf-8") for room in rooms for path in room.rglob("*.py"))
    pages = PAGE + (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")
    derived = set(re.findall(r"^ {4}(F\d+) ", pages, re.MULTILINE))
    named = set(re.findall(r"\bF\d+\b", code))
    assert derived and derived == named
