"""gcc, clang or another C compiler as the consumer of an exported program.

Legend: path the NAME.c, its NAME.h beside it; x (B, K) input codes; cc the compiler's command; flags and sources
further words of the command line; runner what stands before the executable: ("qemu-arm",), for a foreign one;
driver the text of a main(), found what the header says, x_type, y_type, inputs and outputs what it reads and writes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.files.format_error import FormatError

STRICT: Final = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
SANITIZED: Final = ("-fsanitize=undefined,address", "-fno-sanitize-recover=all")
_SIGNATURE: Final = re.compile(r"void (\w+)_run\(const (\w+) x\[(\d+)\], (\w+) y\[(\d+)\]\);")

_DRIVER: Final = """\
#include <stdio.h>
#include "FILE.h"
int main(void)
{
    static XTYPE x[INPUTS];
    static YTYPE y[OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        NAME_run(x, y);
        fwrite(y, sizeof y, 1, stdout);
    }
    return 0;
}
"""

_QUANTIZER: Final = _DRIVER.replace("NAME_run(x, y)", "NAME_quantize(x, y)")

_SELFTEST: Final = """\
#include "FILE.h"
int main(void)
{
    const int answer = NAME_selftest();
    return answer < 0 ? 255 : answer;
}
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """Hold what a program's header says of its inputs and outputs."""

    name: str
    x: np.dtype[np.integer]
    inputs: int
    y: np.dtype[np.integer]
    outputs: int


def version_cc(cc: str = "gcc") -> str | None:
    """Return the first line of the compiler's --version; None if it is not installed."""
    if shutil.which(cc) is None:
        return None
    found = subprocess.run([cc, "--version"], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()[0]


def signature(path: str | os.PathLike[str]) -> Signature:
    """Read a program's header; FormatError if it declares no NAME_run."""
    header = Path(path).with_suffix(".h")
    found = _SIGNATURE.search(header.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        raise FormatError(header, "", "declares no NAME_run(const TYPE x[K], TYPE y[C]); npquant's own headers do")
    name, x, inputs, y, outputs = found.groups()
    return Signature(name, _dtype(x, header), int(inputs), _dtype(y, header), int(outputs))


def run_cc(
    path: str | os.PathLike[str],
    x: NDArray[np.integer],
    *,
    cc: str = "gcc",
    flags: Sequence[str] = (*STRICT, "-O2"),
    sources: Sequence[str] = (),
    runner: Sequence[str] = (),
) -> NDArray[np.integer]:
    """Compile a program with a driver, and run it: codes (B, K) to codes, or accumulators, (B, C).

    RuntimeError, with what the compiler or the
    program said, if either fails; ImportError if the compiler is not installed; TypeError or ValueError if x does not
    fit.
    """
    found = signature(path)
    if x.dtype != found.x:
        raise TypeError(f"x has dtype {x.dtype}; {found.name}_run takes {found.x}")
    if x.ndim != 2 or x.shape[1] != found.inputs:
        raise ValueError(f"x has shape {x.shape}; {found.name}_run takes (B, {found.inputs})")
    driver = filled(_DRIVER, found, f"{found.x}_t", f"{found.y}_t", found.inputs, found.outputs)
    answer = _compiled_and_run(path, driver, np.ascontiguousarray(x).tobytes(), cc, (*flags, *sources), runner)
    return np.frombuffer(answer, found.y).reshape(len(x), found.outputs)


def quantize_cc(
    path: str | os.PathLike[str],
    x: ArrayLike,
    *,
    cc: str = "gcc",
    flags: Sequence[str] = (*STRICT, "-O2"),
    runner: Sequence[str] = (),
) -> NDArray[np.integer]:
    """Compile a program's quantizer, and run it: float32 or float64 (B, K) to codes (B, K). Errors as `run_cc`."""
    found, real = signature(path), np.asarray(x)
    ctype = "double" if real.dtype == np.float64 else "float"
    driver = filled(_QUANTIZER, found, ctype, f"{found.x}_t", found.inputs, found.inputs)
    macros = (f"-D{found.name.upper()}_WITH_FLOAT", f"-D{found.name.upper()}_REAL={ctype}")
    data = np.ascontiguousarray(real, np.float64 if ctype == "double" else np.float32).tobytes()
    answer = _compiled_and_run(path, driver, data, cc, (*flags, *macros), runner)
    return np.frombuffer(answer, found.x).reshape(real.shape)


def selftest_cc(
    path: str | os.PathLike[str],
    *,
    cc: str = "gcc",
    flags: Sequence[str] = (*STRICT, "-O2"),
    sources: Sequence[str] = (),
    runner: Sequence[str] = (),
) -> int:
    """Compile and run a program's self-test: 0, or what it returned; -1 stands for every negative answer."""
    found = signature(path)
    driver = filled(_SELFTEST, found, "", "", 0, 0)
    macro = f"-D{found.name.upper()}_WITH_SELFTEST"
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(path, driver, cc, (*flags, macro, *sources), Path(folder))
        code = subprocess.run([*runner, program], capture_output=True, check=False).returncode
    return -1 if code == 255 else code


def _dtype(ctype: str, header: Path) -> np.dtype[np.integer]:
    if ctype not in ("int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "int64_t"):
        raise FormatError(header, "NAME_run", f"has codes of type {ctype}; they are integers of <stdint.h>")
    return np.dtype(ctype.removesuffix("_t"))


def filled(driver: str, found: Signature, x_type: str, y_type: str, inputs: int, outputs: int) -> str:
    """Put a program's name and types into the text of a driver."""
    words = {"FILE.h": f"{found.name}.h", "NAME": found.name, "XTYPE": x_type, "YTYPE": y_type}
    for word, text in {**words, "INPUTS": str(inputs), "OUTPUTS": str(outputs)}.items():
        driver = driver.replace(word, text)
    return driver


def _compiled_and_run(
    path: str | os.PathLike[str], driver: str, data: bytes, cc: str, flags: Sequence[str], runner: Sequence[str]
) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(path, driver, cc, flags, Path(folder))
        ran = subprocess.run([*runner, program], input=data, capture_output=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{path}: the program ended with {ran.returncode}:\n{ran.stderr.decode(errors='replace')}")
    return ran.stdout


def compiled(path: str | os.PathLike[str], driver: str, cc: str, flags: Sequence[str], folder: Path) -> str:
    """Compile a program with a driver in a folder, and return the executable's path. Errors as `run_cc`."""
    if shutil.which(cc) is None:
        raise ImportError(f"the C compiler {cc!r} is not installed; install gcc or clang, or name another")
    main, program = folder / "driver.c", folder / "program"
    main.write_text(driver, encoding="ascii")
    source = Path(path).resolve()
    command = [cc, "-I", str(source.parent), str(main), str(source), *flags, "-o", str(program)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"{path}: {cc} refuses it:\n{made.stderr}")
    return str(program)
