"""Shared libraries behind the C header: a right one passes in every layout, each wrong one is named."""

import ctypes
import subprocess
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest

from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing import c_header, from_ctypes, run
from npquant.testing.adapters.operands import plain_capabilities
from npquant.testing.adapters.shared_call import LayerStruct
from npquant.testing.ask import ask
from npquant.testing.case import LAYOUTS, one_layer
from tests.testing.adapters.compiled import compiled

P = QuantParams(0.5, 0, -128, 127)
CASE = one_layer(np.array([[1, 0]], np.int8), np.array([[4], [9]], np.int8), None, P, P, P, "npquant")
ALL_LAYOUTS = replace(plain_capabilities(get("npquant")), layouts=LAYOUTS)


@pytest.mark.parametrize("isolated", [True, False])
def test_right_library_passes_in_every_layout(isolated: Any, tmp_path: Path) -> None:
    """A right function that honours the strides is conformant, in a process of its own and in this one."""
    library = compiled(tmp_path, "shared_kernel.c", shared=True)
    backend = from_ctypes(library, profile="npquant", isolated=isolated, timeout=20.0, capabilities=ALL_LAYOUTS)
    begin = process_time()
    verdict = run(backend)
    # The processor's seconds: a busy machine's clock says nothing of the kit.
    assert verdict.passed and process_time() - begin < 30
    assert next(result for result in verdict.classes if result.name == "layout").cases > 100


@pytest.mark.parametrize("flag", ["-std=c99", "-std=c11"])
def test_header_and_struct_agree(flag: Any, tmp_path: Path) -> None:
    """The header compiles without a warning, and each field stands where Python puts it."""
    names = [name for name, *_ in LayerStruct._fields_]
    lines = "".join(f'    printf("%d ", (int)offsetof(npquant_layer, {name}));\n' for name in names)
    source = tmp_path / "offsets.c"
    source.write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "npquant_backend.h"\n'
        f'int main(void)\n{{\n{lines}    printf("%d\\n", (int)sizeof(npquant_layer));\n    return 0;\n}}\n'
    )
    program = tmp_path / "offsets"
    compiled(tmp_path, "shared_kernel.c", shared=True)
    warnings = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
    command = ["gcc", flag, *warnings, f"-I{c_header().parent}", "-o", str(program), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    offsets = [getattr(LayerStruct, name).offset for name in names]
    assert [int(word) for word in printed.split()] == [*offsets, ctypes.sizeof(LayerStruct)]


STORE = "*((uint8_t *)q->y + b * q->y_row + n * q->y_column) = (uint8_t)y;"
# A piece of one line of the library, what stands there instead, and the kind that names it.
WRONG = {
    "no_rounding_constant": ("+ ((int64_t)1 << (shift - 1))", "", kinds.WRONG_VALUE),
    "writes_behind_the_output": (STORE, f"{STORE} ((uint8_t *)q->y)[q->rows * q->y_row] = 1;", kinds.WROTE_OUTSIDE),
    "writes_before_the_output": (STORE, f"{STORE} ((uint8_t *)q->y)[-1] = 1;", kinds.WROTE_OUTSIDE),
    "leaves_last_row": ("b < q->rows", "b < q->rows - (q->rows > 1)", kinds.LEFT_UNWRITTEN),
    "leaves_everything": ("b < q->rows", "b < 0", kinds.LEFT_UNWRITTEN),
    "adds_to_the_output": (STORE, STORE.replace(" = (", " += ("), kinds.WRONG_VALUE),
    "changes_its_input": (STORE, f"{STORE} if (q->depth) *(char *)q->x += 1;", kinds.CHANGED_INPUT),
    "changes_its_weights": (STORE, f"{STORE} if (q->depth) *(char *)q->w += 1;", kinds.CHANGED_MODEL),
    "changes_the_bias": (STORE, f"{STORE} *(int32_t *)q->bias = 1;", kinds.CHANGED_MODEL),
    "writes_behind_the_bias": (STORE, f"{STORE} ((int32_t *)q->bias)[q->outputs] = 1;", kinds.WROTE_OUTSIDE),
    "returns_junk": ("return NPQUANT_OK;", "return 7;", kinds.JUNK),
    "rejects": ("return NPQUANT_OK;", "return NPQUANT_REJECTED;", kinds.REJECTED),
    "crashes": (STORE, "*(volatile char *)0 = (char)y;", kinds.CRASHED),
    "hangs": (STORE, "for (;;) *(volatile char *)q->y = (char)y;", kinds.HUNG),
    "stale_sum": (
        "int64_t acc = q->bias[n], y;",
        "static int64_t acc; int64_t y; acc += q->bias[n];",
        kinds.FLAKY,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_library_is_named(name: Any, tmp_path: Path) -> None:
    """One changed line fails the trial with the right kind, and none ends this process."""
    old, new, kind = WRONG[name]
    library = compiled(tmp_path, "shared_kernel.c", old, new, shared=True)
    timeout = 1.0 if kind == kinds.HUNG else 20.0
    verdict = run(from_ctypes(library, profile="npquant", timeout=timeout), classes=["plain", "tail"], tier="smoke")
    assert kind in {failure.kind for failure in verdict.failures}
    assert verdict.exit_code == (3 if kind in (kinds.HUNG, kinds.CRASHED) else 1)


def test_library_that_ignores_strides_is_named_where_it_promises_them(tmp_path: Path) -> None:
    """A function that takes rows to lie close fails in the layouts that it is said to take, and passes in C order."""
    library = compiled(tmp_path, "shared_kernel.c", "b * q->x_row", "b * q->depth", shared=True)
    backend = from_ctypes(library, profile="npquant", timeout=20.0)
    assert run(backend, tier="smoke").passed
    verdict = run(replace(backend, can=ALL_LAYOUTS), classes=["layout"])
    assert verdict.failures[0].kind == kinds.WRONG_VALUE


def test_library_that_declines_is_not_accused(tmp_path: Path) -> None:
    """Status 2 is counted as not asked; a trial of nothing else ran nothing."""
    library = compiled(tmp_path, "shared_kernel.c", "return NPQUANT_OK;", "return NPQUANT_DECLINED;", shared=True)
    verdict = run(from_ctypes(library, profile="npquant", timeout=20.0), classes=["plain"], tier="smoke")
    assert verdict.exit_code == 4 and verdict.classes[0].skipped == {"the function returned 2": 4}


def test_library_that_prints_is_not_junk(tmp_path: Path) -> None:
    """What a library prints to its standard output is no part of an answer."""
    change = (
        "int64_t acc = q->bias[n], y;",
        'int64_t acc = q->bias[n], y; extern int puts(const char *); puts("acc");',
    )
    library = compiled(tmp_path, "shared_kernel.c", *change, shared=True)
    assert ask(from_ctypes(library, profile="npquant", timeout=20.0), CASE).kind == kinds.VALUE


def test_library_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    """No such symbol: an error at once in this process, a finding with the loader's words in another."""
    library = compiled(tmp_path, "shared_kernel.c", shared=True)
    outcome = ask(from_ctypes(library, profile="npquant", symbol="no_such"), CASE)
    assert outcome.kind == kinds.CRASHED and "no_such" in outcome.detail
    with pytest.raises(AttributeError, match="no_such"):
        from_ctypes(library, profile="npquant", symbol="no_such", isolated=False)
    with pytest.raises(FileNotFoundError, match="there is no library"):
        from_ctypes(tmp_path / "nowhere.so", profile="npquant")
