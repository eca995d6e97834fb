"""Small pictures of nine levels: each stands in the page once, and every figure places it by its name.

Legend: pixels one digit a pixel, 0 to 8, row by row; name the id of a picture; w the pixels of a row, h the rows.
"""

from __future__ import annotations

from typing import Any

from npquant.report.page.svg import Drawing


def level_paths(pixels: str, w: int) -> dict[str, str]:
    """Draw the runs of equal pixels as one path a level, in units of a pixel.

    >>> level_paths("0880", 2)
    {'0': 'M0 0h1v1h-1zM1 1h1v1h-1z', '8': 'M1 0h1v1h-1zM0 1h1v1h-1z'}
    """
    paths: dict[str, str] = {}
    for start in range(0, len(pixels), w):
        row, x = pixels[start : start + w], 0
        while x < w:
            end = x
            while end < w and row[end] == row[x]:
                end += 1
            run = f"M{x} {start // w}h{end - x}v1h-{end - x}z"
            paths[row[x]] = paths.get(row[x], "") + run
            x = end
    return dict(sorted(paths.items()))


def symbol(name: str, pixels: str, w: int, kind: str) -> str:
    """Write a picture once: `kind` "k" for ink on paper, "w" for weights of either sign, "g" for weights that go."""
    size = max(w, len(pixels) // w)
    paths = "".join(f'<path class="{kind}{level}" d="{d}"/>' for level, d in level_paths(pixels, w).items())
    return f'<symbol id="{name}" viewBox="0 0 {size} {size}">{paths}</symbol>'


def picture_symbols(report: dict[str, Any]) -> str:
    """Write all pictures of a report, in an element that shows nothing itself."""
    pictures, image = report["pictures"], report["pictures"]["image"]
    if image is None:
        return ""
    answers = pictures["answers"] or {"disputed": []}
    parts = [
        symbol(f"row{row['row']}", row["pixels"], image["width"], "k")
        for row in answers["disputed"][:SHOWN]
        if row["pixels"]
    ]
    means = pictures["data"]["class_means"] or ()
    parts += [symbol(f"mean{label}", pixels, image["width"], "k") for label, pixels in enumerate(means)]
    if pictures["maps"] is not None:
        gone = {one["neuron"] for one in (pictures["neurons"] or [None])[0]["gone"]} if pictures["neurons"] else set()
        for neuron, pixels in enumerate(pictures["maps"]["neurons"]):
            kind = "g" if neuron in gone else "w"
            parts.append(symbol(f"map{neuron}", pixels, pictures["maps"]["width"], kind))
    return f'<svg class="defs" aria-hidden="true">{"".join(parts)}</svg>'


SHOWN = 12  # disputed rows on the page


def place_picture(plane: Drawing, name: str, x: float, y: float, side: float, frame: str, width: float = 2) -> None:
    """Place a picture on a `plane` in a frame of a colour, its corner at (x, y), `side` long, the line of a `width`."""
    plane.rect(x, y, side, side, "panel")
    plane.use(name, x, y, side)
    plane.rect(x, y, side, side, "none", frame, width)
