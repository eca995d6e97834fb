"""What each byte of deployed.npz is for.

Legend: report the whole; parts bytes by what they are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.fractions_in_words import share_words
from npquant.report.page.svg import Drawing, text_width
from npquant.report.page.words import listed, whole

_HUES: Final = {"weights": "blue", "scales": "teal", "biases": "plum", "rest": "ln", "container": "greyf"}.items()
_CONTAINER: Final = ("zip", "manifest")
_SMALL: Final = 5000
_MUCH: Final = 0.2


def parts_title(parts: Mapping[str, int]) -> str:
    """Name the largest surprise: the container of a small file, else what takes most.

    >>> parts_title({"weights": 700, "scales": 180, "container": 450})
    'A third of the file is its container'
    >>> parts_title({"weights": 700_000, "scales": 180, "container": 500})
    'All of the file is weights'
    """
    total = sum(parts.values())
    share = parts.get("container", 0) / total
    name = "container" if total < _SMALL and share >= _MUCH else max(parts, key=lambda part: parts[part])
    part = share_words(parts[name] / total)
    return f"{part[0].upper()}{part[1:]} of the file is {'its container' if name == 'container' else name}"


def grouped(report: dict[str, Any]) -> dict[str, int]:
    """Sum the bytes of a report's file under five names."""
    sums = dict.fromkeys((name for name, _ in _HUES), 0)
    for part in report["deployment"]["parts"]:
        name = part["name"]
        group = name if name in sums else "container" if name in _CONTAINER else "rest"
        sums[group] += part["n_bytes"]
    return {name: count for name, count in sums.items() if count}


def parts_of_file(report: dict[str, Any]) -> Figure:
    """Draw the sliver that the file is of the float one, and the sliver's parts."""
    parts, before = grouped(report), report["models"][0]["bytes"]
    total = sum(parts.values())
    rest = sorted({p["name"] for p in report["deployment"]["parts"]} - {*parts, *_CONTAINER})
    what = f" The rest: {listed(rest)}." if "rest" in parts else ""
    sub = f"{whole(total)} bytes of deployed.npz by part."
    told = f"Bytes of the file: {listed([f'{whole(count)} {name}' for name, count in parts.items()])}."
    note = f"The container is the zip around the file and its manifest: it does not grow with the network.{what}"
    return Figure(
        "parts", parts_title(parts), sub, told, lambda width: _draw(parts, total, before, width), note, wide=True
    )


def _draw(parts: Mapping[str, int], total: int, before: int, width: float) -> Drawing:
    sliver = width * min(total / before, 1.0)
    phone = width == PHONE
    plane = Drawing(width, 66 + 30 * len(parts) if phone else 136)
    plane.text(0, 14, f"float.npz, {whole(before)} bytes", 12, "mut")
    plane.rect(0, 22, width, 12, "greyf")
    plane.rect(0, 22, max(sliver, 2), 12, "blue")
    hues = dict(_HUES)
    if phone:
        _rows(plane, parts, hues, width)
        return plane
    plane.path(f"M0 36H{sliver:.1f}L{width:.0f} 62H0z", "panel")
    x, left_out = 0.0, []
    for name, count in parts.items():
        wide = width * count / total
        plane.rect(x, 62, wide - 1.5, 42, hues[name])
        words = "ink" if name == "container" else "on"
        if text_width(name, 13, bold=True) < wide - 14 and text_width(f"{whole(count)} bytes", 12) < wide - 10:
            plane.text(x + 8, 80, name, 13, words, bold=True)
            plane.text(x + 8, 96, f"{whole(count)} bytes", 12, words)
        else:
            left_out.append(f"{name} {whole(count)}")
        x += wide
    if left_out:
        plane.text(0, 124, f"not named above: {listed(left_out)} bytes", 12, "mut")
    return plane


def _rows(plane: Drawing, parts: Mapping[str, int], hues: Mapping[str, str], width: float) -> None:
    largest = max(parts.values())
    for line, (name, count) in enumerate(parts.items()):
        y = 52 + 30 * line
        plane.text(0, y + 13, name, 13, "ink", bold=True)
        plane.rect(84, y, (width - 150) * count / largest, 18, hues[name])
        plane.text(92 + (width - 150) * count / largest, y + 13, whole(count), 12, "ink2")
