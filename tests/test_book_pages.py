"""The book as HTML: built without a warning, it asks no network, its links lead somewhere, and it can be searched."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.report.page.browser import Browser, missing, open_browser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
pytest.importorskip("furo", reason="pip install 'npquant[docs]'")
# The elements that fetch what they name; a link waits for a hand.
LOADS = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "image": "href",
    "use": "href",
}
WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;"
# The size of the smallest writing in a picture, in pixels as shown.
SMALLEST = """
return Math.min(100, ...[...document.querySelectorAll('.plate text')].map(t => {
  const box = t.ownerSVGElement, whole = t.closest('.plate > svg');
  return parseFloat(getComputedStyle(t).fontSize) * whole.getBoundingClientRect().width / whole.viewBox.baseVal.width;
}));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built as .ci/run builds them: a warning is an error."""
    folder = tmp_path_factory.mktemp("book")
    call = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html", str(DOCS), str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """Collect what a page loads, where it leads, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if LOADS.get(tag) in given:
            self.loads.append(given[LOADS[tag]])
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page, read."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def fetched(text: str) -> list[str]:
    """Return the addresses that a page or a style sheet would fetch from somewhere else."""
    found = [address for address in Page(text).loads if urlsplit(address).netloc]
    return found + re.findall(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""", text)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """No script, style, font or picture has an address outside the folder."""
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        assert fetched(path.read_text(encoding="utf-8")) == [], path.name


def test_fetched_kills_a_page_that_asks() -> None:
    """A script, a style sheet, a font and a picture from elsewhere are seen; a link is none of them."""
    assert fetched('<a href="https://example.org/">there</a><script src="_static/a.js"></script>') == []
    for bad in ('<script src="https://x.org/m.js">', '<link href="//x.org/a.css">', '<img src="http://x.org/a.png">',
                "@import 'https://x.org/a.css'", "src:url(//x.org/a.woff)"):  # fmt: skip
        assert len(fetched(bad)) == 1


def test_every_link_leads_to_a_page_and_a_place_on_it(site: Path, pages: dict[Path, Page]) -> None:
    """Each relative link names a file that stands, and an id on it."""
    lost = []
    for path, page in pages.items():
        for address in page.leads:
            parts = urlsplit(address)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme or address == "#":
                continue
            if not target.exists():
                lost.append(f"{path.relative_to(site)}: {address}")
            # From a source page Sphinx leads back to one of a name's two doors, at times the wrong one.
            elif (
                parts.fragment
                and target in pages
                and "_modules" not in path.parts
                and unquote(parts.fragment) not in pages[target].ids
            ):
                lost.append(f"{path.relative_to(site)}: no such place: {address}")
    assert not lost, "\n".join(sorted(set(lost))[:40])


def test_cards_labels_and_names_lead_to_each_other(site: Path, pages: dict[Path, Page]) -> None:
    """A card leads to its page and to the equations it names; pages lead back to cards and to rows."""
    card = pages[site / "api" / "npquant.html"]
    assert "../uniform.html" in card.leads and "../equations.html#R9" in card.leads
    assert "equations.html#R13" in pages[site / "uniform.html"].leads
    assert "api/npquant.html#npquant.QuantParams" in pages[site / "equations.html"].leads
    assert "api/npquant.html#npquant.train" in pages[site / "api.html"].leads


@pytest.mark.parametrize("module", ["cards", "names", "mathml"])
def test_examples_of_the_binding_hold(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/binding says that it makes of words, names and formulas, it makes."""
    import doctest

    monkeypatch.syspath_prepend(str(DOCS / "binding"))
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted and not result.failed


def test_a_formula_that_would_come_out_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What latex2mathml passes on as it stands is an error, not a page with a backslash."""
    monkeypatch.syspath_prepend(str(DOCS / "binding"))
    mathml = importlib.import_module("mathml").mathml
    for bad in (r"\nosuchthing x", r"a & b"):
        with pytest.raises(ValueError, match="does not read"):
            mathml(bad)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all."""
    if missing():
        pytest.skip(missing())
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def asked_elsewhere(browser: Browser, site: Path) -> list[str]:
    """Return the requests since the last call that left the folder."""
    inside = (site.as_uri(), "data:", "chrome:", "about:")
    return [url for url in browser.requests() if not url.startswith(inside)]


@pytest.mark.peer
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_pages_stand_at_a_desk_and_on_a_phone(site: Path, browser: Browser, width: int, dark: bool) -> None:
    """No page is wider than the screen, no picture's words shrink below 11 pixels, nothing is asked of the network."""
    browser.requests(), browser.log("browser")
    browser.resize(width, dark=dark)
    chapters = sorted(path.relative_to(site).as_posix() for path in (site / "book").glob("*.html"))
    for name in ("index.html", "profiles.html", "equations.html", "api/npquant.html", *chapters):
        browser.open(site / name)
        assert browser.run(WIDER) <= 0, name
        assert browser.run(SMALLEST) >= 11, name
        ground = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(18, 21, 24)" if dark else "rgb(255, 255, 255)"), name
    assert asked_elsewhere(browser, site) == [] and browser.log("browser") == []


@pytest.mark.peer
def test_search_works_offline(site: Path, browser: Browser) -> None:
    """A word is found in the pages, from the file alone."""
    browser.requests(), browser.log("browser")
    browser.ask("/url", {"url": f"{(site / 'search.html').as_uri()}?q=requantize"})
    browser.ask("/timeouts", {"implicit": 20_000})
    # Results are added one by one: the page of equations has the word, and is waited for.
    browser.ask("/element", {"using": "css selector", "value": "#search-results a[href^='equations.html']"})
    assert asked_elsewhere(browser, site) == [] and browser.log("browser") == []
