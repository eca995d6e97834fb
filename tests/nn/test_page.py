"""The labels of the chapters on the float network are those of the code; tests/test_docs.py runs the pages."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("book/05-float-network.md", "nn.md", "finetuning.md")


def test_labels_stand_on_both_sides() -> None:
    """Each F label that the pages derive is named in the code, and the other way round; none is derived twice."""
    rooms = (ROOT / "npquant" / "nn", ROOT / "npquant" / "compression")
    code = "".join(path.read_text(encoding="utf-8") for room in rooms for path in room.rglob("*.py"))
    pages = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in PAGES)
    derived = re.findall(r"^ {4}(F\d+) |\\tag\{(F\d+)\}", pages, re.MULTILINE)
    found = sorted(indented or tagged for indented, tagged in derived)
    assert found == sorted(set(re.findall(r"\bF\d+\b", code)))
