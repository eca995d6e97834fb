"""The page docs/known.md: how each operator of each profile is known, printed as Markdown from the records' cells.

Run: python -m npquant.testing.known_table > docs/known.md
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from npquant.profiles import get, names
from npquant.profiles.knowledge import Known
from npquant.profiles.record import Profile
from npquant.profiles.relatives import RELATIVES
from npquant.testing.profile_table import LEFT, markdown_table

INTRODUCTION = """\
# What each record knows, and how

This page is printed by `python -m npquant.testing.known_table` from the records, and a test fails when the two part.
`npquant profiles NAME` prints one record's part of it.

- **run**: the engine itself was asked, over so many outputs; each was equal, bit for bit.
- **compiled**: the engine's own source was built apart and asked; nothing of it is kept here.
- **read**: in the named file and revision; nobody has run it.
- *none*: the engine has no such operator (*absent in the engine*).
- *not here*: the engine has it, and npquant does not (*absent here*).
- **defined**: npquant's own operator, which no engine answers for; a law holds array code to exact rationals.

The outputs are those that the named test compares, all its parameters that ask this engine together, counted by
`comparison.require_equal`. A test in `tests/peers` asks whichever kernels the processor has: those with AVX-512 or VNNI
on one machine, those without on another, by the same draws; the cell names the processor. This revision was run without
both. Where a cell says so, its outputs are those of an earlier revision of the test, or of other draws, asked of the
same rule on a machine that had them. Of dynamic layers the number is that of a longer run
([which](judged-by.md#longer-runs)). Tests in `tests/emulated` need another interpreter or an emulator
([how](judged-by.md)). `wide` is a layer of int16 inputs, `bias` a real bias as the layer takes it.
"""
SHORT: Final = MappingProxyType({"absent in the engine": "*none*", "absent here": "*not here*"})


def short(known: Known) -> str:
    """Say a cell in a word, and in the outputs that were compared.

    known is the cell.

    >>> short(Known("run", "torch 2.13.0", 7_100_000, "tests/peers/test_torch.py")), short(Known("absent here", "why"))
    ('run 7,100,000', '*not here*')
    """
    word = SHORT.get(known.how, known.how)
    return f"{word} {known.outputs:,}" if known.outputs else word


def every_record() -> tuple[Profile, ...]:
    """Return the records of the page: all profiles, then their relatives.

    >>> [record.name for record in every_record()][0]
    'npquant'
    """
    return *(get(name) for name in names(layers=False)), *(relative.record for relative in RELATIVES)


def render_page(profiles: Sequence[Profile]) -> str:
    """Write the page of the profiles as Markdown: all of them in one table, then each by itself."""
    operators = [name for name, _ in profiles[0].knowledge.cells()]
    overview = [[f"[{p.name}](#{p.name})", *(short(known) for _, known in p.knowledge.cells())] for p in profiles]
    lines = [*INTRODUCTION.splitlines(), "", *markdown_table(["", *operators], overview, LEFT)]
    for profile in profiles:
        rows = [
            [operator, SHORT.get(known.how, known.how), known.what, f"{known.outputs:,}" if known.outputs else "",
             f"`{known.test}`" if known.test else ""]
            for operator, known in profile.knowledge.cells()
        ]  # fmt: skip
        table = markdown_table(["", "how", "what", "outputs", "asked again by"], rows, LEFT)
        lines += ["", f"## {profile.name}", "", f"{profile.engine}; {profile.version}.", "", *table]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render_page(every_record()), end="")
