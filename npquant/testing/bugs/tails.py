"""Bugs of shapes that are no multiple of a vector: tails of K, rows and outputs that are dropped, repeated or overread.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N); lane the
width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.testing.bugs.honest import Call, answer, as_output, centred_w, centred_x, finish, product, sums
from npquant.testing.bugs.rounding import floors


def depth_tail_dropped(lane: int, above: int = 0) -> Callable[[Call], Codes]:
    """Return a mutant that leaves out the last K mod `lane` products, where K is larger than `above`."""

    def mutant(call: Call) -> Codes:
        kept = call.depth // lane * lane if call.depth > above else call.depth
        return as_output(call, finish(call, product(centred_x(call)[:, :kept], centred_w(call)[:kept])))

    return mutant


def depth_tail_counted_twice(lane: int) -> Callable[[Call], Codes]:
    """Return a mutant whose last vector overlaps the one before it, and adds the overlap again."""

    def mutant(call: Call) -> Codes:
        x, w = centred_x(call), centred_w(call)
        rest = call.depth % lane
        if call.depth < lane or not rest:
            return answer(call)
        again = slice(call.depth - lane, call.depth - rest)
        return as_output(call, finish(call, product(x, w) + product(x[:, again], w[again])))

    return mutant


def padding_counts_as_codes(lane: int) -> Callable[[Call], Codes]:
    """Return a mutant that pads K with zero bytes, not with zero points: each pad adds zx zw."""

    def mutant(call: Call) -> Codes:
        pad = -call.depth % lane
        return as_output(call, finish(call, sums(call) + pad * call.zx * call.zw))

    return mutant


def padded_inputs_meet_garbage_weights(lane: int) -> Callable[[Call], Codes]:
    """Return a mutant that pads the input with zero bytes and the weights with ones: each pad adds -zx (1 - zw)."""

    def mutant(call: Call) -> Codes:
        pad = -call.depth % lane
        return as_output(call, finish(call, sums(call) - pad * call.zx * (1 - call.zw)))

    return mutant


def last_input_is_skipped(call: Call) -> Codes:
    """The loop over K ends one early."""
    kept = max(call.depth - 1, 0)
    return as_output(call, finish(call, product(centred_x(call)[:, :kept], centred_w(call)[:kept])))


def first_input_is_skipped(call: Call) -> Codes:
    """The loop over K starts at 1."""
    return as_output(call, finish(call, product(centred_x(call)[:, 1:], centred_w(call)[1:])))


def first_input_is_read_once_more(call: Call) -> Codes:
    """The loop over K runs one too far, into the next row."""
    x, w = centred_x(call), centred_w(call)
    if not call.depth or not call.outputs:
        return answer(call)
    following = np.roll(x, -1, axis=0)[:, :1] * np.roll(w, -1, axis=1)[:1]
    return as_output(call, finish(call, product(x, w) + following))


def _rows_replaced(call: Call, rows: slice, by: Int64) -> Codes:
    acc = np.array(sums(call))
    acc[rows] = by
    return as_output(call, finish(call, acc))


def odd_last_row_is_skipped(call: Call) -> Codes:
    """Rows are done in pairs; a last single row keeps the bias alone."""
    rest = len(call.x_q) % 2
    return _rows_replaced(call, slice(len(call.x_q) - rest, None), np.int64(0))  # type: ignore[arg-type]


def last_rows_of_four_are_skipped(call: Call) -> Codes:
    """Rows are done in fours beyond the first four."""
    count = len(call.x_q)
    kept = count // 4 * 4 if count > 4 else count
    return _rows_replaced(call, slice(kept, None), np.int64(0))  # type: ignore[arg-type]


def last_row_repeats_the_one_before(call: Call) -> Codes:
    """The row pointer is not advanced for an odd last row."""
    codes = np.array(answer(call))
    if len(codes) > 1 and len(codes) % 2:
        codes[-1] = codes[-2]
    return codes


def outputs_beyond_a_vector_repeat_the_first(lane: int) -> Callable[[Call], Codes]:
    """Return a mutant whose outputs in the tail of N restart at output 0 of the vector."""

    def mutant(call: Call) -> Codes:
        codes = np.array(answer(call))
        rest = call.outputs % lane
        if call.outputs > lane and rest:
            codes[:, -rest:] = codes[:, :rest]
        return codes

    return mutant


def narrow_output_reads_its_neighbour(call: Call) -> Codes:
    """A path for fewer than four outputs takes the next output's weights for the last."""
    if not 1 < call.outputs < 4:
        return answer(call)
    w = centred_w(call).copy()
    w[:, -1] = w[:, -2]
    return answer(call, w=w)


def last_output_uses_the_bias_before(call: Call) -> Codes:
    """The last column of an odd N takes the bias of its neighbour."""
    codes = np.array(answer(call))
    if call.bias is not None and call.outputs > 1 and call.outputs % 2:
        bias = np.array(np.broadcast_to(np.asarray(call.bias, np.int64), (call.outputs,)))
        bias[-1] = bias[-2]
        codes[:, -1] = as_output(call, finish(call, sums(call), bias=bias))[:, -1]
    return codes


def body_truncates_and_tail_rounds(call: Call) -> Codes:
    """Whole vectors of eight outputs are floored, the tail is rounded as it should be."""
    codes = np.array(answer(call))
    body = call.outputs // 8 * 8
    codes[:, :body] = floors(call)[:, :body]
    return codes


def only_one_block_of_depth_is_done(call: Call) -> Codes:
    """The loop over blocks of 64 inputs runs once."""
    return as_output(call, finish(call, product(centred_x(call)[:, :64], centred_w(call)[:64])))
