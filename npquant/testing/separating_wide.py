"""A handful of one-output layers of int16 codes and int8 weights: what tells engines apart beside biases of one type.

Legend: a vector as `separating` has it, of code_type "int16"; bias_type "int32" or "int64" its bias's.
"""

from __future__ import annotations

import numpy as np

from npquant.profiles import get, names
from npquant.profiles.record import Profile
from npquant.profiles.relatives import RELATIVES
from npquant.testing.separating import Vector


def wide_profiles() -> list[Profile]:
    """List the records, relatives among them, that take int16 codes.

    >>> [profile.name for profile in wide_profiles()][-3:]
    ['cmsis_nn', 'litert_ref_conv', 'ruy_x86_conv']
    """
    known = [*(get(name) for name in names()), *(relative.record for relative in RELATIVES)]
    return [profile for profile in known if profile.wide_stages]


def wide_candidates(rng: np.random.Generator, count: int, bias_type: str) -> list[Vector]:
    """Draw vectors of a bias type beside ties of every code, at rails and beyond int32, with some zero points.

    As many from rng as count says. An int64 accumulator stays below 2^38.
    """
    drawn = []
    widest = 31 if bias_type == "int32" else 38
    for i in range(count):
        depth = int(rng.choice([1, 2, 4]))
        x_q, w_q = rng.integers(-32768, 32768, depth), rng.integers(-127, 128, depth)
        zx, zy = (int(rng.integers(-9, 10)) if i % 8 == 7 else 0 for _ in "xy")
        sx, sw = (float(np.float32(2.0 ** rng.integers(-9, 1) * rng.choice([1.0, rng.uniform(0.5, 1)]))) for _ in "xw")
        real = float(2.0 ** rng.integers(-24, 2)) * float(rng.choice([1.0, rng.uniform(0.5, 1)]))
        sy = float(np.float32(sx * sw / real))
        k = int(rng.integers(-33000, 33000))
        aimed = round((k + 0.5) / real) + int(rng.integers(-1, 2))
        end = int(rng.choice([-(2**31), 2**31 - 1, -(2**30), 2 ** (widest - 1)]))
        total = int(np.clip(aimed if i % 7 else end, -(2**widest), 2**widest - 1))
        bias = total - int((x_q - zx) @ w_q)
        if bias_type == "int32":
            bias = int(np.clip(bias, -(2**31), 2**31 - 1))
        activation = str(rng.choice(["none", "none", "relu6", "relu_n1_to_1"]))
        x, w = tuple(map(int, x_q)), tuple(map(int, w_q))
        drawn.append(Vector(x, w, bias, sx, sw, sy, zx, zy, "int16", activation, bias_type))
    return drawn


# Found by `search` among wide_candidates(default_rng(0), 1500, bias_type) of "int32", then "int64". In order: an
# accumulator beyond int32, ties of an int32 bias and of an activation bound, and an accumulator near 2^37.
WIDE_SEPARATING_SET = (
    Vector(
        (20500,), (-107,), 2149677147, 0.013020232319831848, 1.0, 0.006510116159915924, 0, 0, "int16",
        bias_type="int64",
    ),
    Vector((27994, -5910, -3908, -1691), (116, -78, 0, -115), -5299485, 0.03125, 1.0, 256.0, 0, 0, "int16"),
    Vector(
        (12198, 10998, -29050, -295), (12, -118, 119, 75), 6443006, 0.125, 0.125, 2.0, 0, 0, "int16", "relu_n1_to_1"
    ),
    Vector(
        (-11969,), (-63,), 137438199425, 0.010228727012872696, 0.15405873954296112, 0.007495120633393526, 0, 0,
        "int16", "relu_n1_to_1", "int64",
    ),
)  # fmt: skip
