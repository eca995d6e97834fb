"""The documentation is executed: Python blocks run and print what the page says, docstring examples hold."""

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
import runpy
from pathlib import Path

import pytest

import npquant

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n?```text\n(.*?)```\n)?", re.DOTALL)
# A number with a unit that a run can give, and a word that says that one did.
FIGURE = re.compile(
    r"(?<![\w.\[])(?!95 % interval)[-+]?\d[\d,]*(?:\.\d+)?\s?"
    r"(?:%|(?:ms|us|µs|seconds?|minutes?|points?|ppm|kB|MB|bytes|times (?:smaller|faster|larger))\b)"
)
CLAIM = re.compile(
    r"\b(measured?|took|takes?|ran|gave|gives?|lost|loses?|costs?|won|wins?|reach(?:es|ed)?|differ(?:ed|s)?|faster|slower|"
    r"smaller|saves?|saved)\b"
)
# What stands behind a figure: a block that runs, or the program, named, that prints it.
BACKING = re.compile(r"```python|```sh|(?:benchmarks|tests|figures)/[\w/]+\.py|`npquant run`")
NUMBER = re.compile(r"(?<![\w.^(])\d[\d,.]*")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(npquant.__path__, "npquant.") if module.name != "npquant.__main__"
)


def run_page(text: str, name: str) -> list[str]:
    """Run a page's blocks in one namespace; return a complaint for each that prints something else than it says."""
    namespace: dict[str, object] = {"__name__": name}
    complaints = []
    for code, shown in BLOCK.findall(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, name, "exec"), namespace)
        if printed.getvalue() != shown:
            complaints.append(f"{name} prints\n{printed.getvalue()}\nand says\n{shown}\nafter\n{code}")
    return complaints


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_page_prints_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks run top to bottom in an empty folder; the text block under one is its output."""
    monkeypatch.chdir(tmp_path)
    assert not run_page(page.read_text(encoding="utf-8"), page.name)


def test_run_page_kills_a_page_that_lies() -> None:
    """A wrong output and an output that is not shown are both complaints."""
    assert not run_page("```python\nprint(1)\n```\n```text\n1\n```\n", "page.md")
    assert run_page("```python\nprint(1)\n```\n```text\n2\n```\n", "page.md")
    assert run_page("```python\nprint(1)\n```\n", "page.md")


def unbacked_figures(text: str) -> list[str]:
    """Return each paragraph or block that tells what a run gave, in a section that neither runs nor names it."""
    sections = re.split(r"^(?=#{1,6} )", text, flags=re.MULTILINE)
    found = []
    for section in sections:
        if BACKING.search(section):
            continue
        for part in re.split(r"\n\s*\n", section):
            claims = FIGURE.search(part) and CLAIM.search(part)
            if claims or is_output(part):
                found.append(" ".join(part.split())[:160])
    # An indented or fenced block that looks like output is output of nothing, whatever else its section runs.
    shown = re.sub(r"```python\n.*?```\n(?:\n?```text\n.*?```\n)?", "", text, flags=re.DOTALL)
    return found + [" ".join(part.split())[:160] for part in re.split(r"\n\s*\n", shown) if is_output(part)]


def is_output(part: str) -> bool:
    """Say whether a paragraph is an indented or fenced table of numbers, as a program prints one."""
    lines = [line for line in part.splitlines() if line.startswith("    ")]
    if part.startswith("```text"):
        lines = part.splitlines()[1:]
    return sum(len(NUMBER.findall(line)) >= 3 and "=" not in line for line in lines) >= 2


# A decision tells what was measured when it was taken, with the command, and is never rewritten.
@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.parent.name != "decisions"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_page_figures_come_from_a_run(page: Path) -> None:
    """A figure that a run gave stands beside the block that runs, or names the program that prints it."""
    assert not unbacked_figures(page.read_text(encoding="utf-8"))


def test_unbacked_figures_kills_a_page_that_only_says() -> None:
    """A claim without a run and a pasted table are seen; a named benchmark and an executed block are enough."""
    assert unbacked_figures("# A\n\nIt took 3 ms.\n")
    assert unbacked_figures("# A\n\nIt lost 0.4 points, 18 times smaller.\n\n# B\n\n`benchmarks/b.py` prints all.\n")
    assert unbacked_figures("# A\n\n```python\nx = 1\n```\n\n    0  80,865  0  0\n    1  34,143  2,333  68,330\n")
    assert not unbacked_figures("# A\n\nIt took 3 ms, as `benchmarks/b.py` prints.\n")
    assert not unbacked_figures("# A\n\nCodes differ by 1.\n\n    y = x w + b\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_page_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the project."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert not [t for t in targets if not (page.parent / t).exists()]


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_hold(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of every docstring give what they show."""
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0


def test_equations_page_is_what_its_generator_prints() -> None:
    """docs/equations.md says what the cards of the specification say."""
    namespace = runpy.run_path(str(ROOT / "docs" / "generate_equations.py"))
    assert (ROOT / "docs" / "equations.md").read_text(encoding="utf-8") == namespace["page"]()


def test_api_page_is_what_its_generator_prints() -> None:
    """docs/api.md says what the cards of the public names say, and links each to a page that is there."""
    namespace = runpy.run_path(str(ROOT / "docs" / "generate_api.py"))
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == namespace["page"]()
    assert not [page for page in namespace["PAGES"].values() if not (ROOT / "docs" / page).exists()]


def test_api_page_has_every_public_name() -> None:
    """Each name of the three doors opens one row under its door."""
    sections = re.split(r"^## ", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for section, door in zip(sections, ("npquant", "npquant.testing", "npquant.interop"), strict=True):
        assert section.startswith(f"{door}\n")
        named = re.findall(r"^\| `(\w+)", section, re.MULTILINE)
        assert sorted(named) == sorted(importlib.import_module(door).__all__)
