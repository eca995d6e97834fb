"""The npz form read back: the cases come out as they went in, with every value on the way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.profiles import get
from npquant.testing.adapters.operands import operands_of
from npquant.testing.case import expected
from npquant.testing.vectors import write
from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.npz import read_cases, render
from npquant.testing.vectors.vector import made_vector


@pytest.mark.parametrize("name", ["ort", "own"])
def test_read_cases_gives_back_what_was_written(name: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Cases that are read and rendered again give the same bytes, and their answers are those stored."""
    made = request.getfixturevalue(name)
    write(tmp_path / "set", "npz", made)
    cases = read_cases(tmp_path / "set")
    again = tuple(made_vector(int(number), 0, case, ()) for number, case in cases.items())
    files = render(Collection(made.profile, made.tier, made.seed, again, (), made.left_out)).files
    assert all(data == (tmp_path / "set" / file).read_bytes() for file, data in files.items())
    with np.load(tmp_path / "set" / "vectors.npz") as stored:
        for number, case in cases.items():
            if case.status == "valid":
                answer = expected(case)
                assert np.array_equal(answer, stored[f"{number}/y_q"]) and answer.dtype == stored[f"{number}/y_q"].dtype


def test_stored_accumulators_and_multipliers_give_the_codes(own: Any, tmp_path: Path) -> None:
    """By hand: ((acc m + half) >> shift) + zy, clamped, is every stored code; a step less half is not."""
    write(tmp_path / "set", "npz", own)
    cases, off = read_cases(tmp_path / "set"), 0
    with np.load(tmp_path / "set" / "vectors.npz") as stored:
        for number, case in cases.items():
            if case.op == "quantize" or case.status != "valid":
                continue
            for i, layer in enumerate(case.model.layers):
                acc, m, e = (
                    stored[f"{number}/{i}/{part}"].astype(object) for part in ("accumulators", "multiplier", "shift")
                )
                steps = (acc * m + 2 ** (30 - e)) // 2 ** (31 - e) + int(layer.y.zero_point)
                assert np.array_equal(steps, stored[f"{number}/{i}/before_clamp"])
                o = operands_of(layer, np.zeros((0, len(layer.w_q)), np.int8), get("npquant"))
                assert np.array_equal(np.clip(steps, o.low, o.high), stored[f"{number}/{i}/codes"])
                floored = acc * m // 2 ** (31 - e) + int(layer.y.zero_point)
                off += int((np.clip(floored, o.low, o.high) != stored[f"{number}/{i}/codes"]).sum())
    assert off > 50
