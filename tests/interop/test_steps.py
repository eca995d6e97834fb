"""The fold of a float file's steps into a network: J1 to J4."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.arrays import Float64
from npquant.files.format_error import FormatError
from npquant.interop.imported import apply_head
from npquant.interop.steps import Activation, Affine, Clip, Head, Linear, Step, fold

CLIPS = [(0.0, inf), (0.0, 6.0), (0.0, 1.0), (-1.0, 1.0), (-inf, 2.0), (0.5, inf), (-3.0, -1.0), (-inf, inf)]
SMOOTH = ["sigmoid", "tanh", "hard_sigmoid", "softplus"]


def affine(rng: np.random.Generator, n: int, kind: str) -> Affine:
    """Return an affine map of n numbers, with scales of both signs."""
    if kind == "matrix":
        m = int(rng.integers(1, 5))
        return Affine("matrix", rng.normal(size=(n, m)), rng.normal(size=rng.choice([1, m])), "a matrix")
    shape = () if kind == "one" else (n,)
    return Affine(kind, rng.normal(size=shape), rng.normal(size=()), f"a scale for {kind}")


@st.composite
def step_lists(draw: st.DrawFn) -> tuple[list[Step], int]:
    """Draw steps of one to four layers, with affine maps, clips and activations around them; and their inputs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = st.lists(st.sampled_from(["one", "each", "matrix"]), max_size=2)
    n = first = draw(st.integers(1, 5))
    steps: list[Step] = []

    def add_affines(n: int) -> int:
        for kind in draw(kinds):
            steps.append(affine(rng, n, kind))
            scale = np.asarray(steps[-1].scale)
            n = scale.shape[1] if scale.ndim == 2 else n
        return n

    layers = draw(st.integers(1, 4))
    for i in range(layers):
        n = add_affines(n)
        out = draw(st.integers(1, 5))
        bias = rng.normal(size=out) if draw(st.booleans()) else None
        steps.append(Linear(f"fc{i}", rng.normal(size=(n, out)), bias))
        n = add_affines(out)
        if i < layers - 1:
            if draw(st.booleans()):
                chosen = draw(st.lists(st.sampled_from(CLIPS), max_size=2))
                steps += [Clip("clip", *bounds) for bounds in chosen]
            else:
                steps.append(Activation("act", draw(st.sampled_from(SMOOTH))))
    if draw(st.booleans()):
        steps.append(Head("head", draw(st.sampled_from(["softmax", "logsoftmax"]))))
    return steps, first


def evaluated(steps: list[Step], x: Float64) -> tuple[Float64, Float64]:
    """Return the logits step by step, and a bound on how far two orders of the same sums may lie apart.

    m is at least every magnitude that either order sees, e the error so far: a sum of n terms of magnitude m costs
    gamma m, gamma = n u / (1 - n u), and every activation is 1-Lipschitz. n counts the operations of the whole list.
    """
    n = sum(8 + (np.shape(s.w)[0] if isinstance(s, Linear) else np.size(getattr(s, "scale", 0))) for s in steps)
    gamma = n * 2.0**-53 / (1 - n * 2.0**-53)
    m, e = np.abs(x), np.zeros_like(x)
    for step in steps:
        match step:
            case Linear(_, w, b):
                b = np.zeros(w.shape[1]) if b is None else b
                e, m = e @ np.abs(w) + gamma * (m @ np.abs(w) + np.abs(b)), m @ np.abs(w) + np.abs(b)
                x = x @ w + b
            case Affine(_, s, t, _):
                scale = np.asarray(s) if np.ndim(s) == 2 else np.diag(np.broadcast_to(s, x.shape[1:]))
                e, m = e @ np.abs(scale) + gamma * (m @ np.abs(scale) + np.abs(t)), m @ np.abs(scale) + np.abs(t)
                x = x @ scale + t  # type: ignore[assignment, operator]
            case Clip(_, low, high):
                bounds = sum(abs(b) for b in (low, high) if np.isfinite(b))
                m = m + 2 * bounds
                e, x = e + gamma * m, np.clip(x, low, high)
            case Activation(_, name):
                functions = {
                    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
                    "tanh": np.tanh,
                    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
                    "softplus": lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),
                }
                x = functions[name](x)  # type: ignore[operator]
                e, m = e + gamma * (m + 1), m + 1 if name == "softplus" else np.ones_like(x)
            case Head():
                pass
    return x, 2 * e


@given(step_lists(), st.integers(0, 2**32 - 1))
def test_fold_equals_the_steps(drawn: tuple[list[Step], int], seed: int) -> None:
    """J1, J2. The folded network equals the steps one after the other, within the roundings of both."""
    steps, n = drawn
    x = np.random.default_rng(seed).normal(size=(16, n)) * 4
    try:
        net, head, notes = fold(steps, "drawn")
    except FormatError as error:
        # Two clips that have no value in common leave one.
        assert "leaves one value" in str(error)
        return
    want, bound = evaluated(steps, x)
    assert np.all(np.abs(net.logits(x) - want) <= bound)
    kinds = [step.kind for step in steps if isinstance(step, Head)]
    assert [head] == (kinds or ["none"])
    said = [step.says for step in steps if isinstance(step, Affine)]
    assert [note for note in notes if note in said] == said


def test_fold_law_kills_a_wrong_fold() -> None:
    """The bound tells a forgotten shift of 1e-12 from roundings."""
    steps = [Affine("a", 2.0, 1.0, ""), Linear("fc", np.eye(2))]
    x = np.ones((1, 2))
    want, bound = evaluated(steps, x)
    wrong, _, _ = fold([Affine("a", 2.0, 1.0 + 1e-12, ""), *steps[1:]], "wrong")  # type: ignore[list-item]
    assert np.any(np.abs(wrong.logits(x) - want) > bound)


@pytest.mark.parametrize(("low", "high", "name"), [(0, inf, "relu"), (0, 1, "clipped_relu"), (0, 3.5e38, "relu")])
def test_plain_clip_is_not_folded(low: float, high: float, name: str) -> None:
    """J2, J4. relu and clipped_relu, and a bound beyond float32, leave the file's own numbers as they are."""
    w = np.array([[1 / 3, -2.0]], np.float32)
    net, _, _ = fold([Linear("a", w), Clip("c", low, high), Linear("b", w.T)], "net")
    assert net.activation_names == (name, "identity")
    assert net.layers[0].w.tobytes() == w.tobytes() and net.dtype == np.float32


@pytest.mark.parametrize(
    ("last", "name"),
    [(Clip("c", 0, inf), "relu"), (Clip("c", 0, 1), "clipped_relu"), *((Activation("a", n), n) for n in
     ("tanh", "hard_sigmoid", "softplus"))],
)  # fmt: skip
def test_last_activation_stays(last: Step, name: str) -> None:
    """J3. What is no head stays the last layer's activation, alone and before a softmax."""
    steps = [Linear("a", np.eye(2)), last]
    for head in ([], [Head("h", "softmax")]):
        net, kind, _ = fold([*steps, *head], "net")
        assert net.activation_names == (name,) and kind == ("softmax" if head else "none")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_the_files_own(dtype: Any) -> None:
    """J4. float16 is widened to float32, exactly; a fold makes float64."""
    w = np.array([[0.1, 3.0]]).astype(dtype)
    net, _, _ = fold([Linear("a", w)], "net")
    assert net.dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert np.array_equal(net.layers[0].w, w.astype(np.float64))
    folded, _, _ = fold([Affine("s", 1.0, 0.0, "s"), Linear("a", w)], "net")
    assert folded.dtype == np.float64


def test_sigmoid_behind_the_last_layer_is_a_head() -> None:
    """J3. A last sigmoid is split off as "logistic", the logits stay; a softmax behind a hidden layer is refused."""
    net, head, notes = fold([Linear("a", np.eye(1)), Activation("s", "sigmoid")], "net")
    assert (head, net.activation_names) == ("logistic", ("identity",)) and "logistic" in notes[0]
    assert apply_head(net.logits([[0.0]]), head).tolist() == [[0.5]]
    with pytest.raises(FormatError, match="net: late: stands behind the softmax"):
        fold([Linear("a", np.eye(1)), Head("h", "softmax"), Linear("late", np.eye(1))], "net")


LINE, TANH = Linear("fc", np.eye(2)), Activation("t", "tanh")
REFUSED = {
    "no layer": ([Affine("s", 1.0, 0.0, "s")], "holds no fully-connected layer"),
    "clip first": ([Clip("c", 0, 1), LINE], "net: c: stands before the first"),
    "relu6 last": ([LINE, Clip("c", 0, 6)], r"relu6 to \[0, 6\]"),
    "scale last": ([LINE, TANH, Affine("s", 2.0, 0.0, "s")], "net: s: scales or shifts the outputs"),
    "clip behind a scale": ([LINE, Clip("r", 0, inf), Affine("s", 2.0, 0.0, "s"), Clip("c", 0, 1)], "no layer takes"),
    "two activations": ([LINE, TANH, Activation("u", "tanh"), LINE], "net: u: tanh stands behind"),
    "tanh, then clip": ([LINE, TANH, Clip("c", 0, 1), LINE], "clips the outputs of a tanh"),
    "one value": ([LINE, Clip("c", 0, 1), Clip("d", 2, 3), LINE], "net: d: clips to .* leaves one value"),
    "NaN bound": ([LINE, Clip("c", float("nan"), 1), LINE], "net: c: clips to"),
    "chain": ([LINE, Linear("b", np.eye(3))], "net: b: takes 3 inputs; fc has 2"),
    "bias": ([Linear("b", np.eye(2), np.zeros(3))], "net: b: weights"),
    "rank": ([Linear("b", np.zeros(2))], "net: b: weights"),
    "no rows": ([Linear("b", np.zeros((0, 2)))], "net: b: the weights have shape"),
    "NaN": ([Linear("b", np.full((1, 1), np.nan))], "net: b: the weights are nan"),
    "NaN scale": ([Affine("s", np.nan, 0.0, "s"), LINE], "net: s: scales or shifts by a number that is not finite"),
    "scale of three": ([Affine("s", np.ones(3), 0.0, "s"), LINE], "net: s: scales by"),
    "scale of three behind": ([LINE, Affine("s", np.ones(3), 0.0, "s")], "net: s: scales by"),
    "shift of inputs": ([Affine("s", np.ones((2, 3)), np.ones(2), "s"), Linear("b", np.ones((3, 1)))], "net: s: "),
    "two scales": ([Affine("s", np.ones(3), 0.0, "s"), Affine("t", np.ones(2), 0.0, "t"), LINE], "net: t: has other"),
    "overflow": ([Affine("s", 1e300, 0.0, "s"), Linear("b", np.full((1, 1), 1e300))], "net: b: the weights are inf"),
    "unknown": ([LINE, Activation("g", "gelu"), LINE], "unknown activation 'gelu'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    """What no network can hold is a FormatError that names the step."""
    steps, says = REFUSED[case]
    with pytest.raises(FormatError, match=says):
        fold(steps, "net")
