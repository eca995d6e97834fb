"""The page of any run: regression, tables, many classes and layers, no hidden layer, 16 bits, a missed budget."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant import run_workflow, save
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.report.page import render_page
from tests.report.page.browser import Browser, missing, open_browser
from tests.report.page.test_browser import OUTSIDE, SHOWN, WIDER

KINDS = ("regression", "long names", "many classes", "many layers", "no hidden layer", "missed")
VOID = {"meta", "link"}


def write_table(path: Path, x: Any, y: Any) -> str:
    """Write rows with a last column called label."""
    head = [*(f"f{k}" for k in range(x.shape[1])), "label"]
    lines = [",".join([*(f"{value:.4g}" for value in row), str(label)]) for row, label in zip(x, y, strict=True)]
    path.write_text("\n".join([",".join(head), *lines]) + "\n", encoding="utf-8")
    return str(path)


def run_of(kind: str, folder: Path) -> dict[str, Any]:
    """A quick run of a kind, nothing searched."""
    rng = np.random.default_rng(0)
    rows, table, options = 300, folder / "rows.csv", {"train": True, "epochs": 5, "bits": 4, "prune": 0.2}
    if kind == "regression":
        x = rng.normal(size=(rows, 4))
        data = write_table(table, x, np.round(x @ rng.normal(size=4), 4))
    elif kind == "many classes":
        y, centres = rng.integers(0, 26, 800), rng.normal(size=(26, 8))
        data = write_table(table, 2 * centres[y] + rng.normal(size=(800, 8)), [f"letter {chr(65 + c)}" for c in y])
        options["activation_bits"] = 16
    else:
        y = rng.integers(0, 3, rows)
        names = ["a class of a very long name <b>&amp;", "another class of a name that is long", "c"]
        data = write_table(table, rng.normal(size=(rows, 5)) + 2 * np.eye(3, 5)[y], [names[c] for c in y])
        options["activation_bits"] = 8
    if kind == "many layers":
        options.update(hidden=(10,) * 13, activation="relu")  # type: ignore[call-overload]
    if kind == "no hidden layer":
        save(FloatMLP((DenseLayer(np.eye(5, 3), np.zeros(3), "identity"),)), folder / "net.npz")
        options: dict[str, Any] = {"model": str(folder / "net.npz"), "bits": 3}  # type: ignore[no-redef]
    if kind == "missed":
        options["max_bytes"] = 400
    out = str(folder / "out")
    report: dict[str, Any] = run_workflow(data=data, out=out, targets=("none",), **options)
    return report


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """All kinds, run once."""
    folders = {kind: tmp_path_factory.mktemp(kind.replace(" ", "-")) for kind in KINDS}
    return {kind: (folder / "out" / "report.html", run_of(kind, folder)) for kind, folder in folders.items()}


class Balance(HTMLParser):
    """See that every element that begins ends, in order, and gather the words between."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Remember what begins."""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """Nothing stays open."""

    def handle_endtag(self, tag: str) -> None:
        """End the last that began."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather words, but for the style."""
        if self.open and self.open[-1] != "style":
            self.words.append(data)


@pytest.mark.parametrize("kind", KINDS)
def test_page_of_any_run_is_whole(runs: dict[str, tuple[Path, dict[str, Any]]], kind: str) -> None:
    """Well-formed, drawn from the report alone, its verdict the report's, no value that is none, no name as markup."""
    path, report = runs[kind]
    page = path.read_text(encoding="utf-8")
    assert render_page(report) == page
    parsed = Balance()
    parsed.feed(page)
    words = " ".join(parsed.words)
    assert parsed.open == []
    assert ("Budget met" if report["budget"]["met"] else "Budget missed") in words
    assert not re.search(r"\b(None|nan|inf)\b", words)
    assert len(page.encode()) <= 500_000
    assert (kind == "missed") <= ("bytes too large" in words)
    assert (kind == "regression") == ("Answers over the target" in words)
    assert (kind == "no hidden layer") == ("No neuron was pruned" in words)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all."""
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.peer
@pytest.mark.skipif(bool(missing()), reason=missing() or "installed")
@pytest.mark.parametrize("kind", KINDS)
def test_page_of_any_run_fits(runs: dict[str, tuple[Path, dict[str, Any]]], browser: Browser, kind: str) -> None:
    """At a desk and on a phone: every figure once, no word out of its drawing, no scrolling to the side."""
    for width in (1280, 390):
        browser.resize(width)
        browser.open(runs[kind][0])
        shown = browser.run(SHOWN)
        assert len(shown) >= 9 and all(count == 1 for _, count in shown), shown
        assert browser.run(OUTSIDE) == []
        assert browser.run(WIDER) <= 0
        assert browser.log("browser") == []
