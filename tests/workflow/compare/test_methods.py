"""Methods of a comparison: those of the table are themselves, and one's own is checked where it is wrong."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.method_names import AUTO, METHOD_NAMES
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.workflow.compare.methods import Method, loaded, method_names, quantizer_of

DRAW = np.random.default_rng(0)
MODEL = FloatMLP(
    (
        DenseLayer(DRAW.normal(0, 0.5, (5, 4)), DRAW.normal(0, 0.1, 4), "clipped_relu"),
        DenseLayer(DRAW.normal(0, 0.5, (4, 3)), np.zeros(3), "identity"),
    )
)
ROWS = DRAW.normal(0, 1, (80, 5))


@pytest.mark.parametrize("name", [name for name in (*METHOD_NAMES, AUTO) if name != "adaround"])
def test_quantizer_of_a_name_is_quantize_model(name: str) -> None:
    """A name of the table gives the codes that `quantize_model` gives."""
    found = quantizer_of(name, name, 8, "softmax")(MODEL, ROWS, 3, 7)
    wanted = quantize_model(MODEL, ROWS, 3, 8, 7, method=name, output="softmax").network
    assert all(np.array_equal(a.w_q, b.w_q) for a, b in zip(found.layers, wanted.layers, strict=True))


@pytest.mark.parametrize(
    "method", [nearest_layer, partial(nearest_layer), "npquant.compression.rounding.nearest:nearest_layer"]
)
def test_quantizer_of_a_function_is_the_function(method: Method) -> None:
    """A function, by itself or by its place, gives the codes that the table's name gives."""
    found = quantizer_of("mine", method, 8, "softmax")(MODEL, ROWS, 2, 0)
    wanted = quantizer_of("nearest", "nearest", 8, "softmax")(MODEL, ROWS, 2, 0)
    assert all(np.array_equal(a.w_q, b.w_q) for a, b in zip(found.layers, wanted.layers, strict=True))


def test_method_of_a_file_is_found_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """module:function and file.py:function are looked for where one works."""
    (tmp_path / "rounding_of_mine.py").write_text("def up(problem, bits):\n    return None\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for words in ("rounding_of_mine:up", "rounding_of_mine.py:up"):
        found = loaded(words)
        assert callable(found) and method_names([words]) == ["up"]


def answer(problem: LayerProblem, **changed: Any) -> LayerCodes:
    """A right answer, but for what is changed."""
    parts = {
        "w_q": np.zeros(problem.w.shape, np.int8),
        "w": QuantParams(1.0, 0, -2, 1),
        "bias": np.zeros(problem.w.shape[1]),
    }
    return LayerCodes(**{**parts, **changed})


def raises(problem: LayerProblem, bits: Bits) -> LayerCodes:
    """Wrong in the second layer alone."""
    if problem.index == 1:
        raise KeyError("no scale")
    return answer(problem)


WRONG = [
    (raises, r"mine at 2 bits: layer 1, 4 x 3: KeyError: 'no scale' \(test_methods.py, line \d+\)"),
    (lambda problem, bits: None, "mine at 2 bits: layer 0, 5 x 4: the answer is NoneType; return LayerCodes"),
    (lambda problem, bits: (problem.w, 1, 2), "the answer is tuple; return LayerCodes"),
    (lambda problem, bits: answer(problem, w_q=problem.w), "w_q is float64; return int8 codes"),
    (lambda problem, bits: answer(problem, w_q=[[0]]), "w_q is list; return int8 codes"),
    (
        lambda problem, bits: answer(problem, w_q=np.zeros((4, 5), np.int8)),
        r"w_q has the shape \(4, 5\); give \(5, 4\)",
    ),
    (lambda problem, bits: answer(problem, bias=np.zeros(5)), r"the bias has the shape \(5,\); give \(4,\)"),
    (
        lambda problem, bits: answer(problem, w=QuantParams(np.ones(5), 0, -2, 1)),
        r"the scale has the shape \(5,\); give \(\) or \(4,\)",
    ),
    (lambda problem, bits: answer(problem, bias=np.full(4, np.nan)), "mine at 2 bits: layer 0: the bias is not finite"),
]


@pytest.mark.parametrize(("method", "said"), WRONG)
def test_wrong_answer_names_method_width_and_layer(method: Method, said: str) -> None:
    """Whatever is wrong with a method is an error that says which, at which width, in which layer, and why."""
    with pytest.raises(ValueError, match=said):
        quantizer_of("mine", method, 8, "softmax")(MODEL, ROWS, 2, 0)


@pytest.mark.parametrize(
    ("method", "kind", "said"),
    [
        ("gtpq", ValueError, "the method 'gtpq' is unknown; give module:function, or one of rectified"),
        ("nowhere_at_all:f", ValueError, "nowhere_at_all cannot be imported"),
        ("npquant:nothing", ValueError, "npquant has no attribute 'nothing'"),
        ("npquant:__version__", TypeError, "the method __version__ is of type str; give a function"),
        ("npquant.nn.model:FloatMLP", TypeError, "the method FloatMLP is a class; give a function"),
        (3, TypeError, "is of type int; give a function"),
    ],
)
def test_no_method_is_refused(method: Any, kind: type[Exception], said: str) -> None:
    """What is no method is refused before any work, by its name."""
    with pytest.raises(kind, match=said):
        loaded(method)
