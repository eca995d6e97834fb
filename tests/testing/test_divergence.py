"""Where two profiles part on a network: the counts, the first place, and the commands that print them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npquant
from npquant.cli import main
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names
from npquant.profiles.relatives import RELATIVES
from npquant.testing.divergence import compare_profiles, render_divergence

LISTED = [*names(layers=False), *(relative.name for relative in RELATIVES)]


def network(seed: int) -> IntegerMLP:
    """Draw a two-layer network with large multipliers, on which roundings differ often."""
    rng = np.random.default_rng(seed)
    x, h, y = QuantParams(0.1, -3, -128, 127), QuantParams(1 / 255, -128, -128, 127), QuantParams(0.7, 5, -128, 127)
    w = QuantParams(rng.uniform(0.01, 0.1, 8), 0, -128, 127)
    v = QuantParams(0.5, 0, -128, 127)
    one = IntegerLayer(
        rng.integers(-3, 4, (6, 8)).astype(np.int8), rng.integers(-9, 9, 8).astype(np.int32), x, w, h, "relu"
    )
    two = IntegerLayer(
        rng.integers(-3, 4, (8, 3)).astype(np.int8), rng.integers(-9, 9, 3).astype(np.int32), h, v, y, "identity"
    )
    return IntegerMLP((one, two), x)


@given(seed=st.integers(0, 999), a=st.sampled_from(names()), b=st.sampled_from(names()))
def test_compare_profiles_counts_what_a_plain_run_counts(seed: int, a: Any, b: Any) -> None:
    """The counts are those of running both networks; the first difference is the first; swapping swaps the answers."""
    net = network(seed)
    x = np.random.default_rng(seed).normal(0, 5, (20, 6))
    if not (get(a).zero_points and get(b).zero_points):
        with pytest.raises(ValueError, match="no zero points"):
            compare_profiles(net, x, a, b)
        return
    found, swapped = compare_profiles(net, x, a, b), compare_profiles(net, x, b, a)
    runs = [dataclasses.replace(net, profile=get(name)).run(net.encode(x)) for name in (a, b)]
    assert found.end_to_end == int((runs[0] != runs[1]).sum()) == swapped.end_to_end
    assert found.outputs == (160, 60) and found.differing[0] == swapped.differing[0]
    assert (found.first is None) == (sum(found.differing) == 0)
    if found.first is not None:
        first = found.first
        assert first.a != first.b and found.differing[first.layer] and not any(found.differing[: first.layer])
        # Two roundings move a value by at most a step each, the clamp moves none further apart.
        assert abs(first.a - first.b) <= 2
    if a == b:
        assert found.first is None and "agree on every output" in render_divergence(found)


def test_first_divergence_is_a_value_that_the_rules_disagree_on() -> None:
    """For one rounding against another the exact value lies on the tie that separates them."""
    p = QuantParams(0.5, 0, -128, 127)
    layer = IntegerLayer(np.array([[-5, 4]], np.int8), np.zeros(2, np.int32), p, p, p, "identity")
    first = compare_profiles(IntegerMLP((layer,), p), [[0.5]], "npquant", "litert_ref_2025").first
    assert (first.layer, first.row, first.neuron, first.accumulator) == (0, 0, 0, -5)
    assert first.exact == -2.5 and first.nearest_tie == 0 and (first.a, first.b) == (-2, -3)


def test_networks_run_under_uint8_engines_as_under_int8_ones() -> None:
    """Codes 128 higher change nothing: away from ties qnnpack, which takes uint8 alone, is ort."""
    net = network(1)
    x_q = net.encode(np.random.default_rng(1).normal(0, 5, (50, 6)))
    runs = [dataclasses.replace(net, profile=get(name)).run(x_q) for name in ("ort", "qnnpack")]
    assert runs[0].dtype == runs[1].dtype == np.int8
    assert (np.abs(runs[0].astype(int) - runs[1]) <= 1).all()


def test_diff_and_profiles_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`npquant diff` prints and exits by what it finds, `npquant profiles` lists and prints cards; bad names exit 2."""
    path, data = tmp_path / "net.npz", tmp_path / "rows.npz"
    net = network(2)
    npquant.save(net, path)
    rng = np.random.default_rng(0)
    np.savez(data, x=rng.normal(0, 5, (30, 6)), y=np.arange(30) % 3)
    both = [str(path), "--data", str(data), "--a", "tflite_ref", "--b"]
    assert main(["diff", *both, "tflite_ref"]) == 0
    assert "agree on every output" in capsys.readouterr().out
    found = compare_profiles(net, np.load(data)["x"], "tflite_ref", "npquant")
    assert main(["diff", *both, "npquant", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["differing"] == list(found.differing)
    assert main(["profiles"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == LISTED
    assert main(["profiles", "ort"]) == 0 and "worked by hand" in capsys.readouterr().out
    assert main(["profiles", "--json"]) == 0 and len(json.loads(capsys.readouterr().out)) == len(names(layers=False))
    assert main(["profiles", "tflite"]) == 2 and "tflite_ref" in capsys.readouterr().err
    assert main(["diff", str(tmp_path / "none.npz"), "--a", "ort", "--b", "ort"]) == 2


def test_accumulators_as_outputs_are_compared_as_they_are() -> None:
    """Without an output quantization the first difference is of the sums: pairs of products that saturate."""
    p = QuantParams(0.5, 0, 0, 255)
    layer = IntegerLayer(
        np.full((2, 1), 127, np.int8), np.array([1], np.int32), p, QuantParams(1, 0, -128, 127), None, "relu"
    )
    net = IntegerMLP((layer,), p)
    found = compare_profiles(net, [[200.0, 200.0]], "ort", "ort_pair16")
    assert (found.end_to_end, found.first.a, found.first.b) == (1, 2 * 255 * 127 + 1, 2**15)
    assert found.first.exact == found.first.accumulator == 2 * 255 * 127 + 1
