"""The generated page of what each record knows: committed as printed."""

from pathlib import Path

from npquant.profiles import get
from npquant.testing.cards import record_as_json, render_card
from npquant.testing.known_table import every_record, render_page

PAGE = Path(__file__).parents[2] / "docs" / "known.md"


def test_page_is_what_the_program_prints() -> None:
    """The committed page equals a fresh print, character by character, and names every profile and every test."""
    page = render_page(every_record())
    assert PAGE.read_text(encoding="utf-8") == page
    for record in every_record():
        cells = record.knowledge.cells()
        assert f"\n## {record.name}\n" in page and all(known.what in page and known.test in page for _, known in cells)


def test_card_and_json_carry_the_cells() -> None:
    """`npquant profiles NAME` prints each cell, and --json holds its parts."""
    for name in ("npquant", "ruy_arm64", "ort_pair16"):
        card, held = " ".join(render_card(name).split()), record_as_json(get(name))["knowledge"]
        for operator, known in get(name).knowledge.cells():
            assert f"{operator} {known}" in card
            assert held[operator] == {  # type: ignore[index]
                "how": known.how, "what": known.what, "outputs": known.outputs, "test": known.test
            }  # fmt: skip
