"""Bugs of sparse paths: what a pruned weight counts as, rows and columns that are all pruned, compressed indices.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes
from npquant.testing.bugs.honest import Call, answer, as_output, centred_w, centred_x, finish, sums


def pruned_weight_counts_as_code_zero(call: Call) -> Codes:
    """A weight equal to its zero point is skipped before it is centred by another zero: it counts as -zw."""
    w = np.where(call.w_q == call.zw, -call.zw, centred_w(call))
    return answer(call, w=w)


def code_zero_counts_as_pruned(call: Call) -> Codes:
    """A weight of code 0 is skipped, although its zero point is another."""
    return answer(call, w=np.where(call.w_q == 0, 0, centred_w(call)))


def pruned_output_gives_the_zero_point(call: Call) -> Codes:
    """An output without weights returns zy, not its bias."""
    codes = np.array(answer(call))
    codes[:, ~np.any(centred_w(call), axis=0)] = call.zy
    return codes


def pruned_output_gives_zero(call: Call) -> Codes:
    """An output without weights returns code 0."""
    codes = np.array(answer(call))
    codes[:, ~np.any(centred_w(call), axis=0)] = 0
    return codes


def pruned_output_repeats_its_neighbour(call: Call) -> Codes:
    """An empty list of indices leaves the register of the output before."""
    codes = np.array(answer(call))
    for n in np.flatnonzero(~np.any(centred_w(call), axis=0)):
        if n:
            codes[:, n] = codes[:, n - 1]
    return codes


def two_of_four_is_assumed(call: Call) -> Codes:
    """Of four neighbouring weights the third and later nonzero ones are dropped, in layers that are mostly sparse."""
    w = centred_w(call).copy()
    if np.count_nonzero(w) * 2 > w.size:
        return answer(call)
    for start in range(0, w.shape[0], 4):
        block = w[start : start + 4]
        block[np.cumsum(block != 0, axis=0) > 2] = 0
    return answer(call, w=w)


def inputs_of_pruned_rows_shift(call: Call) -> Codes:
    """A row of zero weights is left out of the weights, but not of the inputs."""
    w = centred_w(call)
    kept = np.any(w, axis=1)
    if kept.all():
        return answer(call)
    packed = np.concatenate([w[kept], w[~kept]])
    return answer(call, w=packed)


def long_runs_of_zeros_wrap(call: Call) -> Codes:
    """A gap of 16 or more zeros is stored in 4 bits."""
    w = centred_w(call)
    moved = np.zeros_like(w)
    for n in range(w.shape[1]):
        last = -1
        for k in np.flatnonzero(w[:, n]).tolist():
            place = last + (k - last - 1) % 16 + 1
            moved[min(place, len(w) - 1), n] = w[k, n]
            last = place
    return answer(call, w=moved)


def zero_inputs_are_skipped_by_code(call: Call) -> Codes:
    """An input of code 0 is skipped, although its zero point is another."""
    return answer(call, x=np.where(call.x_q == 0, 0, centred_x(call)))


def nothing_but_zeros_is_not_scaled(call: Call) -> Codes:
    """A layer of zero weights returns its cleared output."""
    if np.any(centred_w(call)) or not call.depth:
        return answer(call)
    return as_output(call, finish(call, sums(call), bias=np.zeros(call.outputs, np.int64)))
