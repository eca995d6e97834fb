"""Laws of the comment on a C program's data: one comment, in ASCII, whatever the names hold."""

import re
import subprocess
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.facts import Facts
from npquant.interop.c99.data_comment import data_comment
from npquant.interop.c99.export import encode_c, to_c
from npquant.nn.model import DenseLayer, FloatMLP

NET = quantize_uniform(FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),)), np.eye(2), 8)
HARD = Facts(("*/ int x; /*", "UPPER_NAME_ größe\\"), ("//", "a\nb??/"), "*/", "ab" * 32, {"/*": ["*/", {"k": "*"}]})


@given(st.lists(st.text('*/\\\n a"é', max_size=6), min_size=2, max_size=2))
def test_a_name_neither_ends_the_comment_nor_starts_another(names: list[str]) -> None:
    """One /* and one */, at the ends; nothing but ASCII."""
    said = data_comment(Facts(tuple(names), encoding={names[0]: names[1]}), 2)
    assert said.isascii() and said.startswith("/* ") and said.endswith(" */\n")
    assert len(re.findall(r"/\*", said)) == len(re.findall(r"\*/", said)) == 1


def test_what_is_generic_or_unknown_is_not_said() -> None:
    """x[3] says x3 already."""
    assert data_comment(None, 2) == data_comment(Facts(), 2) == data_comment(Facts(("x0", "x1"), ("0", "1")), 2) == ""
    assert data_comment(Facts(class_names=("0", "1")), 1) == '/* y[0] above its zero point: "1", else "0" */\n'


@pytest.mark.parametrize("style", ["plain", "cmsis-nn"])
def test_the_comment_changes_no_token_of_the_program(style: str) -> None:
    """Without it the header is that of a network without facts; names are as they are, NAME_ and UPPER_ too."""
    texts, bare = (encode_c(NET, name="net", style=style, facts=facts) for facts in (HARD, None))
    assert texts["net.h"].replace(data_comment(HARD, 2), "") == bare["net.h"] and texts["net.c"] == bare["net.c"]
    assert '"UPPER_NAME_ gr\\u00f6\\u00dfe\\\\"' in texts["net.h"]


@pytest.mark.skipif(which("cc") is None, reason="needs a C compiler")
def test_the_program_still_compiles_without_a_warning(tmp_path: Path) -> None:
    """-Wall -Wextra -Wcomment, in C99."""
    to_c(NET, tmp_path / "net.c", facts=HARD)
    line = ["cc", "-std=c99", "-Wall", "-Wextra", "-Wcomment", "-Werror", "-c", "net.c", "-o", "net.o"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
