"""The JSON form obeys its schema, every flag has its note, and its numbers are the exact ones."""

import json
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import linear, quantize
from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.vectors import write
from npquant.testing.vectors.wycheproof import load_schema


@pytest.fixture(scope="module")
def document(ort: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The document of one profile, parsed, once its schema has passed it."""
    place = tmp_path_factory.mktemp("vectors") / "set"
    write(place, "wycheproof", ort)
    found = json.loads((place / "vectors.json").read_text(encoding="ascii"))
    schema = json.loads((place / found["schema"]).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(found)
    return found


def all_tests(document: Any) -> Any:
    """Return the tests of all groups."""
    return [test for group in document["testGroups"] for test in group["tests"]]


def test_document_counts_its_tests_and_notes_its_flags(document: Any) -> None:
    """Ids run from 1, as many as it says; each flag is a bug with a note that says what it does and where met."""
    tests = all_tests(document)
    assert sorted(test["tcId"] for test in tests) == list(range(1, document["numberOfTests"] + 1))
    assert {flag for test in tests for flag in test["flags"]} == set(document["notes"])
    met = {bug.name: bug.met for bug in CATALOGUE}
    for name, note in document["notes"].items():
        assert ", ".join(note.get("metIn", [])) == met[name] and note["description"]
    assert sum("metIn" in note for note in document["notes"].values()) > 30
    assert [test["result"] for test in tests].count("invalid") == 2


def params_of(given: Any) -> Any:
    """Return a quantization as the document has it."""
    return QuantParams(np.float32(given["scale"]), np.array(given["zeroPoint"]), given["qmin"], given["qmax"])


def answered(test: Any, profile: Any) -> Any:
    """Return what npquant answers to a test, from the document alone; None for a refusal."""
    try:
        if "to" in test:
            return quantize(np.array(test["x"], np.float64).astype(np.float32), params_of(test["to"]), profile).tolist()
        codes = np.array(test["x"], np.int64).reshape(len(test["x"]), -1)
        for layer in test["layers"]:
            w_q = np.array(layer["weights"], layer["w"]["type"]).reshape(layer["inputs"], layer["outputs"])
            given = {role: params_of(layer[role]) for role in ("x", "w", "y")}
            bias = None if layer["bias"] is None else np.array(layer["bias"], np.int32)
            codes = linear(codes, w_q, bias, profile=profile, activation=layer["activation"], **given)  # type: ignore[assignment]
        return codes.tolist()
    except ValueError:
        return None


def test_document_alone_gives_every_answer(document: Any) -> None:
    """A runner that reads nothing but the document gets every y, and refuses what is invalid."""
    with np.errstate(all="ignore"):
        wrong = [test["tcId"] for test in all_tests(document) if answered(test, "ort") != test["y"]]
        other = [test["tcId"] for test in all_tests(document) if answered(test, "onnx_ref") != test["y"]]
    assert wrong == [] and other != []


MUTANTS = {
    "stranger": lambda d: d.update(tests=[]),
    "result": lambda d: all_tests(d)[0].update(result="maybe"),
    "half_a_code": lambda d: all_tests(d)[0].update(y=[[0.5]]),
    "no_flags": lambda d: all_tests(d)[0].pop("flags"),
    "id_0": lambda d: all_tests(d)[0].update(tcId=0),
    "type": lambda d: all_tests(d)[0]["layers"][0]["x"].update(type="float"),
    "wide_accumulator": lambda d: all_tests(d)[0]["steps"][0].update(accumulators=[[2**31]]),
    "note": lambda d: d["notes"].update(new={"bugType": "x"}),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_schema_kills(mutant: Any, document: Any) -> None:
    """The schema refuses a document with one thing wrong."""
    bad = json.loads(json.dumps(document))
    MUTANTS[mutant](bad)
    with pytest.raises(ValidationError):
        Draft202012Validator(load_schema()).validate(bad)
