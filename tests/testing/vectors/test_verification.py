"""A runner's answers, judged: right ones pass, one wrong code fails with its place, silence is not green."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.profiles import get
from npquant.profiles.operators import linear, quantize
from npquant.testing import Verification, verify
from npquant.testing.ask import ask
from npquant.testing.bugs.catalogue import bug_named
from npquant.testing.vectors import write
from npquant.testing.vectors.npz import read_cases


@pytest.fixture(scope="module")
def folder(ort: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A whole set."""
    place = tmp_path_factory.mktemp("vectors") / "set"
    write(place, "npz", ort)
    return place


def answers(folder: Any) -> Any:
    """Return what npquant answers to the cases of a folder; None where it refuses."""
    found = {}
    for name, case in read_cases(folder).items():
        codes = case.x_q
        try:
            for layer in case.model.layers:
                if case.op == "quantize":
                    codes = quantize(codes, layer.x, case.model.profile)
                    continue
                given = {"x": layer.x, "w": layer.w, "y": layer.y, "activation": layer.activation}
                codes = linear(codes, layer.w_q, layer.bias, profile=case.model.profile, **given)
        except ValueError:
            codes = None  # type: ignore[assignment]
        found[name] = codes  # type: ignore[assignment]
    return found


def test_right_answers_pass(folder: Any) -> None:
    """What the profile gives passes, whole, and two refusals are among it."""
    given = answers(folder)
    verdict = verify(folder, given)
    assert verdict.passed and verdict.exit_code == 0 and verdict.cases == 16 and not verdict.suspects
    assert sum(codes is None for codes in given.values()) == 2
    assert verdict.text() == "16 vectors of ort judged, 0 wrong"


WRONG = {
    "one_code": (
        "3",
        lambda y: y + (np.arange(y.size) == 4).reshape(y.shape).astype(y.dtype),
        "1 of 30 wrong; at (0, 4)",
    ),
    "refused": ("1", lambda y: None, "was refused; it has an answer"),
    "accepted": ("14", lambda y: np.zeros((3, 4), np.int8), "the only answer is a refusal"),
    "short": ("2", lambda y: y[1:], "has 24 numbers; 30 are due, of shape (5, 6)"),
    "real": ("2", lambda y: y.astype(float), "is answered in float64; whole numbers are due"),
    "negative": ("3", lambda y: y.astype(np.int8).astype(np.int64), "wrong; at"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_answer_fails_with_its_place(wrong: Any, folder: Any) -> None:
    """One vector that is answered wrongly in any way fails the set, and the text says how."""
    name, change, says = WRONG[wrong]
    given = answers(folder)
    verdict = verify(folder, {**given, name: change(given[name])})
    assert not verdict.passed and verdict.exit_code == 1
    assert [failure.id for failure in verdict.failures] == [name] and says in verdict.text()


def test_silence_is_not_green(folder: Any) -> None:
    """A vector without an answer fails the set; no answers at all ran nothing; an unknown name is an error."""
    given = answers(folder)
    del given["7"]
    verdict = verify(folder, given)
    assert (
        not verdict.passed
        and verdict.missing == ("7",)
        and verdict.exit_code == 1
        and "no answer to 1: 7" in verdict.text()
    )
    assert verify(folder, {}).exit_code == 4
    with pytest.raises(ValueError, match=r"name '7\.1'"):
        verify(folder, {"7.1": 0})


def test_declined_vectors_accuse_nobody(folder: Any, tmp_path: Path) -> None:
    """A runner that says what it does not take passes by the rest, and by nothing if that is all."""
    given = answers(folder)
    as_lists = {name: None if codes is None else codes.tolist() for name, codes in given.items()}
    (tmp_path / "out.json").write_text(json.dumps({**as_lists, "12": "declined"}))
    verdict = verify(folder, tmp_path / "out.json")
    assert verdict.passed and verdict.declined == ("12",) and verdict.cases == 15 and "declined 1: 12" in verdict.text()
    assert verify(folder, dict.fromkeys(given, "declined")).exit_code == 4


def test_suspects_name_the_bug(folder: Any) -> None:
    """The answers of a seeded bug raise suspicion of that bug."""
    for name in ("rounding.floors", "saturation.wraps_in_place_of_saturating", "tails.last_input_is_skipped"):
        given = answers(folder)
        for number, case in read_cases(folder).items():
            if case.op == "linear" and case.status == "valid":
                given[number] = ask(bug_named(name).make(get("ort")), case).value
        verdict = verify(folder, given)
        assert not verdict.passed and name in verdict.suspects and name in verdict.text()


def test_outputs_are_read_from_json_and_npz(folder: Any, tmp_path: Path) -> None:
    """Both files give the verdict of the mapping; a refusal is null, or an array of NaN."""
    given = answers(folder)
    as_lists = {name: None if codes is None else codes.tolist() for name, codes in given.items()}
    (tmp_path / "out.json").write_text(json.dumps(as_lists))
    arrays = {name: np.full(1, np.nan) if codes is None else codes for name, codes in given.items()}
    np.savez(tmp_path / "out.npz", **arrays)
    for name in ("out.json", "out.npz"):
        assert verify(folder, tmp_path / name).passed
    as_lists["1"][0][0] += 1  # type: ignore[index]
    (tmp_path / "out.json").write_text(json.dumps(as_lists))
    assert verify(folder, tmp_path / "out.json").failures[0].id == "1"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("out.json", b'{"1": [[1', "no answers by the names"),
        ("out.json", b"[]", "it holds no object"),
        ("out.npz", b"PK\x03\x04", "no whole npz archive"),
        ("out.npz", b"", "no whole npz archive"),
        ("out.txt", b"00000001\n", "1 words, "),
    ],
)
def test_outputs_that_cannot_be_read_are_an_error(name: Any, data: Any, says: Any, folder: Any, tmp_path: Path) -> None:
    """Files that are cut short or no answers are named, and nobody is judged by them."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=f"{name}.*{says}"):
        verify(folder, tmp_path / name)


def test_signature_of_words_that_are_none(own: Any, tmp_path: Path) -> None:
    """A signature with a word that is no hexadecimal number of 32 bits is an error."""
    write(tmp_path / "set", "readmemh", own)
    words = (tmp_path / "set" / "signature.txt").read_text().split()
    for bad in ("0000000x", "1ffffffff"):
        (tmp_path / "out.sig").write_text("\n".join([bad, *words[1:]]))
        with pytest.raises(ValueError, match="not a signature"):
            verify(tmp_path / "set", tmp_path / "out.sig")


def test_verification_reads_as_a_verdict() -> None:
    """passed, cases and exit_code hang together."""
    make = partial(Verification, "ort", "smoke", 0)
    assert make(3, (), (), (), (), ()).exit_code == 0 and make(0, (), (), ("1",), (), ()).exit_code == 4
    assert make(3, (), ("1",), (), (), ()).exit_code == 1
