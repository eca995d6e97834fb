"""An honest linear layer in parts, under any profile: what a mutant replaces one part of.

Legend: call one layer's operands; x (B, K) and w (K, N) codes less their zero points, int64; acc (B, N) sums of
products without the bias; steps accumulators in output steps, before the zero point zy; low, high the bounds of the
output codes; sw scales of the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes, Float64, Int64
from npquant.kernels.linear import accumulate_pair16
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import wrap_int32
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """The operands of one call, and the profile that it is made under."""

    x_q: Codes
    w_q: Codes
    bias: NDArray[Any] | None
    x: QuantParams
    w: QuantParams
    y: QuantParams
    activation: str
    profile: Profile

    @property
    def zx(self) -> int:
        """The input's zero point."""
        return int(self.x.zero_point)

    @property
    def zw(self) -> Int64:
        """The weights' zero points, () or (N,); an engine that ignores those of channels sees 0."""
        ignored = self.profile.weight_zero_point == "per_tensor" and self.w.per_channel
        return np.asarray(0 if ignored else self.w.zero_point, np.int64)

    @property
    def zy(self) -> int:
        """The output's zero point."""
        return int(self.y.zero_point)

    @property
    def depth(self) -> int:
        """K."""
        return int(self.w_q.shape[0])

    @property
    def outputs(self) -> int:
        """N."""
        return int(self.w_q.shape[1])

    @property
    def bounds(self) -> tuple[int, int]:
        """The output interval that the fused activation leaves open, by the profile's own rule."""
        name = "identity" if self.activation == "none" else self.activation
        return self.profile.activation_bounds(name, self.y)


def centred_x(call: Call) -> Int64:
    """Return x_q - zx, int64 (B, K)."""
    return np.asarray(call.x_q.astype(np.int64) - call.zx)


def centred_w(call: Call) -> Int64:
    """Return w_q - zw, int64 (K, N)."""
    return np.asarray(call.w_q.astype(np.int64) - call.zw)


def bias_codes(call: Call) -> Int64:
    """Return the bias as int64 (N,); zeros where there is none."""
    if call.bias is None:
        return np.zeros(call.outputs, np.int64)
    return np.broadcast_to(np.asarray(call.bias, np.int64), (call.outputs,))


def sums(call: Call, x: Int64 | None = None, w: Int64 | None = None) -> Int64:
    """Return the sums of products: exact, or in saturating pairs where the profile's machine has these and nothing is
    replaced.
    """
    unsigned = call.x_q.dtype == np.uint8
    pairs = call.profile.accumulator == "pair16" and call.w_q.dtype == np.int8
    if pairs and (unsigned or call.profile.pairs_int8) and x is None and w is None:
        up, apart = 0 if unsigned else 128, call.profile.pairs_apart(call.depth)
        raised = (call.x_q.astype(np.int16) + up).astype(np.uint8)
        return accumulate_pair16(raised, call.w_q, 0, call.zx + up, call.zw, apart)  # type: ignore[arg-type]
    return product(centred_x(call) if x is None else x, centred_w(call) if w is None else w)


def product(x: Int64, w: Int64) -> Int64:
    """Return x @ w exactly: by float64 BLAS where no partial sum can leave 53 bits, which is several times as fast."""
    if not x.size or not w.size:
        return np.asarray(x @ w)
    largest = int(np.abs(x).max()) * int(np.abs(w).max()) * x.shape[1]
    if largest >= 2**53:
        return np.asarray(x @ w)
    return np.asarray((x.astype(np.float64) @ w.astype(np.float64)).astype(np.int64))


def multiplier_of(call: Call, sw: ArrayLike | None = None) -> Any:
    """Return the multiplier in the profile's own form, of the layer's weight scales or of others."""
    return call.profile.make_multiplier(call.x.scale, call.w.scale if sw is None else sw, call.y.scale)


def finish(
    call: Call,
    acc: Int64,
    *,
    bias: Int64 | None = None,
    multiplier: Any = None,
    zy: int | None = None,
    bounds: tuple[int, int] | None = None,
) -> Codes:
    """Take sums to output codes as the profile does; what is given replaces the layer's own bias, multiplier, zy,
    bounds."""
    profile = call.profile
    codes = bias_codes(call) if bias is None else bias
    made = multiplier_of(call) if multiplier is None else multiplier
    low, high = call.bounds if bounds is None else bounds
    zero = call.zy if zy is None else zy
    if profile.whole_layer is not None and profile.add_bias is None and multiplier is None:
        return _of_whole_layer(call, acc, codes, zero, (low, high))
    if profile.add_bias is None:
        staged: Any = wrap_int32(acc + codes)
    else:
        scale = np.asarray(call.x.scale, np.float64) * np.asarray(call.w.scale, np.float64)
        staged = profile.add_bias(wrap_int32(acc), (codes * scale).astype(np.float32), made)
    return np.asarray(profile.output_stage(staged, made, zero, low, high))


def _of_whole_layer(call: Call, acc: Int64, codes: Int64, zero: int, bounds: tuple[int, int]) -> Codes:
    """Return the codes of an engine that sees its layer whole, whose sums are acc: where they are not the layer's own,
    further inputs make up what is lacking, by weights whose columns sum to 0."""
    x: Any = call.x_q
    w: Any = call.w_q
    lacking = wrap_int32(acc - product(centred_x(call), centred_w(call)))
    if lacking.any():
        one = np.eye(call.outputs, dtype=np.int64)
        x = np.concatenate([x, lacking + call.zx, np.full_like(lacking, call.zx)], axis=1)
        w = np.concatenate([w, one, -one])
    scale = np.asarray(call.x.scale, np.float64) * np.asarray(call.w.scale, np.float64)
    y = replace(call.y, zero_point=zero, qmin=min(zero, call.y.qmin), qmax=max(zero, call.y.qmax))
    whole: Any = call.profile.whole_layer
    return np.asarray(whole(x, w, (codes * scale).astype(np.float32), call.x, call.w, y, call.activation, bounds))


def answer(call: Call, x: Int64 | None = None, w: Int64 | None = None) -> Codes:
    """Return the codes of the layer, of other centred operands where these are given."""
    return as_output(call, finish(call, sums(call, x, w)))


def as_output(call: Call, codes: NDArray[Any]) -> Codes:
    """Return codes in the output's type, wrapped if they leave it, as a store to memory would."""
    return np.asarray(codes).astype(np.int64).astype(call.y.dtype)


def real_multiplier(call: Call) -> Float64:
    """Return M = sx sw / sy in float64, () or (N,)."""
    scale = np.asarray(call.x.scale, np.float64) * np.asarray(call.w.scale, np.float64)
    return np.asarray(scale / np.float64(call.y.scale))


def real_steps(call: Call) -> Float64:
    """Return (acc + bias) M in float64: exact where M is a power of two."""
    return np.asarray((sums(call) + bias_codes(call)) * real_multiplier(call))


def placed(call: Call, steps: NDArray[Any]) -> Codes:
    """Add the zero point to whole steps and saturate."""
    low, high = call.bounds
    return as_output(call, np.clip(np.asarray(steps) + call.zy, low, high))


def as_function(mutant: Callable[[Call], Any], profile: Profile) -> Callable[..., Any]:
    """Return a mutant under a profile as a function with the signature of `from_callable`'s f."""

    def function(
        x_q: Any, w_q: Any, bias: Any, *, x: QuantParams, w: QuantParams, y: QuantParams, activation: str = "none"
    ) -> Any:
        if x_q.shape[1] != w_q.shape[0]:
            raise ValueError(f"x_q has {x_q.shape[1]} columns and w_q {w_q.shape[0]} rows")
        return mutant(Call(x_q, w_q, bias, x, w, y, activation, profile))

    return function
