"""Real TFLite files, and what their runtimes answered: read as expected, or refused by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.tflite_in import from_tflite

CORPUS = Path(__file__).resolve().parents[3] / "../shared/models/corpus"
if not (CORPUS / "MANIFEST.json").exists():
    CORPUS = Path(__file__).resolve().parents[3] / "../../shared/models/corpus"
if not (CORPUS / "MANIFEST.json").exists():
    pytest.skip("no corpus of model files beside the project", allow_module_level=True)
ENTRIES = [
    entry for entry in json.loads((CORPUS / "MANIFEST.json").read_text())["entries"] if entry["format"] == "tflite"
]


def answers(found: Imported, x: NDArray[Any]) -> NDArray[Any]:
    """What the network says, an inference of the file at a time as its runtime was asked."""
    return np.concatenate([found.run(one.reshape(-1, found.model.n_inputs)) for one in x])


def of_kind(*kinds: str) -> list[Any]:
    return [pytest.param(e, id=e["id"].removesuffix(".tflite")) for e in ENTRIES if e["expect"]["kind"] in kinds]


@pytest.mark.parametrize("entry", of_kind("integer"))
def test_integer_files_answer_as_each_resolver_did(entry: dict[str, Any]) -> None:
    """0 codes differ from what LiteRT wrote, under the profile of each of its three resolvers."""
    arrays = np.load(CORPUS / entry["reference"]["file"])
    for array, profile in entry["expect"]["arrays"].items():
        found = from_tflite(CORPUS / entry["file"], profile=profile)
        assert isinstance(found.model, IntegerMLP)
        assert [found.model.n_inputs, *found.model.neurons] == entry["expect"]["sizes"]
        wanted = arrays[f"y0__{array}"]
        given = answers(found, arrays["x0"]).reshape(wanted.shape)
        assert given.dtype == wanted.dtype
        np.testing.assert_array_equal(given, wanted)


@pytest.mark.parametrize("entry", of_kind("float", "choice"))
def test_float_files_answer_as_the_runtime_did(entry: dict[str, Any]) -> None:
    """A float file gives the sizes, activations and head expected, and LiteRT's outputs within 1e-5 of the largest."""
    expect = entry["expect"]
    try:
        found = from_tflite(CORPUS / entry["file"])
    except FormatError as error:
        assert expect["kind"] == "choice" and any(name in str(error) for name in expect["names"])
        return
    if expect["kind"] == "float":
        assert [found.model.n_inputs, *found.model.neurons] == expect["sizes"]
        assert found.head == expect["head"]
    arrays = np.load(CORPUS / entry["reference"]["file"])
    wanted = arrays["y0__litert_ref"].astype(np.float64)
    given = answers(found, arrays["x0"]).reshape(wanted.shape)
    assert np.abs(given - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("entry", of_kind("refuse"))
def test_other_files_are_refused_by_name(entry: dict[str, Any]) -> None:
    """What is no MLP is refused by an error that names the file and the operator, type or part that is not read."""
    path = CORPUS / entry["file"]
    with pytest.raises(FormatError) as caught:
        from_tflite(path)
    assert str(path) in str(caught.value)
    assert any(name in str(caught.value) for name in entry["expect"]["names"])
