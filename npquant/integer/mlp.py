"""The integer-only network: codes in, codes out, integer accumulators in between, and a proof that they hold.

Legend: B batch, K inputs, C outputs; x real inputs, x_q input codes, y_q output codes. npquant's own networks have int8
codes and int32 accumulators, or int16 codes and int64 ones; those of other people's files uint8 codes as well, and
perhaps no output quantization.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes, Float32, Float64, Int64
from npquant.integer.accumulator import accumulator_width, check_accumulator
from npquant.integer.encode import decode_outputs, encode_inputs
from npquant.integer.fast_form import FastForm, lay_out
from npquant.integer.fast_npquant import run_prepared
from npquant.integer.fast_profiles import run_for_profile
from npquant.integer.layer import IntegerLayer, real_outputs, run_layer_plain
from npquant.integer.network_checks import (
    check_codes,
    check_input,
    check_neighbours,
    checked_end,
    equal_ends,
    has_own_ends,
)
from npquant.kernels.affine import dequantize
from npquant.kernels.linear import accumulate
from npquant.kernels.qparams import QuantParams
from npquant.nn.classes import largest_output
from npquant.nn.layer_lines import layer_lines
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True, eq=False)
class IntegerMLP:
    """Hold an integer-only multilayer perceptron.

    Parameters
    ----------
    layers : tuple of IntegerLayer
        In order; each reads what the one before it writes.
    input_params : QuantParams
        Quantization of the real inputs: that of layers[0].x, or one scale a feature, already folded into layer 0.
    input_offset : ndarray of float64, shape (K,), optional
        Subtracted from real inputs before they are quantized; already folded into layer 0's bias.
    profile : Profile
        The arithmetic of the requantization.
    output_offset, output_factor : ndarray of float64, shape (C,), optional
        Real outputs are the dequantized ones times output_factor plus output_offset, both already folded into the last
        layer: for real values far from 0, or of different sizes.

    Raises
    ------
    ValueError
        If there is no layer, or neighbours do not agree.
    OverflowError
        C7: an accumulator could leave its type; the message names layer and neuron.

    Notes
    -----
    R9 to R12, layer by layer. `run` takes a fast form where one is exact; `run_plain` is the definition, and gives the
    same codes.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "identity")
    >>> net = IntegerMLP((layer,), p)
    >>> net.run(np.array([[3, -4]], np.int8)), net.logits([[1.5, -2.0]]), net.accumulator_bits
    (array([[-21]], dtype=int8), array([[-10.5]], dtype=float32), (13,))
    """

    layers: tuple[IntegerLayer, ...]
    input_params: QuantParams
    input_offset: Float64 | None = None
    profile: Profile = NPQUANT
    output_offset: Float64 | None = None
    output_factor: Float64 | None = None
    accumulator_bits: tuple[int, ...] = field(init=False)
    # What the fast form multiplies with, laid out at the first use: to read a file asks for none of it.
    _fast: FastForm | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        check_neighbours(self.layers)
        check_input(self.layers[0], self.input_params)
        sizes = {"input_offset": self.n_inputs, "output_offset": self.neurons[-1], "output_factor": self.neurons[-1]}
        for name, size in sizes.items():
            object.__setattr__(self, name, checked_end(getattr(self, name), size, name))
        bits = tuple(check_accumulator(layer, i, self.profile) for i, layer in enumerate(self.layers))
        object.__setattr__(self, "accumulator_bits", bits)
        object.__setattr__(self, "_fast", None)

    def __str__(self) -> str:
        ends = [(*layer.shape, layer.activation) for layer in self.layers]
        names = ("weight bits", "output bits", "scale", "accumulator", "MACs")
        columns = [
            (layer.weight_bits, *_written(layer.y), bits, layer.w_q.size)
            for layer, bits in zip(self.layers, self.accumulator_bits, strict=True)
        ]
        return layer_lines(f"IntegerMLP under {self.profile.name}", ends, names, columns)

    def __repr__(self) -> str:
        return f"<IntegerMLP {'-'.join(map(str, (self.n_inputs, *self.neurons)))}, profile {self.profile.name}>"

    def _fast_form(self) -> FastForm:
        """Lay the layers out for the fast form, once; ((), ()) where there is none."""
        if self._fast is None:
            object.__setattr__(self, "_fast", lay_out(self.layers, self.profile))
        return self._fast or ((), ())

    @property
    def n_inputs(self) -> int:
        """K of layer 0."""
        return self.layers[0].shape[0]

    @property
    def neurons(self) -> tuple[int, ...]:
        """Outputs of each layer."""
        return tuple(layer.shape[1] for layer in self.layers)

    @property
    def inputs_kind(self) -> str:
        """How inputs are quantized: "by_feature", a scale for each; "exact", whole numbers as they are; "one_scale"."""
        if np.ndim(self.input_params.scale):
            return "by_feature"
        return "exact" if float(self.input_params.scale) == 1.0 and self.input_offset is None else "one_scale"

    @property
    def output_params(self) -> QuantParams | None:
        """Quantization of the logits; None where the outputs are the last layer's accumulators."""
        return self.layers[-1].y

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one row by the layers' shapes; `executed_macs` counts without skipped zeros."""
        return sum(k * n for k, n in (layer.shape for layer in self.layers))

    @property
    def kernels(self) -> tuple[str, ...]:
        """Product that `run` uses for each layer: "dense", "sparse", or "plain" where no fast form is exact."""
        prepared, profiled = self._fast_form()
        if prepared:
            return tuple(part.kernel for part in prepared)
        return ("dense" if profiled else "plain",) * len(self.layers)

    @property
    def executed_macs(self) -> int:
        """Multiply-accumulates of one row that `run` carries out: nonzero w_q - zw in a sparse layer, K N in others."""
        return sum(
            int(np.count_nonzero(layer.centred_weights)) if kernel == "sparse" else layer.w_q.size
            for layer, kernel in zip(self.layers, self.kernels, strict=True)
        )

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of each layer's weights asked for and stored, a side a neuron (W5); ternary counts 2."""
        return tuple(layer.weight_bits for layer in self.layers)

    @property
    def headroom_bits(self) -> tuple[int, ...]:
        """Bits of its type that each layer's accumulators never use."""
        pairs = zip(self.layers, self.accumulator_bits, strict=True)
        return tuple(accumulator_width(layer) - bits for layer, bits in pairs)

    def encode(self, x: ArrayLike) -> NDArray[Any]:
        """Quantize real inputs.

        Parameters
        ----------
        x : array of float or integer, shape (B, K)
            Real values, finite; values outside the calibrated range saturate.

        Returns
        -------
        ndarray of input_params.dtype, shape (B, K)
            R1 of x - input_offset under input_params; another profile's own quantize of it in float32, where its engine
            has one for these codes and input_params has one scale.

        Raises
        ------
        ValueError
            If x is not finite, or not of shape (B, K).

        Examples
        --------
        See the class.
        """
        return encode_inputs(x, self.n_inputs, self.input_params, self.input_offset, self.profile)

    def run(self, x_q: Codes) -> NDArray[Any]:
        """Take input codes to output codes, in integers only.

        Parameters
        ----------
        x_q : ndarray of input_params.dtype, shape (B, K)
            Codes in [input_params.qmin, input_params.qmax]; B may be 0.

        Returns
        -------
        ndarray of output_params.dtype, shape (B, C)
            Codes of the logits, under output_params; where there are none, the last layer's accumulators, int32 or
            int64 as its bias.

        Raises
        ------
        TypeError
            If x_q is not of that dtype.
        ValueError
            If the shape is not (B, K), or a code is out of range.

        Notes
        -----
        R9 to R12, by the fast form; equal to `run_plain`, bit for bit. The line that rounds an accumulator, and the
        proof that it is R10, stand in `npquant.integer.proven_requantize`.

        Examples
        --------
        See the class.
        """
        check_codes(x_q, self.n_inputs, self.input_params)
        prepared, profiled = self._fast_form()
        if prepared:
            return run_prepared(prepared, x_q)
        return run_for_profile(profiled, x_q, self.profile) if profiled else self.run_plain(x_q)

    def run_plain(self, x_q: Codes) -> NDArray[Any]:
        """Take input codes to output codes by the definition, one kernel a layer.

        Parameters
        ----------
        x_q : ndarray of input_params.dtype, shape (B, K)
            As for `run`, and with its errors.

        Returns
        -------
        ndarray of output_params.dtype, shape (B, C)
            R9 to R12; a profile's own output stage in place of R10.

        Raises
        ------
        ValueError
            If the profile's engine refuses a layer.

        Examples
        --------
        >>> p = QuantParams(0.5, 0, -128, 127)
        >>> layer = IntegerLayer(np.array([[-5]], np.int8), np.array([0], np.int32), p, p, p, "identity")
        >>> IntegerMLP((layer,), p).run_plain(np.array([[1]], np.int8))
        array([[-2]], dtype=int8)
        """
        check_codes(x_q, self.n_inputs, self.input_params)
        codes = x_q
        for layer in self.layers:
            codes = run_layer_plain(layer, codes, self.profile)
        return codes

    def accumulators(self, x_q: Codes) -> tuple[NDArray[np.integer[Any]], ...]:
        """Return the accumulators of every layer, for teaching and for checking bounds.

        Parameters
        ----------
        x_q : ndarray of input_params.dtype, shape (B, K)
            Input codes.

        Returns
        -------
        tuple of ndarray of int32 or int64, shape (B, N)
            R9, one array a layer, of its bias's type.

        Examples
        --------
        >>> p = QuantParams(0.5, 0, -128, 127)
        >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "identity")
        >>> IntegerMLP((layer,), p).accumulators(np.array([[3, -4]], np.int8))
        (array([[-43]], dtype=int32),)
        """
        check_codes(x_q, self.n_inputs, self.input_params)
        sums, codes = [], x_q
        for layer in self.layers:
            acc = accumulate(codes, layer.w_q, layer.bias, layer.x.zero_point, layer.w.zero_point)
            sums.append(acc.astype(layer.bias.dtype))  # in range by C7
            codes = run_layer_plain(layer, codes, self.profile)
        return tuple(sums)

    def logits(self, x: ArrayLike) -> Float32:
        """Compute real-valued logits of real-valued inputs.

        Parameters
        ----------
        x : array of float or integer, shape (B, K)
            As for `encode`, and with its errors.

        Returns
        -------
        ndarray of float32, shape (B, C)
            R2 of `run` of `encode`, under output_params; R61 of the accumulators where there are none. Behind either,
            in float64, times output_factor plus output_offset.

        Examples
        --------
        See the class.
        """
        return self.decode(self.run(self.encode(x)))

    def decode(self, y_q: Codes) -> Float32:
        """Compute the real values that output codes stand for.

        Parameters
        ----------
        y_q : ndarray of output_params.dtype, shape (B, C)
            What `run` returns.

        Returns
        -------
        ndarray of float32, shape (B, C)
            As for `logits`.

        Examples
        --------
        >>> p = QuantParams(0.5, 0, -128, 127)
        >>> layer = IntegerLayer(np.array([[2]], np.int8), np.zeros(1, np.int32), p, p, p, "identity")
        >>> IntegerMLP((layer,), p, output_offset=[1000.0]).decode(np.array([[3]], np.int8))
        array([[1001.5]], dtype=float32)
        """
        last = self.layers[-1]
        real = real_outputs(last, y_q) if last.y is None else dequantize(y_q, last.y)
        return decode_outputs(real, self.output_factor, self.output_offset)

    def predict(self, x: ArrayLike) -> Int64:
        """Classify real-valued inputs.

        Parameters
        ----------
        x : array of float or integer, shape (B, K)
            As for `encode`, and with its errors.

        Returns
        -------
        ndarray of int64, shape (B,)
            The class of the largest output code, the lowest index on ties; of the largest logit where outputs have
            scales or offsets of their own.

        Raises
        ------
        ValueError
            As `encode`; also of a network with one output, which may be a regression's value or a binary logit.

        Examples
        --------
        >>> p = QuantParams(0.5, 0, -128, 127)
        >>> layer = IntegerLayer(np.array([[2, 4]], np.int8), np.zeros(2, np.int32), p, p, p, "identity")
        >>> IntegerMLP((layer,), p).predict([[1.5], [-1.5], [0]])
        array([1, 0, 0])
        """
        if self.output_params is None or has_own_ends(self.output_offset, self.output_factor):
            # A scale or an offset an output has another order than the codes.
            return largest_output(self.logits(x))
        return largest_output(self.run(self.encode(x)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntegerMLP):
            return NotImplemented
        mine, theirs = ((m.input_offset, m.output_offset, m.output_factor) for m in (self, other))
        return (
            self.layers == other.layers
            and self.input_params == other.input_params
            and equal_ends(mine, theirs)
            and self.profile.name == other.profile.name
        )

    __hash__ = None  # type: ignore[assignment]


def _written(y: QuantParams | None) -> tuple[object, object]:
    """Bits and scale of what a layer writes; dashes where it writes its accumulators."""
    if y is None:
        return "-", "-"
    return int(y.qmax - y.qmin).bit_length(), f"{float(y.scale):.3g}"
