"""The movable number line in a real browser: its rules are those of the definitions, and it needs only itself."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest

from npquant.spec.requantize import requantize_double_rounding, requantize_double_rounding_up
from npquant.spec.rounding import (
    round_floor,
    round_half_away,
    round_half_even,
    round_half_up,
    round_toward_zero,
    saturate,
)
from tests.report.page.browser import Browser, missing, open_browser

pytestmark = [pytest.mark.peer, pytest.mark.skipif(bool(missing()), reason=missing() or "installed")]

FRAGMENT: Final = Path(__file__).parents[1] / "docs" / "figures" / "number-line.html"
RULES: Final[dict[str, Callable[[Fraction], int]]] = {
    "floor": round_floor,
    "toward_zero": round_toward_zero,
    "half_up": round_half_up,
    "half_away": round_half_away,
    "half_even": round_half_even,
    "two_away": lambda v: round_half_away(Fraction(round_half_up(4 * v), 4)),
    "two_up": lambda v: round_half_up(Fraction(round_half_up(4 * v), 4)),
}
# What both sliders can be set to, in sixteenths.
VALUES, SCALES = range(-72, 73), range(4, 25)
ALL: Final = f"""
const line = document.getElementById('number-line'), found = [];
for (let a = {VALUES.start}; a < {VALUES.stop}; a++) for (let b = {SCALES.start}; b < {SCALES.stop}; b++)
  found.push(line.ASK("RULE", a, b));
return found;
"""
SHOWN: Final = """
const line = document.getElementById('number-line'), inputs = [...line.querySelectorAll('input')];
line.querySelector('select').value = 'RULE';
[inputs[0].value, inputs[1].value] = [SCALE, VALUE];
inputs[1].dispatchEvent(new Event('input'));
return line.querySelector('p').textContent;
"""
OUTSIDE: Final = """
const svg = document.querySelector('#number-line svg'), box = svg.getBoundingClientRect();
const out = [...svg.querySelectorAll('text')].filter(t => {
  const r = t.getBoundingClientRect();
  return r.left < box.left - 1 || r.right > box.right + 1 || r.bottom > box.bottom + 1;
}).map(t => t.textContent);
return [out, svg.querySelectorAll('text').length, document.documentElement.scrollWidth - window.innerWidth];
"""
UNNAMED: Final = "return [...document.querySelectorAll('select, input')].filter(c => !c.labels.length).length;"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all."""
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def asked(browser: Browser, method: str, rule: str) -> list[int]:
    """Ask the script for every position of both sliders."""
    found: Any = browser.run(ALL.replace("ASK", method).replace("RULE", rule))
    return [int(value) for value in found]


def test_number_line_rounds_as_the_definitions_do(browser: Browser) -> None:
    """Every rule, at every position of both sliders, ties among them: the integer of npquant.spec, and its code."""
    browser.open(FRAGMENT)
    names = browser.run("return [...document.querySelectorAll('option')].map(o => o.value);")
    assert names == list(RULES)
    for name, rule in RULES.items():
        due = [rule(Fraction(a, b)) for a in VALUES for b in SCALES]
        assert asked(browser, "rounded", name) == due
        assert asked(browser, "code", name) == [saturate(q, -8, 7) for q in due]
    assert asked(browser, "rounded", "half_up") != asked(browser, "rounded", "half_even")


def test_two_roundings_in_quarters_are_the_engines() -> None:
    """R8, R19 of a multiplier of 1/8 round first to quarters of a step: what the script does is what engines do."""
    for acc in range(-100, 101):
        v = Fraction(acc, 8)
        assert RULES["two_away"](v) == requantize_double_rounding(acc, 2**30, -2)
        assert RULES["two_up"](v) == requantize_double_rounding_up(acc, 2**30, -2)


def test_number_line_says_what_it_shows(browser: Browser) -> None:
    """The sentence has the steps, the code, and what was lost; beyond a rail it says so."""
    browser.open(FRAGMENT)
    for rule, value, scale, said in (
        ("half_even", 30, 12, "2.5 steps, rounded 2. It stands for 1.5, 0.375 below x."),
        ("half_up", 30, 12, "2.5 steps, rounded 3. It stands for 2.25, 0.375 above x."),
        ("half_up", 40, 4, "10 steps, rounded 10, which saturates: code 7. It stands for 1.75, 0.75 below x."),
        ("floor", 0, 16, "0 steps, rounded 0. It stands for 0, exactly x."),
    ):
        words = SHOWN.replace("RULE", rule).replace("SCALE", str(scale)).replace("VALUE", str(value))
        assert browser.run(words) == f"x / s = {said}"


@pytest.mark.parametrize("width", [390, 780])
@pytest.mark.parametrize("dark", [False, True])
def test_number_line_fits_and_asks_for_nothing(browser: Browser, width: int, dark: bool) -> None:
    """No words outside, no error, no request but for the file; every control has a label."""
    browser.resize(width, dark=dark)
    browser.requests(), browser.log("browser")
    browser.open(FRAGMENT)
    out, labels, wider = browser.run(OUTSIDE)
    assert not out and labels > 4 and wider <= 0
    assert browser.run(UNNAMED) == 0
    assert [r for r in browser.requests() if not r.endswith("favicon.ico")] == [FRAGMENT.as_uri()]
    assert not [e for e in browser.log("browser") if e["level"] == "SEVERE"]
