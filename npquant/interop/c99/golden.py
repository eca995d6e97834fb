"""Golden vectors, and the self-test that a program carries with it.

Legend: model an IntegerMLP, plan its LayerPlans, golden a number of rows or rows (G, K) of input codes themselves, y
(G, C) what the model answers. NAME and UPPER stand for the program's name.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.integer.mlp import IntegerMLP
from npquant.integer.network_checks import check_codes
from npquant.interop.c99.c_arrays import array
from npquant.interop.c99.plan import LayerPlan

_CRC: Final = """\
/* CRC-32 (reflected, 0xEDB88320), a bit at a time: slow and small. */
static uint32_t NAME_crc(uint32_t crc, uint32_t byte)
{
    int32_t bit;
    crc ^= byte & 255u;
    for (bit = 0; bit < 8; bit++) {
        crc = (crc & 1u) != 0u ? (crc >> 1) ^ 3988292384u : crc >> 1;
    }
    return crc;
}

static uint32_t NAME_crc_bytes(uint32_t crc, const uint8_t *bytes, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        crc = NAME_crc(crc, bytes[i]);
    }
    return crc;
}
"""


def golden_rows(model: IntegerMLP, golden: int | Codes) -> Codes:
    """Return the rows given, checked, or as many of one fixed stream: codes at both rails, then all over the interval.

    TypeError or ValueError if rows are no input codes, or the number is negative.
    """
    if isinstance(golden, np.ndarray):
        check_codes(golden, model.n_inputs, model.input_params)
        return golden
    if golden < 0:
        raise ValueError(f"golden is {golden}; it is a number of rows, or the rows themselves")
    params, shape = model.input_params, (golden, model.n_inputs)
    rows = np.random.default_rng(0).integers(params.qmin, params.qmax, shape, endpoint=True)
    rows[:1], rows[1:2] = params.qmin, params.qmax
    return rows.astype(params.dtype)


def selftest_source(
    model: IntegerMLP, plan: tuple[LayerPlan, ...], rows: Codes, biases: tuple[NDArray[Any], ...] | None = None
) -> str:
    """Return golden vectors, checksum and self-test, behind their macro; biases where they are not the constants."""
    y = model.run(rows)
    sums, crc = _checksum(plan, biases or tuple(step.weights.constant for step in plan))
    n, outputs = y.shape
    vectors = tests = row = ""
    if n:
        row = "    int32_t row;\n"
        x_type, y_type = plan[0].x_type, plan[-1].y_type
        vectors = array("NAME_golden_x", x_type, rows, "golden vectors: inputs") + "\n"
        vectors += array("NAME_golden_y", y_type, y, "and what npquant answers") + "\n"
        tests = (
            f"    for (row = 0; row < {n}; row++) {{\n        {y_type} y[{outputs}];\n"
            f"        NAME_run(NAME_golden_x[row], y);\n        for (i = 0; i < {outputs}; i++) {{\n"
            "            if (y[i] != NAME_golden_y[row][i]) {\n                return (int)(row + 1);\n"
            "            }\n        }\n    }\n"
        )
    return (
        f"#ifdef UPPER_WITH_SELFTEST\n{vectors}{_CRC}\nint NAME_selftest(void)\n{{\n"
        f"    uint32_t crc = 4294967295u;\n    int32_t i;\n{row}{sums}"
        f"    if (crc != {crc}u) {{\n        return -1;\n    }}\n{tests}    return 0;\n}}\n#endif\n"
    )


def _checksum(plan: tuple[LayerPlan, ...], biases: tuple[NDArray[Any], ...]) -> tuple[str, int]:
    """The lines that run over all weights and biases, and the CRC they must give."""
    lines, crc = [], 0xFFFFFFFF
    for i, step in enumerate(plan):
        stored = step.weights
        codes = stored.codes if stored.codes.size else np.zeros(1, np.int8)
        lines.append(f"crc = NAME_crc_bytes(crc, (const uint8_t *)NAME_w{i}, (uint32_t)sizeof NAME_w{i});")
        crc = _crc(crc, codes.tobytes())
        lines += [f"for (i = 0; i < {len(biases[i])}; i++) {{"]
        for place in range(0, 64 if stored.wide else 32, 8):
            shifted = f"(uint64_t)NAME_b{i}[i] >> {place}" if stored.wide else f"(uint32_t)NAME_b{i}[i] >> {place}"
            lines.append(f"    crc = NAME_crc(crc, (uint32_t)({shifted}));")
        lines.append("}")
        crc = _crc(crc, biases[i].astype("<i8" if stored.wide else "<i4").tobytes())
    return "".join(f"    {line}\n" for line in lines), crc


def _crc(crc: int, data: bytes) -> int:
    """Continue a CRC-32 without its last inversion, as the C function does."""
    return zlib.crc32(data, crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
