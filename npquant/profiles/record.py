"""The record that names one engine's arithmetic, and npquant's own.

Legend: acc accumulator, M multiplier (a float, or m and e), sx sw sy scales of input, weights, output, zy zero point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes, Int64
from npquant.kernels.activation_bounds import clamp_codes
from npquant.kernels.bias import bias_half_even
from npquant.kernels.linear import pairs_together
from npquant.kernels.qparams import QuantParams
from npquant.profiles.dynamic_rule import DynamicRule
from npquant.profiles.knowledge import Knowledge
from npquant.profiles.layerless import no_multiplier, no_stage


@dataclass(frozen=True, slots=True)
class WideStage:
    """Say how an engine takes integer codes to int16 outputs, for biases, inputs and weights of some types.

    >>> from npquant.profiles import get
    >>> [stage.bias for stage in get("tflm").wide_stages]
    ['int64', 'int32']
    """

    bias: Literal["int32", "int64"]  # the type of the bias, and so of the accumulator
    make_multiplier: Callable[[Any, Any, Any], Any]
    output_stage: Callable[[Any, Any, Any, int, int], Int64]
    zero_points: bool = False  # False: those of inputs and outputs must be 0
    accumulator_bits: int = 64  # of the accumulators that output_stage is defined for, where the bias is int64
    mixed: bool = False  # whether inputs and outputs of a layer may differ in width
    inputs: str = "int16"  # the type of the inputs: uint8 ones have int16 outputs
    weights: tuple[str, ...] = ("int8",)  # the types of the weights; int4 are those of the interval [-8, 7]
    int64_sums: bool = False  # whether it sums in int64 beside an int32 bias too
    needs_bias: bool = False  # whether the engine's process ends without one


def weight_type(w: QuantParams) -> str:
    """Return the type that a file stores weights of the parameters w in: int4 for the interval [-8, 7].

    >>> weight_type(QuantParams(0.5, 0, -8, 7)), weight_type(QuantParams(0.5, 0, -127, 127))
    ('int4', 'int8')
    """
    return "int4" if (w.qmin, w.qmax) == (-8, 7) else str(w.dtype.name)


@dataclass(frozen=True, slots=True)
class Profile:
    """Name one engine's arithmetic: data, and functions only where a rounding is new.

    Parameters
    ----------
    name : str
        As in `npquant.profiles.names()`.
    engine, version, source : str
        Which engine computes this, in which versions, and the file and revision it was read from.
    equation : str
        The arithmetic in one line.
    knowledge : Knowledge
        How each operator is known: run against the engine, compiled, read, or absent.
    make_multiplier : callable
        Offline: (sx, sw, sy) -> multiplier, in whatever form `output_stage` takes. Neither is given where the engine
        quantizes and dequantizes alone.
    output_stage : callable
        Run time: (acc, multiplier, zy, qmin, qmax) -> int64 codes; where the zero point is added, how the result is
        rounded, and what a value beyond int32 becomes.
    add_bias : callable or None
        None: the bias is int32 and belongs to the accumulator. Otherwise (acc, float32 bias, multiplier) -> what
        `output_stage` takes in place of acc.
    quantize_bias : callable
        Where the bias is int32: (real bias, sx, sw) -> codes.
    accumulator : {"exact", "wrap", "pair16"}
        Beyond int32: an OverflowError, or two's complement; or pairs of products that saturate to int16 on the way.
    pairs_apart : callable
        Beside "pair16": K -> how many of the first products are summed, and so paired, apart from the others.
    pairs_int8 : bool
        Beside "pair16": int8 inputs are fed as x + 128, so that their products are paired too.
    weight_qmin : int
        Smallest weight code that the engine's specification allows, -128 or -127.
    weight_zero_point : {"honoured", "per_tensor", "uint8", "zero"}
        Always honoured; ignored where the weights are per-channel; 0 unless the weights are uint8; must be 0.
    zero_points : bool
        False where input and output have none.
    code_types : tuple of str
        Types of input and output codes that the engine takes.
    rescale_types : tuple of str
        Further types of output codes to which the same rule takes an accumulator; other types have another rule, or
        none.
    quantize_types : tuple of str
        Types of codes that its quantize and dequantize serve; weights are among them.
    code_pairs : tuple of pairs of str
        Further types, from and to, between which `requantize_codes` takes codes, beside those of `code_types`.
    wide_zero_points : bool
        False where codes of int16 have none in its dequantize, and from int16 to int16.
    activation_types : tuple of str
        Further types of codes, both of input and of output, that its activations and softmax take.
    multipliers : tuple of int
        Smallest, largest and step of the integer multipliers m that the engine defines, where it rescales in integers
        (C4).
    max_multiplier : float
        The engine refuses sx sw / sy from here on.
    activation_bounds : callable
        (name, y) -> (qmin, qmax) of a fused activation.
    quantize_codes, dequantize_codes : callable or None
        The engine's own (x, params) -> codes and (codes, params) -> float32; None where it has no such operator.
    activation_codes : callable or None
        Stand-alone activations: (name, codes, x, y) -> codes.
    softmax_codes : callable or None
        (codes, x, y, beta) -> codes, over the last axis.
    requantize_codes : callable or None
        (codes, x, y) -> codes of another scale, zero point or type.
    dynamic : DynamicRule or None
        A layer of real inputs and outputs with integer products between, whose scales the inputs choose.
    wide_stages : tuple of WideStage
        How a linear layer of int16 outputs is computed, an entry a type of bias, of inputs and of weights: int16 inputs
        and 8-bit weights ("16x8") first, and the type of layers without a bias first among those of one layer; empty
        where `knowledge` says that it is absent.
    whole_layer : callable or None
        Where the engine's layer is no sum and then an output stage: (x_q, w_q, real bias or None, x, w, y, activation,
        (low, high)) -> int64 codes.
    restriction : str
        What the engine takes, where it is less than scales, biases and activations of any kind: it is computed, and
        drawn by no test generator.
    conversion : str
        What the engine's float-to-integer conversion makes of overflow and NaN, in words.

    Examples
    --------
    >>> from npquant.profiles.npquant import NPQUANT
    >>> NPQUANT.name
    'npquant'
    """

    name: str
    engine: str
    version: str
    source: str
    equation: str
    knowledge: Knowledge
    make_multiplier: Callable[[Any, Any, Any], Any] = no_multiplier
    output_stage: Callable[[Any, Any, Any, int, int], Int64] = no_stage
    add_bias: Callable[[Int64, ArrayLike, Any], Any] | None = None
    quantize_bias: Callable[[ArrayLike, Any, Any], Int64] = bias_half_even
    accumulator: Literal["exact", "wrap", "pair16"] = "wrap"
    pairs_apart: Callable[[int], int] = pairs_together
    pairs_int8: bool = False
    weight_qmin: int = -128
    weight_zero_point: Literal["honoured", "per_tensor", "uint8", "zero"] = "honoured"
    zero_points: bool = True
    code_types: tuple[str, ...] = ("int8", "uint8")
    rescale_types: tuple[str, ...] = ()
    quantize_types: tuple[str, ...] = ("int8", "uint8")
    code_pairs: tuple[tuple[str, str], ...] = ()
    wide_zero_points: bool = True
    activation_types: tuple[str, ...] = ()
    multipliers: tuple[int, int, int] = (0, 2**31 - 1, 1)
    max_multiplier: float = 2.0**30
    activation_bounds: Callable[[str, QuantParams], tuple[int, int]] = clamp_codes
    quantize_codes: Callable[[ArrayLike, QuantParams], Codes] | None = None
    dequantize_codes: Callable[[Codes, QuantParams], NDArray[np.float32]] | None = None
    activation_codes: Callable[[str, Codes, QuantParams, QuantParams], Codes] | None = None
    softmax_codes: Callable[[Codes, QuantParams, QuantParams, float], Codes] | None = None
    requantize_codes: Callable[[Codes, QuantParams, QuantParams], Codes] | None = None
    dynamic: DynamicRule | None = None
    wide_stages: tuple[WideStage, ...] = ()
    whole_layer: Callable[..., Int64] | None = None
    restriction: str = ""
    conversion: str = "integer arithmetic: nothing to convert"

    @property
    def has_layers(self) -> bool:
        """Whether the engine has a linear layer of codes, rather than quantize and dequantize alone."""
        return self.output_stage is not no_stage

    @property
    def takes_real_bias(self) -> bool:
        """Whether the layer's bias is a real number to the engine, rather than int32 codes of scale sx sw."""
        return self.add_bias is not None or self.whole_layer is not None

    @property
    def runs_dynamic_graphs(self) -> bool:
        """Whether DynamicQuantizeLinear and MatMulInteger are operators of the engine, each of its own."""
        return self.dynamic is not None and self.dynamic.steps_apart

    def wide_stage(self, bias: str | None, inputs: str = "int16", weights: str = "int8") -> WideStage | None:
        """How codes of these types are taken to int16 beside a bias of a type (None: no bias); None if they are not.

        An engine without a kernel for int4 weights is given them as int8: the codes are the same.
        """
        taken = [stage for stage in self.wide_stages if bias in (None, stage.bias) and stage.inputs == inputs]
        types = (weights, "int8") if weights == "int4" else (weights,)
        return next((stage for name in types for stage in taken if name in stage.weights), None)
