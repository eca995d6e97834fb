"""The doors for real values as C: the quantizer of `IntegerMLP.encode`, which a macro compiles in, and `decode`.

Legend: model an IntegerMLP; scale and offset as C constants, z zero point, [qmin, qmax] its input codes. NAME and UPPER
stand for the program's name.

clip       round to nearest, then saturate: clipping first commutes with it, since both ends are integers
convert    round, convert to int32 as x86 does (what does not fit becomes -2^31), add z modulo 2^32, then saturate
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from npquant.integer.layer import as_taken
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.quantize_engines import (
    quantize_divide_half_away,
    quantize_divide_half_away_float64,
    quantize_divide_half_even,
    quantize_reciprocal_half_even,
)
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.tflite_operators import quantize_delegated

# How the quotient is computed, how it is rounded, and how it becomes a code.
_RULES: Final[Mapping[object, tuple[str, str, str, str]]] = MappingProxyType(
    {
        quantize_divide_half_away: ("float", "/", "away", "convert"),  # R50
        quantize_divide_half_away_float64: ("double", "/", "away", "convert"),  # R51
        quantize_divide_half_even: ("float", "/", "even", "clip"),  # R54
        quantize_reciprocal_half_even: ("float", "*", "even", "clip"),  # R53
    }
)
_OWN: Final = ("double", "/", "even", "clip")  # R1

_ROUND: Final = MappingProxyType(
    {
        "even": ("rest > 0.5 || (rest == 0.5 && q % 2 != 0)", "rest < -0.5 || (rest == -0.5 && q % 2 != 0)"),
        "away": ("rest >= 0.5", "rest <= -0.5"),
    }
)


def quantizer_rule(model: IntegerMLP) -> tuple[str, str, str, str] | None:
    """How the model encodes real inputs; None where its engine's way depends on a value's place in the tensor."""
    profile = model.profile
    taken, _ = as_taken(model.input_params, profile)
    if profile is NPQUANT or profile.quantize_codes is None or taken.dtype.name not in profile.quantize_types:
        return _OWN
    # What XNNPACK leaves to LiteRT is of int16 codes alone.
    delegated = profile.quantize_codes is quantize_delegated and taken.dtype != np.int16
    return _RULES.get(quantize_reciprocal_half_even if delegated else profile.quantize_codes)


def quantizer_header(model: IntegerMLP) -> str:
    """Return the declaration, behind its macro."""
    if quantizer_rule(model) is None:
        why = f"{model.profile.name} quantizes real inputs in vectors, by another rule than those left over"
        return f'#ifdef UPPER_WITH_FLOAT\n#error "{why}: quantize outside"\n#endif\n'
    ctype = f"{model.input_params.dtype.name}_t"
    return (
        "#ifdef UPPER_WITH_FLOAT\n"
        "#ifndef UPPER_REAL\n#define UPPER_REAL float\n#endif\n"
        f"/* Codes of {model.n_inputs} real inputs, which must not be NaN; what is out of range saturates. */\n"
        f"void NAME_quantize(const UPPER_REAL x[{model.n_inputs}], {ctype} x_q[{model.n_inputs}]);\n"
        "#endif\n"
    )


def quantizer_source(model: IntegerMLP) -> str:
    """Return the definition, behind its macro; empty where there is none."""
    rule = quantizer_rule(model)
    if rule is None:
        return ""
    real, operator, ties, conversion = rule
    scale = np.asarray(model.input_params.scale)
    if operator == "*":
        with np.errstate(over="ignore"):
            scale = np.asarray(np.float32(1) / scale)
    constants, divisor = _constants("scale", real, scale)
    shifted = "(double)x[k]"
    if model.input_offset is not None:
        more, offset = _constants("offset", "double", model.input_offset)
        constants, shifted = constants + more, f"((double)x[k] - {offset})"
    if real == "float" or (model.profile is not NPQUANT and rule is not _OWN):
        shifted = f"(float){shifted}" if real == "float" else f"(double)(float){shifted}"
    value = (
        shifted if operator == "/" and scale.ndim == 0 and scale == 1 else f"({real})({shifted} {operator} {divisor})"
    )
    ctype = f"{model.input_params.dtype.name}_t"
    return (
        f"#ifdef UPPER_WITH_FLOAT\n{constants}"
        f"void NAME_quantize(const UPPER_REAL x[{model.n_inputs}], {ctype} x_q[{model.n_inputs}])\n{{\n"
        f"    int32_t k;\n    for (k = 0; k < {model.n_inputs}; k++) {{\n        {real} t = {value};\n"
        f"{_to_code(model, real, ties, conversion, ctype)}    }}\n}}\n#endif\n"
    )


def dequantizer_header(model: IntegerMLP) -> str:
    """Return the declaration of NAME_dequantize, behind its macro; empty where a scale and a zero point say it all."""
    if not has_ends(model):
        return ""
    return (
        "#ifdef UPPER_WITH_FLOAT\n"
        "/* The real values of output codes: each output has an offset or a factor of its own, behind its scale. */\n"
        f"{_dequantizer(model)};\n#endif\n"
    )


def dequantizer_source(model: IntegerMLP) -> str:
    """Return the definition of NAME_dequantize, behind its macro: R2, then times the factor plus the offset."""
    if not has_ends(model):
        return ""
    y = model.layers[-1].output
    constants, value = "", f"{_constants('', 'float', y.scale)[1]} * (float)((int32_t)y_q[k] - ({int(y.zero_point)}))"
    value = f"(double)({value})"
    for name, end, operator in (("factor", model.output_factor, "*"), ("shift", model.output_offset, "+")):
        if end is not None:
            more, element = _constants(name, "double", end)
            constants, value = constants + more, f"{value} {operator} {element}"
    return (
        f"#ifdef UPPER_WITH_FLOAT\n{constants}{_dequantizer(model)}\n{{\n"
        f"    int32_t k;\n    for (k = 0; k < {model.neurons[-1]}; k++) {{\n"
        f"        y[k] = (float)({value});\n    }}\n}}\n#endif\n"
    )


def has_ends(model: IntegerMLP) -> bool:
    """Whether real outputs are more than dequantized codes."""
    return model.layers[-1].y is not None and (model.output_offset is not None or model.output_factor is not None)


def _dequantizer(model: IntegerMLP) -> str:
    c, ctype = model.neurons[-1], f"{model.layers[-1].output.dtype.name}_t"
    return f"void NAME_dequantize(const {ctype} y_q[{c}], float y[{c}])"


def _constants(name: str, ctype: str, values: Any) -> tuple[str, str]:
    """Return the definition of a table and its element k, or nothing and a number; exact, in hexadecimal."""
    suffix = "f" if ctype == "float" else ""
    texts = [float(v).hex() + suffix for v in np.ravel(values)]
    if np.ndim(values) == 0:
        return "", f"{texts[0]} /* {float(values):.9g} */"
    lines = ",\n    ".join(", ".join(texts[i : i + 4]) for i in range(0, len(texts), 4))
    return f"static const {ctype} NAME_{name}[{len(texts)}] = {{\n    {lines}\n}};\n", f"NAME_{name}[k]"


def _to_code(model: IntegerMLP, real: str, ties: str, conversion: str, ctype: str) -> str:
    """The lines from the quotient t to the code."""
    z, qmin, qmax = int(model.input_params.zero_point), model.input_params.qmin, model.input_params.qmax
    suffix = "f" if real == "float" else ""
    up, down = (text.replace("0.5", f"0.5{suffix}") for text in _ROUND[ties])
    wide = conversion == "convert"
    q, z_text = "int64_t" if wide else "int32_t", f"{z:+d}".replace("+", "+ ").replace("-", "- ")
    if wide:
        lines = [
            "/* What leaves int32 becomes -2^31, as x86 converts it, and a sum wraps. */",
            f"if (!(t >= -2147483648.0{suffix} && t < 2147483648.0{suffix})) {{",
            f"    t = -2147483648.0{suffix};",
            "}",
        ]
    else:
        low, high = f"{qmin - z}.0{suffix}", f"{qmax - z}.0{suffix}"
        lines = [f"t = t > {low} ? t : {low};", f"t = t < {high} ? t : {high};"]
    lines += [
        "{",
        f"    {q} q = ({q})t; /* toward zero, so that the rest is exact */",
        f"    const {real} rest = t - ({real})q;",
        f"    q += ({up}) - ({down});",
    ]
    if wide:
        lines += [
            f"    q = q {z_text};",
            "    q = q > 2147483647 ? q - 4294967296 : q < -2147483647 - 1 ? q + 4294967296 : q;",
            f"    x_q[k] = ({ctype})(q < {qmin} ? {qmin} : q > {qmax} ? {qmax} : q);",
        ]
    else:
        lines += [f"    x_q[k] = ({ctype})(q {z_text});"]
    return "".join(f"        {line}\n" for line in [*lines, "}"])
