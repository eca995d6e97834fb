"""The search for telling inputs: sums within reach, probes that hold what they say, rows that part suspects."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.testing.bugs.honest import product
from npquant.testing.solve import centred_sums
from npquant.testing.who.next_inputs import labels, labels_of_rows, next_rows, structured_rows, telling_sums, with_sums
from npquant.testing.who.reaching import centred_interval, centred_weights, reachable_interval
from npquant.testing.who.suspects import profile_suspect, profile_suspects, rule_suspect, rules
from tests.testing.layers_of_digits import answer_of, digits_layer, rows_for


def test_with_sums_is_the_layer_at_other_sums() -> None:
    """A probe at the sums of real rows gives the layer's own codes, output by output, for every profile."""
    layer = dataclasses.replace(digits_layer(1), w=QuantParams(np.linspace(0.002, 0.01, 32), 0, -128, 127))
    x_q = rows_for(layer, 20, np.random.default_rng(0))
    outputs = [3, 0, 17]
    probe, rows = with_sums(layer, outputs, centred_sums(layer, x_q)[:, outputs])
    taken, _ = profile_suspects(layer, None)
    assert len(taken) > 10
    for suspect in taken:
        assert np.array_equal(suspect.of_sums(probe, rows), suspect.answers(layer, x_q)[:, outputs])


@pytest.mark.parametrize("index", [0, 1, 2])
def test_telling_sums_are_within_reach_and_beside_ties(index: Any) -> None:
    """As many as asked for, none beyond what the output can reach, and both sides of most ties that it can reach."""
    layer = digits_layer(index)
    lows, highs = reachable_interval(centred_weights(layer), *centred_interval(layer))
    sums = telling_sums(layer, 0, 1200, np.random.default_rng(0))
    assert len(sums) == 1200 and lows[0] <= sums.min() and sums.max() <= highs[0]


@pytest.mark.parametrize("up", [0, 128])
def test_rows_are_codes_of_the_layer(up: Any) -> None:
    """Structured and chosen rows lie in the input's interval, are of its type, and at most 16 are chosen."""
    layer = digits_layer(2, up)
    rng = np.random.default_rng(0)
    taken, _ = profile_suspects(layer, None)
    chosen = next_rows(layer, taken, rng)
    for rows in (structured_rows(layer, rng), chosen):
        assert rows.dtype == layer.x.dtype and rows.shape[1] == layer.w_q.shape[0]
    assert 0 < len(chosen) <= 16 and not len(next_rows(layer, taken[:1], rng))


def test_next_rows_part_what_random_rows_do_not() -> None:
    """Sixteen random rows leave single and double rounding together, the chosen ones do not."""
    layer = digits_layer(1)
    names = ["tflite_ref", "tflite_single", "ort", "onnx_ref"]
    suspects = [profile_suspect(name) for name in names]
    chosen = next_rows(layer, suspects, np.random.default_rng(0))
    drawn = rows_for(layer, 16, np.random.default_rng(1))
    classes = [len({answer_of(name, layer, rows).tobytes() for name in names}) for rows in (chosen, drawn)]
    assert classes[0] > classes[1]


def test_labels_are_equal_where_answers_are() -> None:
    """Whole rows are compared, and a table of answers is one of who agrees with whom."""
    a, b = np.array([[1, 2], [3, 4]]), np.array([[1, 2], [4, 3]])
    same = labels([a, b])
    assert same[0, 0] == same[0, 1] and same[1, 0] != same[1, 1]
    kinds = labels_of_rows(np.array([[5, 5, 6], [1, 1, 0], [7, 8, 8]]))
    assert kinds[0] == kinds[1] != kinds[2]


def test_every_rule_is_a_function_of_its_operands() -> None:
    """Rules have no state: the same layer and rows give the same codes, and neither is changed."""
    layer = digits_layer(2)
    x_q = rows_for(layer, 5, np.random.default_rng(0))
    before = x_q.tobytes() + layer.w_q.tobytes()
    assert len(rules()) > 150
    for bug in rules():
        suspect = rule_suspect(bug, "ort")
        assert np.array_equal(suspect.answers(layer, x_q), suspect.answers(layer, x_q)), bug.name
    assert x_q.tobytes() + layer.w_q.tobytes() == before


def test_product_is_exact_on_both_sides_of_53_bits() -> None:
    """By float64 or by integers, the same sums as Python's."""
    for largest in (255, 2**25, 2**29):
        x, w = (np.random.default_rng(s).integers(-largest, largest + 1, (3, 3)) for s in (0, 1))
        want = [[sum(int(x[i, k]) * int(w[k, j]) for k in range(3)) for j in range(3)] for i in range(3)]
        assert product(x, w).tolist() == want
    assert product(np.empty((2, 0), np.int64), np.empty((0, 3), np.int64)).tolist() == [[0] * 3] * 2
