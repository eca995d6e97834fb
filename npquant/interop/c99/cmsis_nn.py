"""The CMSIS-NN style: the same network as calls of Arm's public functions, with its own names for every number.

Legend: model an IntegerMLP, plan its LayerPlans (a byte a weight), rows (G, K) golden input codes; NAME and UPPER stand
for the program's name.

Source: ARM-software/CMSIS-NN, revision 99f736a: `Include/arm_nnfunctions.h`, `Include/arm_nn_types.h`,
`Source/FullyConnectedFunctions`. A multiplier m and shift e there are those of R5; CMSIS_NN_USE_SINGLE_ROUNDING chooses
between R6 and R8 for the whole library (on Helium, between R20 and R8).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes
from npquant.integer.mlp import IntegerMLP
from npquant.interop.c99 import plain
from npquant.interop.c99.c_arrays import array
from npquant.interop.c99.golden import selftest_source
from npquant.interop.c99.plan import LayerPlan
from npquant.interop.c99.real_inputs import dequantizer_source, quantizer_source
from npquant.interop.c99.requantization import Requantization


def header(model: IntegerMLP, plan: tuple[LayerPlan, ...]) -> str:
    """Return NAME.h; ValueError, naming the layer, if CMSIS-NN's functions do not compute the network."""
    for i, step in enumerate(plan):
        _check(step, i, model)
    return plain.header(model, plan)


def source(model: IntegerMLP, plan: tuple[LayerPlan, ...], rows: Codes) -> str:
    """Return NAME.c."""
    single = plan[0].requantization is not None and plan[0].requantization.rule == "single"
    guard = (
        "#ifndef CMSIS_NN_USE_SINGLE_ROUNDING\n"
        f'#error "{model.profile.name} rounds once: build CMSIS-NN and this with CMSIS_NN_USE_SINGLE_ROUNDING"\n'
        "#endif\n#ifdef ARM_MATH_MVEI\n"
        '#error "CMSIS-NN rounds in another way on Helium; quantize for tflite_ref, or use the plain style"\n#endif\n'
        if single
        else "#ifdef CMSIS_NN_USE_SINGLE_ROUNDING\n"
        f'#error "{model.profile.name} rounds twice: build without CMSIS_NN_USE_SINGLE_ROUNDING"\n#endif\n'
    )
    parts = [
        f"/* {plain.title(model)}\n   Calls of CMSIS-NN; {model.profile.name}: {model.profile.equation}. */",
        '#include "FILE.h"\n#include "arm_nnfunctions.h"\n',
        guard,
        *(_constants(step, i) for i, step in enumerate(plan)),
        *(_layer(step, i) for i, step in enumerate(plan)),
        plain.run_source(plan),
        plain.predict_source(model, plan),
        quantizer_source(model),
        dequantizer_source(model),
        selftest_source(model, plan, rows, biases=tuple(step.layer.bias for step in plan)),
    ]
    return "\n".join(f"{part.rstrip()}\n" for part in parts if part)


def _check(step: LayerPlan, i: int, model: IntegerMLP) -> None:
    rounding, layer = step.requantization, step.layer
    if rounding is None or rounding.rule not in ("single", "double_away") or not rounding.fits:
        raise ValueError(
            f"layer {i}: CMSIS-NN does not round as {model.profile.name} does here; quantize for tflite_ref (two "
            "roundings) or npquant (one, under CMSIS_NN_USE_SINGLE_ROUNDING), or use the plain style"
        )
    if layer.x.dtype != np.int8 or layer.target.dtype != np.int8 or step.weights.base.ndim:
        raise ValueError(f"layer {i}: arm_fully_connected_s8 takes int8 codes, and one zero point of the weights")


def _constants(step: LayerPlan, i: int) -> str:
    (k, n), stored, rounding = step.layer.shape, step.weights, step.requantization
    assert rounding is not None
    parts = [array(f"NAME_w{i}", "int8_t", stored.codes, f"filter: {n} x {k}")]
    parts.append(array(f"NAME_b{i}", "int32_t", step.layer.bias, "bias"))
    if rounding.multiplier.ndim:
        parts.append(array(f"NAME_m{i}", "int32_t", rounding.multiplier, "multiplier of each output"))
        parts.append(array(f"NAME_s{i}", "int32_t", _shift_left(rounding), "shift of each output"))
    if step.table is not None:
        parts.append(array(f"NAME_t{i}", step.y_type, step.table, step.layer.activation))
    return "\n".join(parts)


def _shift_left(rounding: Requantization) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """e of R5, positive to the left: CMSIS-NN's shift."""
    return 31 - rounding.right if rounding.rule == "single" else rounding.left - rounding.right


def _layer(step: LayerPlan, i: int) -> str:
    (k, n), layer, rounding = step.layer.shape, step.layer, step.requantization
    assert rounding is not None
    channels = bool(rounding.multiplier.ndim)
    kind = "per_channel" if channels else "per_tensor"
    # The library's struct has no const in it, and its functions do not write there.
    pair = (
        f"(int32_t *)NAME_m{i}, (int32_t *)NAME_s{i}"
        if channels
        else f"{int(rounding.multiplier)}, {int(_shift_left(rounding))}"
    )
    function = "arm_fully_connected_per_channel_s8" if channels else "arm_fully_connected_s8"
    lines = [
        f"/* Layer {i}: {k} inputs, {n} outputs, {layer.activation}. The accumulator reaches",
        f"   [{int(step.low.min())}, {int(step.high.max())}] over all inputs: it fits {step.bits} bits. */",
        f"static void NAME_layer{i}(const int8_t *x, {step.y_type} *y)",
        "{",
        f"    const cmsis_nn_fc_params fc_params = {{{-int(layer.x.zero_point)}, {-int(step.weights.base)},",
        f"        {rounding.zero_point}, {{{rounding.low}, {rounding.high}}}}}; /* offsets of input, filter, output */",
        f"    const cmsis_nn_{kind}_quant_params quant_params = {{{pair}}};",
        f"    const cmsis_nn_dims input_dims = {{1, 1, 1, {k}}};",
        f"    const cmsis_nn_dims filter_dims = {{{k}, 1, 1, {n}}};",
        f"    const cmsis_nn_dims bias_dims = {{1, 1, 1, {n}}};",
        f"    const cmsis_nn_dims output_dims = {{1, 1, 1, {n}}};",
        "    cmsis_nn_context ctx = {0, 0};",
        "#if defined(ARM_MATH_MVEI)",
        f"    int32_t sums[{n}];",
        "    ctx.buf = sums;",
        "    ctx.size = (int32_t)sizeof sums;",
        f"    (void)arm_vector_sum_s8(sums, {k}, {n}, NAME_w{i}, {-int(layer.x.zero_point)}, "
        f"{-int(step.weights.base)}, NAME_b{i});",
        "#endif",
        f"    (void){function}(&ctx, &fc_params, &quant_params, &input_dims, x, &filter_dims,",
        f"        &NAME_w{i}[0][0], &bias_dims, NAME_b{i}, &output_dims, y);",
    ]
    if step.table is not None and layer.pre is not None:
        offset = f" {-layer.pre.qmin:+d}".replace("+", "+ ").replace("-", "- ") if layer.pre.qmin else ""
        lines += ["    {", "        int32_t n;", f"        for (n = 0; n < {n}; n++) {{"]
        lines += [f"            y[n] = NAME_t{i}[y[n]{offset}];", "        }", "    }"]
    return "\n".join([*lines, "}"]) + "\n"
