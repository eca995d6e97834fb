"""Write the figures of the book: one SVG each, its finding on top, for light and for dark ground.

    python docs/figures/plate.py [script ...]

draws what the named scripts (all, without a name) return from `plates()`. Colours are names of the report page's
palette (`npquant/report/page/page.css`), which each file carries; every number comes from npquant.

Legend: name of the file without ending; title the finding; sub what is drawn, axes and units; label the whole in words
for those who cannot see it, with its numbers; drawing the marks, `WIDTH` wide.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Final

from npquant.report.page.plate import WIDTH, Plate, svg_of

__all__ = ["WIDTH", "Plate", "svg_of"]
FOLDER: Final = Path(__file__).parent


def plates_of(script: Path) -> dict[str, str]:
    """Return every figure that a script draws, by the name of its file."""
    return {f"{plate.name}.svg": svg_of(plate) for plate in runpy.run_path(str(script))["plates"]()}


def main(names: list[str]) -> None:
    """Draw the figures of some scripts, or of all."""
    for script in [FOLDER / f"{name.removesuffix('.py')}.py" for name in names] or sorted(FOLDER.glob("ch*.py")):
        for name, svg in plates_of(script).items():
            (FOLDER / name).write_text(svg, encoding="utf-8", newline="\n")
            print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
