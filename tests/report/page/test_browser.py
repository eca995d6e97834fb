"""The page in a real browser: what a person sees is there, at a desk and on a phone, and nothing leaves the machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npquant import run_workflow
from npquant.report.page.headline import headline
from tests.report.page.browser import Browser, missing, open_browser

pytestmark = [pytest.mark.peer, pytest.mark.skipif(bool(missing()), reason=missing() or "installed")]

FIGURES = (
    "bytes", "squares", "coins", "interval", "confusion", "disputed", "frontier", "matrices", "weights", "decibels",
    "outputs", "neurons", "accumulators", "rounding", "parts", "latency", "data",
)  # fmt: skip
# Every figure, how many of its drawings are shown, and whether one has a size.
SHOWN = """
return [...document.querySelectorAll('figure')].map(f => [f.id,
  [...f.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width > 0).length]);
"""
# Words that reach out of their drawing by more than a pixel.
OUTSIDE = """
const out = [];
for (const svg of document.querySelectorAll('figure svg')) {
  const box = svg.getBoundingClientRect();
  if (!box.width) continue;
  for (const text of svg.querySelectorAll('text')) {
    const r = text.getBoundingClientRect();
    if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 4)
      out.push([svg.closest('figure').id, text.textContent, r.left - box.left, r.right - box.right]);
  }
}
return out;
"""
WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The bundled run's folder and report."""
    folder = tmp_path_factory.mktemp("page") / "out"
    return folder, run_workflow(out=str(folder), targets=("npz",))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all."""
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True), (800, False)])
def test_page_shows_verdict_and_figures_alone(
    run: tuple[Path, dict[str, Any]], browser: Browser, width: int, dark: bool
) -> None:
    """The verdict, each figure once, no error, no request but the file itself, nothing out of its place."""
    folder, report = run
    browser.log("browser"), browser.requests()
    browser.resize(width, dark=dark)
    page = folder / "report.html"
    browser.open(page)
    assert browser.run("return document.querySelector('#verdict').innerText") == "Budget met"
    assert browser.run("return document.querySelector('h1').innerText") == headline(report)
    assert browser.run(SHOWN) == [[name, 1] for name in FIGURES]
    assert browser.run(OUTSIDE) == []
    assert browser.run(WIDER) <= 0
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 21, 24)" if dark else "rgb(255, 255, 255)")
    assert browser.log("browser") == []
    # The icon is an empty one of its own, and the browser loads parts of its own first tab.
    asked = {url for url in browser.requests() if not url.startswith(("data:", "chrome:", "about:"))}
    assert asked == {page.as_uri()}


def test_every_drawing_says_what_it_shows(run: tuple[Path, dict[str, Any]], browser: Browser) -> None:
    """Each drawing of a figure has the role of an image and a label."""
    browser.open(run[0] / "report.html")
    labels = browser.run(
        "return [...document.querySelectorAll('figure svg')].map(s => [s.getAttribute('role'), s.ariaLabel]);"
    )
    assert labels and all(role == "img" and len(label) > 20 for role, label in labels)


def test_page_is_small_enough_to_send(run: tuple[Path, dict[str, Any]]) -> None:
    """At most 500 kB, no script, nothing that is fetched."""
    text = (run[0] / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) <= 500_000
    assert "<script" not in text and "http" not in text and "url(" not in text
