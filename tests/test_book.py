"""The book's parts hold together: pictures are what scripts draw, chapters keep their promises, labels lead there.

What needs the pages as HTML stands in tests/test_book_pages.py.
"""

import ast
import codeop
import re
import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from npquant.report.page.svg import text_width
from npquant.testing.exercises import exercise_names

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FIGURES = DOCS / "figures"
SCRIPTS = sorted(FIGURES.glob("ch*.py"))
PLATES = sorted(FIGURES.glob("ch*.svg"))
CHAPTERS = sorted((DOCS / "book").glob("*.md"))
PAGES = [*CHAPTERS, *sorted(DOCS.glob("*.md"))]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
PRINTS = re.compile(r"```python\n[^`]*print\(.*?```\n\n?```text\n", re.DOTALL)
CHECKED = re.compile(r"""check\(\s*["']([^"']+)["']""")
SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.fixture
def plate(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The script that writes the pictures; those it runs import it by its name."""
    monkeypatch.syspath_prepend(str(FIGURES))
    return runpy.run_path(str(FIGURES / "plate.py"))


def differences(svg: str, drawn: str) -> list[str]:
    """Return what differs in two pictures: anything said, any mark; a place only by more than a pixel.

    Places come from products of matrices, whose last bits are the processor's.
    """
    one, two = (list(ElementTree.fromstring(text).iter()) for text in (svg, drawn))
    found = [] if len(one) == len(two) else [f"{len(one)} marks, {len(two)} drawn"]
    for a, b in zip(one, two, strict=False):
        if (a.tag, a.text, list(a.attrib)) != (b.tag, b.text, list(b.attrib)):
            found.append(f"{a.tag} {a.text} for {b.tag} {b.text}")
            continue
        for name, value in a.attrib.items():
            places = [[float(number) for number in NUMBER.findall(v)] for v in (value, b.attrib[name])]
            near = len(places[0]) == len(places[1]) and all(abs(p - q) <= 1 for p, q in zip(*places, strict=True))
            if not near or NUMBER.sub("#", value) != NUMBER.sub("#", b.attrib[name]):
                found.append(f"{a.tag} {name}: {value} for {b.attrib[name]}")
    return found


def drawn_by(path: Path) -> Any:
    """A script as a parameter: a peer test where it asks the engines, all of which its picture needs."""
    asks = "npquant.interop.consumers" in path.read_text(encoding="utf-8")
    return pytest.param(path, id=path.stem, marks=[pytest.mark.peer] * asks)


@pytest.mark.parametrize("script", [drawn_by(path) for path in SCRIPTS])
def test_pictures_are_what_their_script_draws(script: Path, plate: dict[str, Any]) -> None:
    """Each picture, drawn anew, is the committed file, and is named for its chapter."""
    if "npquant.interop.consumers" in script.read_text(encoding="utf-8"):
        for engine in ("onnxruntime", "ai_edge_litert", "tflite_micro"):
            pytest.importorskip(engine, reason=f"{engine} is not installed")
    for name, svg in plate["plates_of"](script).items():
        assert name.startswith(script.stem[:4])
        assert not differences((FIGURES / name).read_text(encoding="utf-8"), svg)


def test_differences_kills_another_picture() -> None:
    """Another word, another hue, a mark more and a place two pixels off are seen; a tenth of a pixel is not."""
    svg = '<svg><line x1="3" class="blue"/><text x="5.1">4 bits</text></svg>'
    assert not differences(svg, svg.replace("5.1", "5.2"))
    for old, new in (("4 bits", "3 bits"), ("blue", "teal"), ("<text", "<line/><text"), ('"3"', '"5.1"')):
        assert differences(svg, svg.replace(old, new)), new


def test_every_picture_has_a_script() -> None:
    """A picture of a chapter that no script of that chapter could draw is a leftover."""
    assert {path.name[:4] for path in PLATES} == {path.name[:4] for path in SCRIPTS}


def words_outside(svg: str) -> list[str]:
    """Return each piece of writing that may reach out of its picture in the widest face, or is too small to read."""
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    found = []
    for part in (root, *root.findall(f"{SVG}svg")):
        top = float(part.attrib.get("y", "0")) if part is not root else 0.0
        for text in part.findall(f"{SVG}text"):
            names, words = text.attrib["class"].split(), "".join(text.itertext())
            size = 20 if "title" in names else next((int(n[1:]) for n in names if re.fullmatch(r"t\d+", n)), 0)
            wide = text_width(words, size, bold="b" in names or "title" in names)
            left = float(text.attrib.get("x", "0")) - wide * (0.5 if "m" in names else 1.0 if "e" in names else 0.0)
            base = top + float(text.attrib["y"])
            inside = left >= -0.5 and left + wide <= width + 0.5 and size <= base + 0.25 * size and base <= height
            if not inside or size < 11:
                found.append(
                    f"{words!r}: {left:.0f} to {left + wide:.0f} of {width:.0f}, base {base:.0f} of {height:.0f}"
                )
    return found


@pytest.mark.parametrize("picture", PLATES, ids=lambda path: path.stem)
def test_no_word_leaves_its_picture(picture: Path) -> None:
    """All that is written stands inside, at 11 pixels or more."""
    assert not words_outside(picture.read_text(encoding="utf-8"))


def test_words_outside_kills_a_picture_that_overflows() -> None:
    """Words too far left, right or low, and words too small, are seen."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 50"><svg y="10">{}</svg></svg>'
    assert not words_outside(svg.format('<text x="10" y="20" class="t12 ink">short</text>'))
    for bad in ('x="190" y="20" class="t12"', 'x="190" y="20" class="t12 b"', 'x="10" y="20" class="t12 e"',
                'x="10" y="45" class="t12"', 'x="10" y="-5" class="t12"', 'x="10" y="20" class="t10"'):  # fmt: skip
        assert words_outside(svg.format(f"<text {bad}>short</text>")), bad


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_picture_says_what_it_shows(page: Path) -> None:
    """A picture has words for those who cannot see it, several of them, and its file stands."""
    for words, file in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", page.read_text(encoding="utf-8")):
        assert len(words.split()) >= 4, file
        assert (page.parent / file).exists(), file


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_its_promises(chapter: Path) -> None:
    """It says its minutes, ten to fifteen, under its title; it has a picture, prints, and ends with what comes next."""
    text = chapter.read_text(encoding="utf-8")
    minutes = re.search(r"^\*(\d+) minutes?\b[^*]*\*$", text.partition("\n## ")[0], re.MULTILINE)
    assert minutes and 5 <= int(minutes[1]) <= 15
    assert PRINTS.search(text) or "glossary" in chapter.name
    if "glossary" not in chapter.name:
        assert "![" in text
        assert CHECKED.search(text), "no exercise"
    assert "What next" in text[-2500:]


def at_the_prompt(code: str) -> str:
    """Say what Python's prompt says to a block that is pasted into it line by line; empty if nothing."""
    compiled = codeop.CommandCompiler()
    lines: list[str] = []
    for line in [*code.splitlines(), ""]:
        lines.append(line)
        try:
            # As the prompt does: a statement is done when nothing can follow, or at an empty line.
            if compiled("\n".join(lines), "<pasted>", "single") is not None:
                lines = []
        except SyntaxError as error:
            return f"{error.msg}: {line!r}"
    return "a statement has no end" if any(line.strip() for line in lines) else ""


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_blocks_can_be_pasted_into_the_prompt(chapter: Path) -> None:
    """No empty line inside a block that is indented, and one after it."""
    for code in PYTHON.findall(chapter.read_text(encoding="utf-8")):
        assert at_the_prompt(code) == "", code


def test_at_the_prompt_kills_a_block_that_breaks_there() -> None:
    """An empty line inside a function, and a statement right under a loop, are seen."""
    assert at_the_prompt("def f():\n    a = 1\n    return a\n\n\nprint(f())\n") == ""
    assert at_the_prompt("x = [\n    1,\n\n    2,\n]\n# said\nfor n in x:\n    print(n)\n") == ""
    assert at_the_prompt("def f():\n    a = 1\n\n    return a\n")
    assert at_the_prompt("for n in range(2):\n    n\nprint(n)\n")
    assert at_the_prompt("print((1,\n")


def test_exercises_and_chapters_name_each_other() -> None:
    """A chapter names no exercise that is not there; every exercise is asked for, or called, in a chapter."""
    text = "".join(chapter.read_text(encoding="utf-8") for chapter in CHAPTERS)
    assert not set(CHECKED.findall(text)) - set(exercise_names())
    assert not [name for name in exercise_names() if name not in CHECKED.findall(text) and f"`{name}(" not in text]


def rows() -> list[tuple[str, str]]:
    """Return label and last cell of each row of docs/equations.md."""
    text = (DOCS / "equations.md").read_text(encoding="utf-8")
    return [(row[1], row[2]) for row in re.finditer(r"^\| ([RC]\d+) \|.*\| ([^|]*) \|$", text, re.MULTILINE)]


def test_every_label_of_the_specification_has_a_row() -> None:
    """The cards of npquant/spec and the constraints stand on the page, none twice for one function."""
    cards = set()
    for path in (ROOT / "npquant" / "spec").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            card = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else ""
            cards |= set(re.findall(r"\A(R\d+)\. ", card or ""))
    assert {label for label, _ in rows()} == cards | {f"C{n}" for n in range(1, 8)}


def test_labels_lead_to_a_place_that_has_them() -> None:
    """A row's link leads to a section that names the label, and npquant's own arithmetic is derived on a page."""
    pages = runpy.run_path(str(DOCS / "label_pages.py"))
    own = {f"R{n}" for n in (1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15)} | {f"C{n}" for n in range(1, 8)}
    for label, cell in rows():
        link = re.fullmatch(r"\[[^\]]+\]\(([^#)]+)(#[^)]*)?\)", cell)
        if link is None:
            assert cell == "here" and label not in own
            continue
        text = (DOCS / link[1]).read_text(encoding="utf-8")
        lines = re.finditer(r"^.+$", text, re.MULTILINE)
        places = [line.start() for line in lines if label in pages["labels_in"](line[0])]
        assert (link[2] or "") in {pages["anchor"](text, place) for place in places}, (label, cell)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_labels_of_a_chapter_stand_on_cards(chapter: Path) -> None:
    """A formula's label is one that the package's own cards or lines carry."""
    package = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "npquant").rglob("*.py"))
    carried = set(re.findall(r"\b[A-Z]\d{1,3}\b", package))
    assert not set(re.findall(r"\\tag\{([^}]*)\}", chapter.read_text(encoding="utf-8"))) - carried


def test_cover_is_what_its_generator_prints() -> None:
    """docs/index.md lists the chapters that stand, with their own titles and minutes."""
    namespace = runpy.run_path(str(DOCS / "generate_index.py"))
    assert (DOCS / "index.md").read_text(encoding="utf-8") == namespace["page"]()
