"""What the data set says about itself, and what it cannot say.

Legend: report the whole; names of the classes and the rows of each.
"""

from __future__ import annotations

import shlex
from html import escape
from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.pixel_pictures import place_picture
from npquant.report.page.svg import Drawing, clipped
from npquant.report.page.words import figures, is_real, spelled, whole

_RARE: Final = 20  # rows that say nothing of a class
_SHARE: Final = 0.2  # of an even share
_BARS: Final = 40


def data_title(names: list[str], rows: list[int]) -> str:
    """Say whether a class is rare: less than 20 rows, or than a fifth of its share.

    >>> data_title(["a", "b"], [180, 150]), data_title(["a", "b"], [180, 19])
    ('Two classes, 150 to 180 rows each: no class is rare', 'Class b has 19 rows: its accuracy means little')
    """
    least, even = min(rows), sum(rows) / len(rows)
    if least < _RARE or least < _SHARE * even:
        return f"Class {names[rows.index(least)]} has {whole(least)} row{'s' * (least != 1)}: its accuracy means little"
    counts = f"{whole(least)} rows each" if least == max(rows) else f"{whole(least)} to {whole(max(rows))} rows each"
    return f"{spelled(len(rows)).capitalize()} classes, {counts}: no class is rare"


def data_set(report: dict[str, Any]) -> Figure:
    """Draw the classes and the three sets of rows."""
    told, data = report["pictures"]["data"], report["data"]
    if is_real(report):
        outputs = report["models"][0]["neurons"][-1]
        title = f"{_counted(data['features'], 'feature')}, {_counted(outputs, 'real target')}"
        title = title[0].upper() + title[1:]
        counts: list[int] = []
    else:
        counts = [sum(each) for each in zip(*told["class_rows"].values(), strict=True)]
        title = data_title(data["class_names"], counts)
    pictured = told["class_means"] is not None
    sub = f"{'Mean picture of each class on the training rows. ' if pictured else ''}{data['source']}"
    shares = zip(data["class_names"][:_BARS], counts, strict=False)
    label = f"{_facts(report)} {', '.join(f'{name}: {whole(count)} rows' for name, count in shares)}"
    return Figure("data", title, sub, label, lambda width: _draw(report, counts, width), _facts(report), wide=True)


def _counted(count: int, noun: str) -> str:
    return f"{spelled(count)} {noun}{'s' * (count != 1)}"


def _facts(report: dict[str, Any]) -> str:
    told, features = report["pictures"]["data"], report["data"]["features"]
    low, high = told["range"]
    what = "pixels" if report["pictures"]["image"] else f"feature{'s' * (features != 1)}"
    constant, twice = told["constant_features"], told["duplicate_rows"]
    words = (
        f"{whole(features)} {what} from {figures(low, 3)} to {figures(high, 3)}; {figures(100 * told['zeros'])} % are 0"
    )
    words += f", {whole(constant)} {'are' if constant != 1 else 'is'} the same on every row" if constant else ""
    if twice is None:
        return f"{words}."
    repeated = "no row occurs twice" if twice == 0 else f"{whole(twice)} row{'s' * (twice != 1)} occurred before"
    return f"{words}; {repeated}."


def _draw(report: dict[str, Any], counts: list[int], width: float) -> Drawing:
    plane = Drawing(width, 0)
    y = 0.0
    if report["pictures"]["data"]["class_means"] is not None:
        y = _means(plane, report["data"]["class_names"], counts, width) + 20
    elif counts:
        y = _bars(plane, report["data"]["class_names"], counts, width) + 20
    rows = report["data"]["rows"]
    says = {"train": "train and calibrate", "validation": "choose", "test": "judge, once"}
    told = {name: f"{whole(rows[name])} {what}" for name, what in says.items()}
    x = 0.0
    for name, hue in (("train", "greyf"), ("validation", "bluef"), ("test", "blue")):
        wide = width * rows[name] / rows["total"]
        plane.rect(x, y, wide - 1.5, 14, hue)
        x += wide
    phone = width == PHONE
    plane.text(0, y + 30, told["train"], 12, "ink2")
    plane.text(width - (112 if phone else 190), y + 30, told["validation"], 12, "ink2", anchor="e" if phone else "m")
    plane.text(width, y + 30, told["test"], 12, "ink", bold=True, anchor="e")
    plane.height = y + 36
    return plane


def _means(plane: Drawing, names: list[str], counts: list[int], width: float) -> float:
    """Place the mean picture of each class; return where they end."""
    columns = 5 if width == PHONE else 10
    pitch = (width + 14) / columns
    side = min(pitch - 14, 84.0)
    for label, name in enumerate(names):
        x, y = label % columns * pitch + 1, label // columns * (side + 42) + 1
        place_picture(plane, f"mean{label}", x, y, side, "rule", 1)
        plane.text(x, y + side + 16, clipped(name, pitch - 14, 13, bold=True), 13, "ink", bold=True)
        plane.text(x, y + side + 31, f"{whole(counts[label])} rows", 11, "mut")
    return -(-len(names) // columns) * (side + 42)


def _bars(plane: Drawing, names: list[str], counts: list[int], width: float) -> float:
    """Draw a bar a class; of more than 40 the commonest and the rarest; return where they end."""
    order = sorted(range(len(names)), key=lambda i: -counts[i]) if len(names) > _BARS else [*range(len(names))]
    shown = order if len(order) <= _BARS else [*order[: _BARS // 2], *order[-_BARS // 2 :]]
    columns = 1 if width == PHONE or len(shown) <= 8 else 2
    each = (width + 48) / columns - 48 if columns > 1 else min(width, 640.0)
    lines = -(-len(shown) // columns)
    for place, i in enumerate(shown):
        x, y = place // lines * (each + 48), place % lines * 24
        plane.text(x, y + 14, clipped(names[i], 0.34 * each, 12), 12, "ink2")
        long = (0.64 * each - 56) * counts[i] / max(counts)
        plane.rect(x + 0.36 * each, y + 3, long, 14, "ln")
        plane.text(x + 0.36 * each + long + 6, y + 14, whole(counts[i]), 12, "mut")
    if len(order) > len(shown):
        plane.text(0, lines * 24 + 14, f"{whole(len(order) - len(shown))} classes between are not shown", 12, "mut")
    return lines * 24 + (20 if len(order) > len(shown) else 0)


def notes(report: dict[str, Any]) -> str:
    """Write what a reader must know, and how to do it again."""
    said = dict.fromkeys([*report["notes"], *report["data"]["notes"]])
    items = "".join(f"<li>{escape(note)}</li>" for note in said)
    command = escape(command_line(report["config"]))
    split = report["data"]["split_sha256"][:12]
    again = f"<h3>Do it again</h3><pre>{command}</pre>"
    sub = f'<p class="sub">The same figures on a second run, times excepted. Split {split}.</p>'
    return f'<div class="block wide"><ul>{items}</ul></div><div class="block wide" id="again">{again}{sub}</div>'


def command_line(config: dict[str, Any]) -> str:
    """Write the command of a `config`: every option that is not the default.

    >>> command_line({"data": "my rows.csv", "seed": 0, "train": True, "hidden": [8, 4], "model": None, "out": "x"})
    "npquant run --data 'my rows.csv' --seed 0 --train --hidden 8,4"
    """
    words = ["npquant", "run"]
    for name, value in config.items():
        if value is None or value is False or name == "out" or (name, value) == ("inputs", "auto"):
            continue
        words.append("--" + {"target": "label"}.get(name, name).replace("_", "-"))
        words += [] if value is True else [",".join(map(str, value)) if isinstance(value, list) else f"{value}"]
    return shlex.join(words)
