"""Write docs/equations.md from the cards of npquant/spec: python docs/generate_equations.py > docs/equations.md"""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = """# The equations, label by label

Each rounding is written down once in `npquant/spec/`, as an exact scalar, and once in `npquant/kernels/` or
`npquant/profiles/`, as its array twin under the same label; a law in `tests/` equates the two. This page is made from
the cards of the specification by `docs/generate_equations.py`. The last column leads to the first page, in the order of
the book, that writes the equation out, or else that names its label.

f32 and f64 round an exact value to the nearest binary32 and binary64 number, ties to even (R0). `saturate` clamps,
`wrap` reduces to two's complement, and every other name states its tie rule. Where an equation says
"R6(acc)", it means the value that R6 defines.

## Constraints
| label | what must hold | where it is checked | derived in |
| --- | --- | --- | --- |
"""
CONSTRAINTS = (
    ("C1", "a scale is a positive, normal, finite float32", "`QuantParams`"),
    (
        "C2",
        "a zero point is a code, so that 0 is represented exactly; the interval of a clamp may lack it",
        "`QuantParams`",
    ),
    ("C3", "a code interval has qmin < qmax inside int32", "`QuantParams`"),
    (
        "C4",
        "a fixed multiplier is an int32, its shift in [-31, 30]; an engine may take fewer",
        "`FixedMultiplier`, `Profile`",
    ),
    ("C5", "K is at most 131,071, so that no sum of int8 products leaves int32", "`matmul_int8`"),
    (
        "C6",
        "float32 adds 2^24 / p integers of magnitude <= p exactly, in any order; float64 2^53 / p",
        "`exact_depth`",
    ),
    (
        "C7",
        "no input makes an accumulator leave int32, or int64, or the 48 bits of R170",
        "`IntegerMLP`, from its weights",
    ),
)
MIDDLE = """
## Equations
| label | equation | defined by | derived in |
| --- | --- | --- | --- |
"""


def equations() -> list[tuple[int, str, str]]:
    """Return (number, text, where) for every equation on a card of the specification, in order.

    The label opens the card; the equation ends at ``Source:`` or at the first blank line.
    """
    found = []
    for path in sorted((ROOT / "npquant" / "spec").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            card = ast.get_docstring(node) or "" if isinstance(node, ast.FunctionDef) else ""
            labelled = re.match(r"R(\d+)\. (.*?)(?=Source:|\n\n|\Z)", card, re.DOTALL)
            if labelled:
                equation = " ".join(labelled[2].split()).replace("|", "\\|")
                found.append(
                    (int(labelled[1]), equation, f"[spec/{path.name}](../npquant/spec/{path.name}), `{node.name}`")
                )
    return sorted(found)


def page() -> str:
    """Return the whole page."""
    labels = runpy.run_path(str(Path(__file__).with_name("label_pages.py")))
    pages = labels["derivations"](labels["book"]())

    def row(name: str, text: str, where: str) -> str:
        return f"| {name} | {text} | {where} | {pages.get(name, 'here')} |\n"

    constraints = "".join(row(*constraint) for constraint in CONSTRAINTS)
    return HEAD + constraints + MIDDLE + "".join(row(f"R{n}", text, where) for n, text, where in equations())


if __name__ == "__main__":
    print(page(), end="")
