"""The fast form of a network under npquant's own arithmetic (R6): float products and a proven float requantization.

Legend: B batch, K inputs, N outputs; x_q (B, K) 8-bit codes, centred (K, N) int16 = w_q - zw, raw = sum_k x_q centred,
acc = raw + constant, constant (N,) int64 = bias - zx sum_k centred; layer an IntegerLayer, kernel "dense" or "sparse".
Everything that float arithmetic touches is an integer small enough to be exact (C6), or is checked against int64 when
the layer is prepared: `proven_requantize` holds the line that rounds, and the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Float32, Int16, Int64, Real
from npquant.integer.accumulator import largest_sum
from npquant.integer.layer import IntegerLayer
from npquant.integer.proven_requantize import formula_is_exact, requantize_proven
from npquant.integer.sparse_product import choose_kernel, compress_weights, multiply_compressed
from npquant.kernels.exact import exact_depth, sums_are_exact
from npquant.kernels.multiplier import FixedMultiplier, layer_multiplier
from npquant.kernels.output_stages import stage_single_rounding

if TYPE_CHECKING:
    from scipy.sparse import csr_array


# Rows taken through all layers at a time, so that a block of activations stays in the second-level cache.
BLOCK_ROWS = 512
# Numbers that the passes of one requantization work on at a time: 256 kB of float64.
PART_ELEMENTS = 2**15

# The first k of a block, and its rows of the centred weights.
Blocks = tuple[tuple[int, Float32], ...]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedLayer:
    """Hold what the fast form of one layer multiplies with; made by `prepare_layer`."""

    blocks: Blocks  # C6 holds in each; empty where the product is sparse
    # (rows, N), code = clip(floor(raw scale + offset)), None where that formula failed its check. The same in every
    # row: repeated so that a pass over several rows is one long loop.
    scale: Real | None
    offset: Real | None
    constant: Int64
    fixed: FixedMultiplier  # m and e of R5
    zero_point: int  # of the target
    low: int  # codes of the target that the activation leaves open (R11)
    high: int
    table: Float32 | None  # R12 as floats, from the target's least code on
    start: int  # that code
    dtype: np.dtype[np.integer[Any]]  # of the output codes
    compressed: csr_array | None = None  # (N, K), the nonzero centred weights, where the product is sparse

    @property
    def kernel(self) -> str:
        """Which product runs: "dense" or "sparse"."""
        return "dense" if self.compressed is None else "sparse"


def has_fast_form(layer: IntegerLayer) -> bool:
    """Whether `prepare_layer` takes a layer: codes of 8 bits in and out, accumulators that are requantized."""
    return layer.y is not None and max(p.dtype.itemsize for p in (layer.x, layer.target, layer.y)) == 1


def prepare_layer(layer: IntegerLayer, kernel: str | None = None) -> PreparedLayer:
    """R6, R9, R10. Lay a layer out, with the narrowest float formula that passes `formula_is_exact`, or none.

    kernel is by default that of `choose_kernel`. float32 is tried first: it is enough for few bits; float64 nearly
    always is.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> prepare_layer(layer).offset[0]
    array([4.], dtype=float32)
    """
    centred = layer.centred_weights
    constant = layer.bias.astype(np.int64) - int(layer.x.zero_point) * centred.sum(axis=0, dtype=np.int64)
    largest_code = max(abs(layer.x.qmin), abs(layer.x.qmax))
    sparse = (kernel or choose_kernel(centred)) == "sparse"
    compressed = compress_weights(centred, largest_code) if sparse else None
    blocks = () if sparse else _exact_blocks(centred, largest_code)
    in_float32 = compressed.dtype == np.float32 if compressed is not None else len(blocks) == 1
    fixed = layer_multiplier(layer.x, layer.w, layer.target)
    scale, offset = _proven_formula(layer, constant, fixed, in_float32)
    entries, target = layer.code_table, layer.target
    table = None if entries is None else entries.astype(np.float32)
    zero_point, (low, high) = int(target.zero_point), layer.code_range
    return PreparedLayer(
        blocks,
        scale,
        offset,
        constant,
        fixed,
        zero_point,
        low,
        high,
        table,
        target.qmin,
        layer.output.dtype,
        compressed,
    )


def _exact_blocks(centred: Int16, largest_code: int) -> Blocks:
    """Cut the weights along K so that no partial sum of a block leaves float32's exact integers (C6)."""
    weights = centred.astype(np.float32)
    if sums_are_exact(largest_sum(centred, largest_code)):
        return ((0, weights),)
    depth = exact_depth(largest_code * int(np.abs(centred).max()))
    return tuple((k, weights[k : k + depth]) for k in range(0, len(weights), depth))


def _proven_formula(
    layer: IntegerLayer, constant: Int64, fixed: FixedMultiplier, in_float32: bool
) -> tuple[Real | None, Real | None]:
    """Return scale and offset of the narrowest formula that is R10, repeated over rows; None, None if there is none."""
    real = np.broadcast_to(np.asarray(fixed.real, np.float64), constant.shape)
    start = constant * real + (0.5 + int(layer.target.zero_point))
    for dtype in ("float32", "float64") if in_float32 else ("float64",):
        scale, offset = real.astype(dtype), start.astype(dtype)
        if formula_is_exact(scale, offset, constant, layer):
            rows = max(1, PART_ELEMENTS // len(constant))
            return np.repeat(scale[np.newaxis], rows, axis=0), np.repeat(offset[np.newaxis], rows, axis=0)
    return None, None


def run_prepared(layers: tuple[PreparedLayer, ...], x_q: Codes) -> Codes:
    """R9 to R12. Take codes (B, K) through prepared layers to codes (B, N), in blocks of rows.

    Between layers the codes stay in float32, where they are exact.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> run_prepared((prepare_layer(layer),), np.array([[4, -4], [4, 4]], np.int8))
    array([[ 0],
           [64]], dtype=int8)
    """
    y_q: Codes = np.empty((len(x_q), len(layers[-1].constant)), layers[-1].dtype)
    for row in range(0, len(x_q), BLOCK_ROWS):
        part = x_q[row : row + BLOCK_ROWS]
        if layers[0].compressed is not None:
            part = np.asfortranarray(part)  # one byte a code to transpose, not four
        codes = part.astype(np.float32)
        for layer in layers:
            sparse = layer.compressed
            codes = _run_dense(layer, codes) if sparse is None else _run_sparse(layer, sparse, codes)
        y_q[row : row + BLOCK_ROWS] = codes
    return y_q


def _run_dense(layer: PreparedLayer, codes: Float32) -> Float32:
    raw: NDArray[Any] = codes @ layer.blocks[0][1] if len(layer.blocks) == 1 else _raw_sums(layer.blocks, codes)
    if layer.scale is None or layer.offset is None:
        out = _codes_by_int64(layer, raw)
    else:
        out = np.empty(raw.shape, np.float32) if len(layer.blocks) > 1 else raw
        real = np.empty((min(len(raw), len(layer.scale)), raw.shape[1]), layer.scale.dtype)
        for row in range(0, len(raw), len(real)):
            part = out[row : row + len(real)]
            rows = len(part)
            requantize_proven(raw[row : row + rows], layer.scale[:rows], layer.offset[:rows], real[:rows], part)
            part.clip(layer.low, layer.high, out=part)
    return out if layer.table is None else layer.table[out.astype(np.intp) - layer.start]


def _run_sparse(layer: PreparedLayer, compressed: csr_array, codes: Float32) -> Float32:
    """Run with one example a column: results lie transposed, which the next layer's product takes as they are."""
    raw = multiply_compressed(compressed, np.ascontiguousarray(codes.T))
    if layer.scale is None or layer.offset is None:
        out = _codes_by_int64(layer, raw.T).T
    else:
        out = np.empty(raw.shape, np.float32) if raw.dtype != np.float32 else raw
        neurons = max(1, min(len(raw), PART_ELEMENTS // max(1, raw.shape[1])))
        real = np.empty((neurons, raw.shape[1]), layer.scale.dtype)
        for n in range(0, len(raw), neurons):
            part = slice(n, min(n + neurons, len(raw)))
            scale, offset = layer.scale[0, part, np.newaxis], layer.offset[0, part, np.newaxis]
            requantize_proven(raw[part], scale, offset, real[: len(scale)], out[part])
            out[part].clip(layer.low, layer.high, out=out[part])
    return (out if layer.table is None else layer.table[out.astype(np.intp) - layer.start]).T


def _codes_by_int64(layer: PreparedLayer, raw: NDArray[Any]) -> Float32:
    """Requantize (B, N) sums where no float formula passed its check."""
    acc = raw.astype(np.int64) + layer.constant
    return stage_single_rounding(acc, layer.fixed, layer.zero_point, layer.low, layer.high).astype(np.float32)


def _raw_sums(blocks: Blocks, codes: Float32) -> NDArray[np.float64]:
    """Add up exact float32 products of blocks in float64: exact below 2^53."""
    raw = np.zeros((len(codes), blocks[0][1].shape[1]))
    for k, weights in blocks:
        raw += codes[:, k : k + len(weights)] @ weights
    return raw
