"""A handful of one-output layers that tell all profiles apart, and the search that finds them.

Legend: K contracted depth; a vector is a row of input codes, a column of weight codes, a bias and their quantizations;
profiles P of them, P answers to a vector; an answer is a code, "refused" where the engine does not take the layer, or
"overflow" where it takes no accumulator beyond int32. All three can be observed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from npquant.arrays import Int64
from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import linear
from npquant.profiles.record import Profile
from npquant.testing.differences import alike
from npquant.testing.samples import REFUSED, unless_refused

Answer = int | str


@dataclass(frozen=True, slots=True)
class Vector:
    """Hold one output of one linear layer."""

    x_q: tuple[int, ...]  # K input codes
    w_q: tuple[int, ...]  # K weight codes, int8 without a zero point
    bias: int  # code of scale sx sw, of type bias_type
    sx: float  # a float32 number, as are the two others
    sw: float
    sy: float
    zx: int
    zy: int
    code_type: str  # of input and output: "int8", "uint8" or "int16"
    activation: str = "none"  # fused
    bias_type: str = "int32"  # "int64" beside int16 codes alone


def answer(profile: Profile, vector: Vector) -> Answer:
    """Return what a profile makes of a vector.

    An accumulator of 2^31, one beyond int32, from int8 codes: npquant reports it, TFLite lets it wrap to -2^31, and
    FBGEMM takes uint8 codes only.

    >>> from npquant.profiles import get
    >>> beyond = Vector((1,), (1,), 2**31 - 1, 1.0, 1.0, 2.0**25, 0, 0, "int8")
    >>> answer(get("npquant"), beyond), answer(get("tflite_ref"), beyond), answer(get("fbgemm"), beyond)
    ('overflow', -64, 'refused')
    """
    return answers([profile], vector)[0]


def answers(profiles: Sequence[Profile], vector: Vector) -> list[Answer]:
    """Return what each profile makes of a vector, whose arrays are made once."""
    info = np.iinfo(vector.code_type)
    low, high = int(info.min), int(info.max)
    x_q, w_q = np.array([vector.x_q], vector.code_type), np.array(vector.w_q, np.int8)[:, None]
    bias = np.array([vector.bias], vector.bias_type)
    x, y = QuantParams(vector.sx, vector.zx, low, high), QuantParams(vector.sy, vector.zy, low, high)
    w = QuantParams(vector.sw, 0, -128, 127)

    def output(profile: Profile) -> int:
        codes = linear(x_q, w_q, bias, x=x, w=w, y=y, profile=profile, activation=vector.activation)
        return int(codes[0, 0])

    return [_said(partial(output, profile)) for profile in profiles]


def _said(output: Callable[[], int]) -> Answer:
    try:
        code = unless_refused(output)
    except OverflowError:
        return "overflow"
    return REFUSED if code is None else code


def classes(profiles: Sequence[Profile], vectors: Sequence[Vector]) -> list[list[str]]:
    """Group profiles that give the same answers to all vectors: their names, in the order of `profiles`.

    >>> from npquant.profiles import get
    >>> tie = Vector((1,), (-5,), 0, 0.5, 0.5, 0.5, 0, 0, "int8")
    >>> classes([get("npquant"), get("ort"), get("litert_ref_2025")], [tie])
    [['npquant', 'ort'], ['litert_ref_2025']]
    """
    groups = alike(profiles, lambda profile: tuple(answer(profile, vector) for vector in vectors))
    return [[profile.name for profile in group] for group in groups]


def search(profiles: Sequence[Profile], candidates: Sequence[Vector], start: Sequence[Vector] = ()) -> list[Vector]:
    """Choose among candidates greedily, each time the vector that splits the most pairs that are still together.

    Ties go to the earlier one; the end is where no candidate splits any pair. What `start` splits is apart already: a
    set goes on where a new profile joins.

    >>> from npquant.profiles import get
    >>> tie = Vector((1,), (-5,), 0, 0.5, 0.5, 0.5, 0, 0, "int8")
    >>> len(search([get("npquant"), get("litert_ref_2025")], [tie, tie]))
    1
    """
    table = [answers(profiles, vector) for vector in candidates]
    numbered = np.array([np.unique([str(a) for a in row], return_inverse=True)[1] for row in table], np.int64)
    found = [group for group in classes(profiles, start) for _ in group]
    group = np.array([next(i for i, g in enumerate(found) if p.name in g) for p in profiles], np.int64)
    return [candidates[i] for i in splitting_rows(numbered, group, len(candidates))[0]]


def splitting_rows(numbered: Int64, group: Int64, most: int) -> tuple[list[int], Int64]:
    """Choose rows of a table of answers greedily, each the one that splits the most pairs still together.

    numbered (V, C): the answers to V questions of C who are to be told apart, as numbers from 0 on; group (C,): who is
    together at the start. Return at most `most` rows, ties going to the earlier one, and the groups that they leave.

    >>> splitting_rows(np.array([[0, 0, 1], [0, 1, 1], [0, 0, 0]]), np.zeros(3, int), 9)
    ([0, 1], array([0, 1, 2]))
    """
    chosen: list[int] = []
    while len(chosen) < most and len(numbered):
        joint = group * (int(numbered.max()) + 1) + numbered
        together = _pairs(joint)
        best = int(np.argmin(together))
        if together[best] == _pairs(group[np.newaxis])[0]:
            break
        chosen.append(best)
        group = np.unique(joint[best], return_inverse=True)[1]
    return chosen, group


def _pairs(labels: Int64) -> Int64:
    """Count in each row the pairs that share a label: each entry of a sorted row with those of its run before it."""
    rows = np.sort(labels, axis=1)
    place = np.arange(rows.shape[1])
    starts = np.ones(rows.shape, bool)
    starts[:, 1:] = rows[:, 1:] != rows[:, :-1]
    return np.asarray((place - np.maximum.accumulate(np.where(starts, place, 0), axis=1)).sum(axis=1))


def candidates(rng: np.random.Generator, count: int) -> list[Vector]:
    """Draw vectors that reach ties, rails, wide accumulators, saturating pairs, odd zero points and activation bounds.

    As many from rng as count says, in turn int8 and uint8.
    """
    drawn = []
    for i in range(count):
        code_type = "uint8" if i % 2 else "int8"
        info = np.iinfo(code_type)
        depth = int(rng.choice([1, 2, 4]))
        x_q = rng.integers(info.min, info.max + 1, depth)
        w_q = rng.integers(-128, 128, depth)
        if i % 5 == 0:  # the largest pair of products
            x_q[:], w_q[:] = info.max, int(rng.choice([-128, 127]))
        zx = int(rng.choice([0, int(rng.integers(info.min, info.max + 1))]))
        zy = int(rng.choice([0, int(rng.integers(info.min, info.max + 1))]))
        sx, sw = (float(np.float32(2.0 ** rng.integers(-7, 1) * rng.choice([1.0, rng.uniform(0.5, 1)]))) for _ in "xw")
        real = float(2.0 ** rng.integers(-24, 9)) * float(rng.choice([1.0, rng.uniform(0.5, 1)]))
        sy = float(np.float32(sx * sw / real))
        dot = int((x_q - zx) @ w_q)
        k = int(rng.integers(-130, 130))
        aimed = int(np.clip(round((k + 0.5) / real) + rng.integers(-1, 2), -(2**31), 2**31 - 1))
        wide = int(rng.choice([-(2**31), 2**31 - 1, -(2**30), 2**30]))
        # Every 11th accumulator may leave int32: the bias is wide and does not make room for the products.
        bias = wide if i % 11 == 0 else int(np.clip((aimed if i % 7 else wide) - dot, -(2**31), 2**31 - 1))
        activation = str(rng.choice(["none", "none", "relu6", "relu_n1_to_1"]))
        drawn.append(
            Vector(tuple(map(int, x_q)), tuple(map(int, w_q)), bias, sx, sw, sy, zx, zy, code_type, activation)
        )
    return drawn


# Found by `search` among candidates(default_rng(0), 3000). In order: an overflow with a negative zero point; a pair of
# products beyond int16; a wide accumulator near a tie; the same where the multipliers differ; an activation bound on a
# tie; an accumulator beyond int32. The seventh, a tie at -34.5 codes with a fused bound beside it, goes on from these
# six, as profiles joined: search(profiles, candidates(default_rng(0), 3000), start=SEPARATING_SET[:6]).
SEPARATING_SET = (
    Vector(
        (127, 127),
        (-128, -128),
        -2147470592,
        0.007577524986118078,
        0.6977461576461792,
        0.0002617359859868884,
        76,
        -4,
        "int8",
    ),
    Vector((255, 255), (127, 127), -11564, 0.125, 0.25, 0.25, 207, 0, "uint8"),
    Vector((91,), (-109,), -1027621266, 0.07326087355613708, 0.010775143280625343, 6621.93701171875, 245, 233, "uint8"),
    Vector((-114,), (116,), 131609511, 0.06180255860090256, 0.03745625913143158, 2427.3408203125, 0, 0, "int8"),
    Vector((127,) * 4, (127,) * 4, -64293, 0.0625, 0.5, 2.0, 0, -93, "int8", "relu_n1_to_1"),
    Vector(
        (212, 29, 2, 26),
        (-35, -100, -108, -62),
        2147483647,
        0.2429751753807068,
        0.015625,
        31847.2421875,
        167,
        70,
        "uint8",
    ),
    Vector((-126,), (-57,), -11598, 0.03125, 0.006143482401967049, 0.024573929607868195, 0, 0, "int8", "relu_n1_to_1"),
)

# What the few hundred vectors of `fingerprint` do not hold, the first of candidates(default_rng(0), 6000) that does:
# without zero points, sx sw rounded to float32 before it is divided, or not.
RARE = (Vector((99,), (111,), -6171373, 0.09669069945812225, 0.006780036725103855, 171.8528289794922, 0, 0, "int8"),)
