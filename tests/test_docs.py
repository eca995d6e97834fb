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
