"""The generated page of what each record knows: committed as printed."""

from pathlib import Path

from npquant.profiles import get, names
from npquant.testing.known_table import render_page

PAGE = Path(__file__).parents[2] / "docs" / "known.md"


def test_page_is_what_the_program_prints():
    """The committed page equals a fresh print, character by character, and names every profile and every test."""
    page = render_page([get(name) for name in names(layers=False)])
    assert PAGE.read_text(encoding="utf-8") == page
    for name in names(layers=False):
        cells = get(name).knowledge.cells()
        assert f"\n## {name}\n" in page and all(known.what in page and known.test in page for _, known in cells)
