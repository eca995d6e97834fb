"""The plain style: a header and a source that need <stdint.h> and a C compiler, and nothing else.

Legend: model an IntegerMLP, plan its LayerPlans, rows (G, K) golden input codes; NAME and UPPER stand for the program's
name until `named` puts it in.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from npquant.arrays import Codes
from npquant.integer.mlp import IntegerMLP
from npquant.integer.network_checks import has_own_ends
from npquant.interop.c99.golden import selftest_source
from npquant.interop.c99.layer_source import layer_constants, layer_function
from npquant.interop.c99.plan import LayerPlan
from npquant.interop.c99.real_inputs import (
    dequantizer_header,
    dequantizer_source,
    has_ends,
    quantizer_header,
    quantizer_source,
)
from npquant.interop.c99.rules import rule_source
from npquant.version import __version__


def named(text: str, name: str) -> str:
    """Put a program's name into a text.

    >>> named("NAME_run UPPER_INPUTS", "net")
    'net_run NET_INPUTS'
    """
    return text.replace("NAME_", f"{name}_").replace("UPPER_", f"{name.upper()}_").replace("FILE.h", f"{name}.h")


def header(model: IntegerMLP, plan: tuple[LayerPlan, ...]) -> str:
    """Return NAME.h."""
    x_type, y_type, k, c = plan[0].x_type, plan[-1].y_type, model.n_inputs, model.neurons[-1]
    meaning = f"{c} accumulators of the logits" if plan[-1].layer.y is None else f"{c} codes of the logits"
    scales = _scales(model)
    return (
        f"/* {title(model)}\n   Written by npquant {__version__}. {_sizes(plan)}\n   {_working_memory(plan)} */\n"
        "#ifndef UPPER_H\n#define UPPER_H\n\n#include <stdint.h>\n\n"
        f"#define UPPER_INPUTS {k}\n#define UPPER_OUTPUTS {c}\n{scales}\n"
        '#ifdef __cplusplus\nextern "C" {\n#endif\n\n'
        f"/* From {k} input codes to {meaning}. */\n"
        f"void NAME_run(const {x_type} x[{k}], {y_type} y[{c}]);\n\n"
        f"{_predict_header(model, plan)}"
        f"{quantizer_header(model)}{dequantizer_header(model)}\n"
        "#ifdef UPPER_WITH_SELFTEST\n"
        "/* 0 if weights, biases and golden vectors are right; -1 if the checksum of weights and biases differs,\n"
        "   else the number, from 1, of the first golden vector with another answer. */\n"
        "int NAME_selftest(void);\n#endif\n\n"
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
    )


def _predict_header(model: IntegerMLP, plan: tuple[LayerPlan, ...]) -> str:
    if model.neurons[-1] == 1 or has_own_ends(model.output_offset, model.output_factor):
        return ""
    return (
        "/* The index of the largest output, the lowest of equal ones. */\n"
        f"int NAME_predict(const {plan[0].x_type} x[{model.n_inputs}]);\n\n"
    )


def source(model: IntegerMLP, plan: tuple[LayerPlan, ...], rows: Codes) -> str:
    """Return NAME.c."""
    rules = frozenset(
        (step.requantization.rule, not step.requantization.fits and step.requantization.overflow != "saturates")
        for step in plan
        if step.requantization is not None
    )
    parts = [
        f"/* {title(model)}\n   Rounded as {model.profile.name} does: {model.profile.equation}.\n"
        "   Integers only: no float but in the quantizer of UPPER_WITH_FLOAT, and no memory is allocated. */",
        '#include "FILE.h"',
        *(layer_constants(step, i) for i, step in enumerate(plan)),
        rule_source(rules),
        *(layer_function(step, i) for i, step in enumerate(plan)),
        run_source(plan),
        predict_source(model, plan),
        quantizer_source(model),
        dequantizer_source(model),
        selftest_source(model, plan, rows),
    ]
    return "\n".join(f"{part.rstrip()}\n" for part in parts if part)


def run_source(plan: tuple[LayerPlan, ...]) -> str:
    """Return NAME_run: the layers, between two arrays on the stack."""
    x_type, y_type = plan[0].x_type, plan[-1].y_type
    lines = [f"void NAME_run(const {x_type} x[{plan[0].layer.shape[0]}], {y_type} y[{plan[-1].layer.shape[1]}])", "{"]
    lines += [f"    {step.y_type} h{i}[{step.layer.shape[1]}];" for i, step in enumerate(plan[:-1])]
    places = ["x", *(f"h{i}" for i in range(len(plan) - 1)), "y"]
    lines += [f"    NAME_layer{i}({one}, {two});" for i, (one, two) in enumerate(pairwise(places))]
    return "\n".join([*lines, "}"]) + "\n"


def predict_source(model: IntegerMLP, plan: tuple[LayerPlan, ...]) -> str:
    """Return NAME_predict; empty for one output, and where codes have another order than the real outputs."""
    if model.neurons[-1] == 1 or has_own_ends(model.output_offset, model.output_factor):
        return ""
    x_type, y_type, c = plan[0].x_type, plan[-1].y_type, plan[-1].layer.shape[1]
    return (
        f"int NAME_predict(const {x_type} x[{plan[0].layer.shape[0]}])\n{{\n    {y_type} y[{c}];\n"
        "    int best = 0;\n    int i;\n    NAME_run(x, y);\n"
        f"    for (i = 1; i < {c}; i++) {{\n        if (y[i] > y[best]) {{\n            best = i;\n        }}\n    }}\n"
        "    return best;\n}\n"
    )


def title(model: IntegerMLP) -> str:
    """Say what the network is, in a line."""
    sizes = "-".join(str(n) for n in (model.n_inputs, *model.neurons))
    bits = ", ".join(str(b) for b in model.weight_bits)
    return f"An integer-only multilayer perceptron {sizes}; weights of {bits} bits."


def _sizes(plan: tuple[LayerPlan, ...]) -> str:
    each = " + ".join(str(step.n_bytes) for step in plan)
    whole = f"{each} = {sum(step.n_bytes for step in plan)}" if len(plan) > 1 else each
    forms = ", ".join({"bytes": "a byte each"}.get(step.weights.form, step.weights.form) for step in plan)
    return f"Constants: {whole} bytes; weights {forms}."


def _working_memory(plan: tuple[LayerPlan, ...]) -> str:
    hidden = sum(step.layer.shape[1] * step.y_bytes for step in plan[:-1])
    bits = max(step.bits for step in plan)
    return f"NAME_run keeps {hidden} bytes between layers, on the stack. Accumulators fit {bits} bits, for every input."


def _scales(model: IntegerMLP) -> str:
    """Macros for what codes mean: they are for the caller, and no function here uses them."""
    lines = []
    if np.ndim(model.input_params.scale) == 0:
        lines.append(_meaning("INPUT", float(model.input_params.scale), int(model.input_params.zero_point)))
    y = model.layers[-1].y
    if y is not None:
        lines.append(_meaning("OUTPUT", float(y.scale), int(y.zero_point), behind=has_ends(model)))
    return "".join(lines)


def _meaning(which: str, scale: float, zero: int, *, behind: bool = False) -> str:
    value = f"({zero})" if zero < 0 else str(zero)
    more = ", times the output's factor, plus its offset: NAME_dequantize" if behind else ""
    return (
        f"/* real = UPPER_{which}_SCALE * (code - UPPER_{which}_ZERO_POINT){more} */\n"
        f"#define UPPER_{which}_SCALE {scale!r}\n#define UPPER_{which}_ZERO_POINT {value}\n"
    )
