"""Laws of the front door and of the table of methods: one name each, and what stands behind it."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant.compression.chain import integer_chain
from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.adaround import adaround_layer
from npquant.compression.rounding.gptq import gptq_layer
from npquant.compression.rounding.method_names import DRAWING_METHODS, METHOD_NAMES
from npquant.compression.rounding.methods import METHODS, rounding_of
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.nn.model import FloatMLP
from tests.compression.rounding.drawn_layers import drawn_layer
from tests.compression.rounding.test_peers import drawn_network, drawn_rows

Float64 = NDArray[np.float64]


def test_methods_are_the_names() -> None:
    """The table has the names that the command line lists, in that order."""
    assert tuple(METHODS) == METHOD_NAMES
    assert set(DRAWING_METHODS) < set(METHOD_NAMES)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_methods_draw_where_they_say(method: str) -> None:
    """Another generator changes the codes of the methods that draw, and of no other."""
    problem = drawn_layer(3)
    codes = [rounding_of(method, rng)(problem, 3) for rng in (0, 0, 1)]
    np.testing.assert_array_equal(codes[0].w_q, codes[1].w_q)
    same = np.array_equal(codes[0].w_q, codes[2].w_q)
    assert same or method in DRAWING_METHODS


@pytest.mark.parametrize("bits", [4, 2, "ternary"])
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_quantize_model_is_the_function_of_that_name(method: str, bits: Bits) -> None:
    """`quantize_<method>` and the front door give one network, whatever the targets; only "rectified" reports."""
    model, x = drawn_network(1), drawn_rows(1)
    moved = [np.asarray(z, np.float64) + 0.1 for z in model.pre_activations(x)]
    named = getattr(npquant, f"quantize_{method}")
    for targets in (None, moved):
        network, report = quantize_model(model, x, bits, 6, 5, method=method, targets=targets)
        assert network == named(model, x, bits, 6, 5, targets=targets)
        assert len(report) == (len(model.layers) if method == "rectified" else 0)


def test_quantize_model_takes_a_way_to_round() -> None:
    """A function of a problem and a width is as good as a name; so is one with other settings."""
    model, x = drawn_network(2), drawn_rows(2)
    by_hand = quantize_model(model, x, 3, method=partial(gptq_layer, damping=0.1)).network
    assert by_hand == npquant.quantize_gptq(model, x, 3, damping=0.1)
    assert by_hand != quantize_model(model, x, 3, method="gptq").network
    drawn = quantize_model(model, x, 3, method=partial(adaround_layer, steps=20, rng=np.random.default_rng(0)))
    assert drawn.network == npquant.quantize_adaround(model, x, 3, rng=0, steps=20)


@pytest.mark.parametrize("method", [name for name in METHOD_NAMES if name not in DRAWING_METHODS])
def test_quantize_model_keeps_zeros(method: str) -> None:
    """keep_zeros is `quantize_keeping_zeros` by the same name."""
    model, x = drawn_network(3), drawn_rows(3)
    sparse = npquant.prune_weights(model, x, 0.5)
    kept = quantize_model(sparse, x, 3, method=method, keep_zeros=True)
    assert kept.network == npquant.quantize_keeping_zeros(sparse, x, 3, method=method)
    assert kept.report == quantize_model(model, x, 3, method=method, keep_zeros=True).report == ()


def test_quantize_model_tunes_scales_at_the_end() -> None:
    """polish_steps does what it does in `quantize_rectified`, after any method."""
    model, x = drawn_network(4), drawn_rows(4, 600)
    tuned, report = quantize_model(model, x, 2, rng=1, polish_steps=20)
    assert tuned == npquant.quantize_rectified(model, x, 2, rng=1, polish_steps=20)
    assert len(report) == len(model.layers)
    plain, other = (quantize_model(model, x, 2, rng=1, method="uniform", polish_steps=n).network for n in (0, 20))
    assert plain != other and all((a.w_q == b.w_q).all() for a, b in zip(plain.layers, other.layers, strict=True))


def intervals(net: Any) -> list[tuple[int, int]]:
    return [(layer.w.qmin, layer.w.qmax) for layer in net.layers]


@pytest.mark.parametrize("bits", [8, 3, 2, "ternary"])
def test_interval_of_rectified_codes_is_one_through_every_door(bits: Bits) -> None:
    """The same codes have the same interval, whoever made the network; at 2 bits that of the sides that are there."""
    for seed in range(6):
        model, x = drawn_network(seed, widths=(6, 2, 1, 3)), drawn_rows(seed)
        network = quantize_model(model, x, bits).network
        others = [quantize_model(model, x, bits, keep_zeros=True).network, npquant.quantize_rectified(model, x, bits)]
        assert all(intervals(other) == intervals(network) for other in others)
        dynamic = npquant.quantize_dynamic(model, x, bits, method="rectified")
        for layer in [*network.layers, *dynamic.layers]:
            least, most = layer.w_q.min(axis=0), layer.w_q.max(axis=0)  # type: ignore[attr-defined]
            assert layer.w.qmin <= least.min() and most.max() <= layer.w.qmax  # type: ignore[attr-defined]
            if bits == 2:
                sides = {(-2, 1): most.max() < 2, (-1, 2): least.min() > -2, (-2, 2): True}
                assert sides[layer.w.qmin, layer.w.qmax]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "rescaled"}, "known are rectified"),
        ({"method": "adaround", "keep_zeros": True}, "here it is one of"),
        ({"method": gptq_layer, "keep_zeros": True}, "needs the name"),
        ({"polish_steps": -1}, "polish_steps"),
    ],
)
def test_quantize_model_refuses(options: dict[str, Any], text: str) -> None:
    """Unknown names and settings that do not go together are errors that name them."""
    with pytest.raises(ValueError, match=text):
        quantize_model(drawn_network(0), drawn_rows(0), **options)


@pytest.mark.parametrize("method", ["rectified", "gpfq", "uniform"])
def test_rows_are_checked_once_and_the_float_network_runs_once(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a method asks of them: the chain hands down what it has."""
    counted = {"rows": 0, "passes": 0}
    check, forward, logits = integer_chain.checked_rows, FloatMLP.forward, FloatMLP.logits  # type: ignore[attr-defined]

    def checked(x: Any, name: str = "x_calibration") -> Float64:
        counted["rows"] += 1
        return check(x, name)

    def passed(self: FloatMLP, x: Any) -> Any:
        counted["passes"] += 1
        return forward(self, x)

    def answered(self: FloatMLP, x: Any) -> Any:
        counted["passes"] += 1
        return logits(self, x)

    monkeypatch.setattr(integer_chain, "checked_rows", checked)
    monkeypatch.setattr(FloatMLP, "forward", passed)
    monkeypatch.setattr(FloatMLP, "logits", answered)
    quantize_model(drawn_network(0), drawn_rows(0, 600), 2, rng=0, method=method, polish_steps=3)
    assert counted == {"rows": 1, "passes": 1}


def test_float_inputs_reach_the_rounding_from_the_second_layer_on() -> None:
    """The first layer has one input for both networks; each later one is told the float network's."""
    model, x = drawn_network(5), drawn_rows(5)
    seen: list[LayerProblem] = []

    def watched(problem: LayerProblem, bits: Bits) -> Any:
        seen.append(problem)
        return METHODS["uniform"](problem, bits)

    quantize_model(model, x, 4, method=watched)
    assert seen[0].x_float is None
    for problem, wanted in zip(seen[1:], model.activations(x), strict=False):
        assert problem.x_float is not None
        np.testing.assert_array_equal(problem.x_float(), wanted)
