"""Four pairs of numbers, before over after; the one that got worse is orange.

Legend: report the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from npquant.report.page.words import ARROW, TIMES, decimal, figures, is_real, short_duration, whole


@dataclass(frozen=True, slots=True)
class _Tile:
    name: str
    words: str
    before: float
    after: float
    note: str
    worse: bool


def write_tiles(report: dict[str, Any]) -> str:
    """Write all four."""
    made = (_size(report), _errors(report) if is_real(report) else _right(report), _products(report), _time(report))
    return f'<div class="tiles">{"".join(_written(tile) for tile in made if tile is not None)}</div>'


def _written(tile: _Tile) -> str:
    largest = max(tile.before, tile.after) or 1
    hue = "orange" if tile.worse else "blue"
    bars = "".join(
        f'<rect y="{y}" width="{200 * value / largest:.1f}" height="12" class="{fill}"/>'
        for y, value, fill in ((0, tile.before, "greyf"), (22, tile.after, hue))
    )
    words = f"<strong{' class=orange-words' if tile.worse else ''}>{escape(tile.words)}</strong>"
    picture = f'<svg viewBox="0 0 244 34" width="244" height="34" aria-hidden="true">{bars}</svg>'
    return f'<div class="tile"><p class="small">{tile.name}</p>{words}{picture}<p>{escape(tile.note)}</p></div>'


def _pair(before: str, after: str, unit: str = "") -> str:
    return f"{before} {ARROW} {after}{' ' * bool(unit)}{unit}"


def _size(report: dict[str, Any]) -> _Tile:
    before, after = report["models"][0]["bytes"], report["models"][-1]["bytes"]
    ratio = f"{before / after:.1f} {TIMES} smaller" if after <= before else f"{after / before:.1f} {TIMES} larger"
    return _Tile(
        "Size", _pair(whole(before), whole(after), "B"), before, after, f"{ratio}, file and all", after > before
    )


def _right(report: dict[str, Any]) -> _Tile:
    before, after = report["models"][0]["test"], report["models"][-1]["test"]
    shares = _pair(decimal(100 * before["accuracy"]), decimal(100 * after["accuracy"]), "%")
    words = _pair(whole(before["correct"]), whole(after["correct"]))
    worse = not report["budget"]["test"]["within"]
    return _Tile(
        "Right on test", words, before["correct"], after["correct"], f"of {whole(after['rows'])}: {shares}", worse
    )


def _errors(report: dict[str, Any]) -> _Tile:
    test, first, last = report["budget"]["test"], report["models"][0]["test"], report["models"][-1]["test"]
    at = test["worst_output"]
    before, after = first["rmse"][at], last["rmse"][at]
    r2 = [found["r2"][at] for found in (first, last)]
    which = f"output {at}, the worst, " if len(test["outputs"]) > 1 else ""
    said = "" if None in r2 else f": R² {decimal(r2[0], 3)} {ARROW} {decimal(r2[1], 3)}"
    note = f"{which}on {whole(last['rows'])} rows{said}"
    return _Tile("RMSE on test", _pair(figures(before, 3), figures(after, 3)), before, after, note, not test["within"])


def _products(report: dict[str, Any]) -> _Tile:
    before, last = report["models"][0]["macs"], report["models"][-1]
    after, done = last["macs"], last["executed_macs"]
    carried = "all carried out" if done == after else f"{whole(done)} carried out"
    note = f"{100 * after / before:.0f} % are left, {carried}"
    return _Tile("Products a row", _pair(whole(before), whole(after)), before, after, note, after > before)


def _time(report: dict[str, Any]) -> _Tile | None:
    taken = report["deployment"]["latency"]
    if not taken:
        return None
    before, after = taken[0]["float_seconds"], taken[0]["integer_seconds"]
    (one, unit), (two, second) = short_duration(before), short_duration(after)
    words = _pair(one, two, second) if unit == second else _pair(f"{one} {unit}", two, second)
    ratios = [f"{e['integer_seconds'] / e['float_seconds']:.2f} {TIMES}" for e in (taken[0], taken[-1])]
    note = f"{ratios[0]} float's for {_batch(taken[0]['batch'])}, {ratios[1]} for {_batch(taken[-1]['batch'])}"
    return _Tile("Time a row, NumPy", words, before, after, note + _compiled(report), after > before)


def _batch(rows: int) -> str:
    return "one row" if rows == 1 else whole(rows)


def _compiled(report: dict[str, Any]) -> str:
    """Say what the C program takes, where it was timed."""
    timed = [t["measured"]["seconds"] for t in report["deployment"]["targets"] if t["target"] == "c"]
    return f"; as C {' '.join(short_duration(timed[0]))}" if timed and timed[0] else ""
