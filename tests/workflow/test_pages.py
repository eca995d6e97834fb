"""The pages about the eight steps print what they say they print."""

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)


@pytest.mark.parametrize("page", ["eight-steps.md", "report.md", "recipe-mistakes.md"])
def test_page_prints_what_it_says(page: str) -> None:
    """Every block runs, in one namespace a page, and prints the text under it."""
    namespace: dict[str, object] = {"__name__": page}
    blocks = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    assert blocks
    for code, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), namespace)
        assert printed.getvalue() == shown, f"{page}: {code}"
