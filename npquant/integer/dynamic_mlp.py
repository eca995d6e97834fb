"""The dynamically quantized network: integer products, and scales that its inputs choose (D1 to D4).

Legend: B batch, K inputs and C outputs of the network; x (B, K) real inputs, N outputs of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Float64, Int32, Int64, Real
from npquant.integer.dynamic_layer import GRANULARITIES, DynamicLayer, dynamic_sums, run_dynamic_layer
from npquant.kernels.floating import to_float64
from npquant.nn.classes import largest_output
from npquant.nn.layer_lines import layer_lines
from npquant.profiles.dynamic import dynamic_rule
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True, eq=False)
class DynamicMLP:
    """Hold a multilayer perceptron with integer products and scales that its inputs choose.

    Parameters
    ----------
    layers : tuple of DynamicLayer
        In order.
    granularity : {"row", "batch"}
        Whose range decides a scale: each row's own, or that of all rows given together.
    profile : Profile
        The arithmetic from real inputs to real outputs: npquant's own, or that of an engine with a dynamic layer, which
        takes 8 bits and has one granularity.
    variant : str or None
        The engine's own switch: "asymmetric_inputs" of LiteRT's kernels, "reduce_range" of torch; None for none.

    Raises
    ------
    ValueError
        If there is no layer, neighbours do not agree, the granularity is unknown, or the profile does not take it, the
        variant or a layer's weights.

    Notes
    -----
    D1 to D4, layer by layer; under an engine's profile its own codes, sums and outputs in their place, before the
    activation in float32. With "row", a row's logits do not depend on the other rows, bit for bit.

    Examples
    --------
    >>> from npquant.kernels.qparams import QuantParams
    >>> layer = DynamicLayer(np.array([[2], [4]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "identity")
    >>> net = DynamicMLP((layer,))
    >>> net.logits([[0, 255], [255, -255]]).ravel(), net.macs, net.accumulator_bits
    (array([ 511., -257.], dtype=float32), 2, (12,))
    """

    layers: tuple[DynamicLayer, ...]
    granularity: str = "row"
    profile: Profile = NPQUANT
    variant: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("a DynamicMLP needs at least one layer")
        for i, (one, two) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if one.shape[1] != two.shape[0]:
                raise ValueError(f"layer {i} has {one.shape[1]} outputs but layer {i + 1} takes {two.shape[0]}")
        if self.granularity not in GRANULARITIES:
            raise ValueError(f"the granularity is {self.granularity!r}; it must be one of {GRANULARITIES}")
        if self.profile is not NPQUANT:
            self._refuse_engine()
        elif self.variant is not None:
            raise ValueError(f"npquant has no variant {self.variant!r}: it is an engine's switch")

    def _refuse_engine(self) -> None:
        """Refuse what the engine of the profile does not take, by its name."""
        for layer in self.layers:
            rule = dynamic_rule(self.profile, layer.w, layer.shape, self.variant)
            if self.granularity != rule.granularity or layer.x_bits != 8:
                whose = "of each row" if rule.granularity == "row" else "of a whole batch"
                raise ValueError(
                    f"{self.profile.name} makes 8-bit codes {whose}: granularity {rule.granularity!r}, x_bits 8"
                )

    def __str__(self) -> str:
        ends = [(*layer.shape, layer.activation) for layer in self.layers]
        names = ("weight bits", "input bits", "accumulator", "MACs")
        columns = [(layer.weight_bits, layer.x_bits, layer.accumulator_bits, layer.w_q.size) for layer in self.layers]
        under = self.profile.name if self.variant is None else f"{self.profile.name} with {self.variant}"
        return layer_lines(f"DynamicMLP under {under}, scales by {self.granularity}", ends, names, columns)

    def __repr__(self) -> str:
        return f"<DynamicMLP {'-'.join(map(str, (self.n_inputs, *self.neurons)))}, scales by {self.granularity}>"

    @property
    def n_inputs(self) -> int:
        """K of layer 0."""
        return self.layers[0].shape[0]

    @property
    def neurons(self) -> tuple[int, ...]:
        """Outputs of each layer."""
        return tuple(layer.shape[1] for layer in self.layers)

    @property
    def macs(self) -> int:
        """Integer multiply-accumulates of one row."""
        return sum(layer.w_q.size for layer in self.layers)

    @property
    def accumulator_bits(self) -> tuple[int, ...]:
        """Bits of the narrowest integer that holds every accumulator of each layer, whatever the inputs: D3."""
        return tuple(layer.accumulator_bits for layer in self.layers)

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of each layer's weights as they were asked for: a side a neuron (W5); ternary counts 2."""
        return tuple(layer.weight_bits for layer in self.layers)

    def logits(self, x: ArrayLike) -> Float32:
        """Compute real-valued logits of real-valued inputs.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            Finite in float32; B may be 0.

        Returns
        -------
        ndarray of float32, shape (B, C)
            D1 to D4, layer by layer.

        Raises
        ------
        TypeError
            If x does not hold real numbers.
        ValueError
            If x is not of shape (B, K) or holds NaN or infinity, or a value or pre-activation is beyond float32.

        Examples
        --------
        See the class.
        """
        values: Real = self._checked(x)
        for layer in self.layers:
            values = run_dynamic_layer(layer, values, self.granularity, self.profile, self.variant)
        return np.asarray(values, np.float32)

    def predict(self, x: ArrayLike) -> Int64:
        """Classify real-valued inputs.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            As for `logits`, and with its errors.

        Returns
        -------
        ndarray of int64, shape (B,)
            The class with the largest logit, the lowest index on a tie.

        Raises
        ------
        ValueError
            As `logits`; also of a network with one output, which may be a regression's value or a binary logit.

        Examples
        --------
        >>> from npquant.kernels.qparams import QuantParams
        >>> layer = DynamicLayer(np.array([[2, 4]], np.int8), QuantParams(0.5, 0, -128, 127), [0, 0], "identity")
        >>> DynamicMLP((layer,)).predict([[1], [-1], [0]])
        array([1, 0, 0])
        """
        return largest_output(self.logits(x))

    def accumulators(self, x: ArrayLike) -> tuple[Int32, ...]:
        """Compute the accumulators of every layer, for teaching and for checking bounds.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            As for `logits`, and with its errors; B at least 1.

        Returns
        -------
        tuple of ndarray of int32, shape (B, N)
            D3, one array a layer.

        Examples
        --------
        >>> from npquant.kernels.qparams import QuantParams
        >>> layer = DynamicLayer(np.array([[2], [4]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "identity")
        >>> DynamicMLP((layer,)).accumulators([[0, 255]])
        (array([[1020]], dtype=int32),)
        """
        values: Real = self._checked(x)
        sums = []
        for layer in self.layers:
            sums.append(dynamic_sums(layer, values, self.granularity, self.profile, self.variant)[0])
            values = run_dynamic_layer(layer, values, self.granularity, self.profile, self.variant)
        return tuple(sums)

    def _checked(self, x: ArrayLike) -> Float64:
        given = np.asarray(x)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"x has dtype {given.dtype}; it must be real numbers")
        if given.ndim != 2 or given.shape[1] != self.n_inputs:
            raise ValueError(f"x has shape {given.shape}; it must be (B, {self.n_inputs}): one row an example")
        real = to_float64(given)
        if not (np.abs(real) <= np.finfo(np.float32).max).all():
            raise ValueError("x contains NaN, infinity or a value beyond float32: remove or replace it")
        return real

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DynamicMLP):
            return NotImplemented
        mine = (self.granularity, self.profile.name, self.variant)
        return self.layers == other.layers and mine == (other.granularity, other.profile.name, other.variant)

    __hash__ = None  # type: ignore[assignment]
