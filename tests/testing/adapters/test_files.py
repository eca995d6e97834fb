"""Folders of questions and answers: the answers of a right kernel pass, and no damaged file is taken for whole."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing import from_files, run, verify_offline, write_questions
from npquant.testing.adapters.folder import read_cases
from npquant.testing.adapters.operands import plain_capabilities
from npquant.testing.adapters.pipe import write_question
from npquant.testing.backend import why_not_asked
from npquant.testing.case import expected, one_layer
from npquant.testing.trial import TIERS, chosen_classes, class_cases
from tests.testing.adapters.compiled import compiled

CLASSES = ["plain", "tie", "channel", "degenerate", "activation", "zero_point", "sequence", "network", "float_edge"]


def cases(profile: Any, tier: str = "smoke") -> Any:
    """Return the cases of a few classes."""
    record = get(profile)
    can = plain_capabilities(record)
    drawn = [c for m in chosen_classes(CLASSES) for c in class_cases(m, record, can, TIERS[tier], 0)]
    return [case for case in drawn if not why_not_asked(case, can)]


@pytest.fixture
def answered(tmp_path: Path) -> Any:
    """Return a folder of questions, with the right answers as text."""
    write_questions(tmp_path, cases("npquant"))
    lines = [" ".join(map(str, expected(case).ravel())) + "\n" for case in read_cases(tmp_path)]
    (tmp_path / "answers.txt").write_text("".join(lines))
    return tmp_path


@pytest.mark.parametrize("profile", ["npquant", "ort", "fbgemm", "gemmini_f32", "tflite_ref"])
def test_questions_read_back_are_the_cases(profile: Any, tmp_path: Path) -> None:
    """A question read back asks the same, and its profile answers the same."""
    asked = [c for c in cases(profile) if len(c.model.layers) == 1]
    lines = [write_question(case) for case in asked]
    write_questions(tmp_path, asked)
    read = read_cases(tmp_path)
    assert [write_question(case) for case in read] == list(dict.fromkeys(lines))
    first = dict(zip(reversed(lines), reversed(asked), strict=True))
    for case in read:
        assert np.array_equal(expected(case), expected(first[write_question(case)]))
        assert case.tags == first[write_question(case)].tags


def test_quantize_questions_read_back(tmp_path: Path) -> None:
    """Real values come back bit for bit, NaN as NaN, and so do their codes."""
    record = get("ort")
    (module,) = chosen_classes(["float_edge"])
    asked = list(module.lattice(record, replace(plain_capabilities(record), ops=("quantize",))))
    write_questions(tmp_path, asked)
    for case, before in zip(read_cases(tmp_path), asked, strict=True):
        assert case.op == "quantize" and np.array_equal(case.x_q.view(np.int32) << 10, before.x_q.view(np.int32) << 10)
        with np.errstate(all="ignore"):
            assert np.array_equal(expected(case), expected(before))


def test_program_that_reads_a_file_is_judged(tmp_path: Path) -> None:
    """The kernel of the pipe, run over the file of questions, is conformant; a wrong one is not."""
    for change, passed in (((), True), (("+ ((int64_t)1 << (shift - 1))", ""), False)):
        program = compiled(tmp_path, "pipe_kernel.c", *change)
        folder = tmp_path / "asked"
        write_questions(folder, cases("tflite_single"))
        with (folder / "questions.txt").open() as asked, (folder / "answers.txt").open("w") as answers:
            subprocess.run([str(program)], stdin=asked, stdout=answers, check=True)
        verdict = verify_offline(folder)
        assert verdict.passed is passed and verdict.cases > 20
        assert {failure.kind for failure in verdict.failures} <= {kinds.WRONG_VALUE}
        assert run(from_files(folder), classes=["plain"], tier="smoke").cases > 0


def test_arrays_are_answers_too(answered: Any) -> None:
    """answers.npz holds one array a question; a missing one is declined, a wrong dtype is a finding."""
    arrays = {str(i): expected(case) for i, case in enumerate(read_cases(answered))}
    (answered / "answers.txt").unlink()
    np.savez(answered / "answers.npz", **arrays)
    whole = verify_offline(answered)
    assert whole.passed
    del arrays["0"]
    arrays["1"] = arrays["1"].astype(np.int32)
    np.savez(answered / "answers.npz", **arrays)
    verdict = verify_offline(answered)
    assert sum(result.skipped.get("not answered", 0) for result in verdict.classes) == 1
    assert [failure.kind for failure in verdict.failures] == [kinds.WRONG_TYPE]


def test_question_without_an_answer_is_counted_apart(answered: Any) -> None:
    """`decline` stands for an answer that there is not: skipped by name, and nothing but such is nothing."""
    lines = (answered / "answers.txt").read_text().splitlines()
    (answered / "answers.txt").write_text("\n".join(["decline out of time", *lines[1:]]) + "\n")
    verdict = verify_offline(answered)
    assert verdict.passed and sum(result.skipped.get("out of time", 0) for result in verdict.classes) == 1
    (answered / "answers.txt").write_text("decline\n" * len(lines))
    assert verify_offline(answered).exit_code == 4


def test_wrong_answers_are_findings(answered: Any) -> None:
    """A wrong code, junk and a wrong count are findings of their lines."""
    lines = (answered / "answers.txt").read_text().splitlines()
    for line, kind in (("junk", kinds.JUNK), ("1 2 3 4 5 6 7 8 9 10 11", kinds.WRONG_SHAPE), ("999", kinds.NO_CODE)):
        (answered / "answers.txt").write_text("\n".join([line, *lines[1:]]) + "\n")
        assert [failure.kind for failure in verify_offline(answered).failures] == [kind]


def test_damaged_folders_are_refused(answered: Any) -> None:
    """A file cut short, edited, too long, missing or of a newer schema is a clear error, never a verdict."""
    kept = {name: (answered / name).read_bytes() for name in ("questions.txt", "answers.txt", "manifest.json")}
    manifest = json.loads(kept["manifest.json"])
    edited = [{**case, "activation": "relu"} for case in manifest["cases"]]
    damage = [
        ("answers.txt", kept["answers.txt"][:-20], "cut short"),
        ("answers.txt", kept["answers.txt"][:-1], "cut short"),
        ("answers.txt", kept["answers.txt"] + b"1\n", "too long"),
        ("answers.txt", b"", "cut short"),
        ("questions.txt", kept["questions.txt"].replace(b" 1 ", b" 2 ", 1), "edited"),
        ("questions.txt", kept["questions.txt"][:-50], "edited"),
        ("manifest.json", json.dumps({**manifest, "cases": edited}).encode(), "edited"),
        ("manifest.json", json.dumps({**manifest, "schema": 2}).encode(), "schema 2"),
        ("manifest.json", kept["manifest.json"][:40], "cannot be read"),
        ("manifest.json", b"{}", "cannot be read"),
        ("answers.npz", b"PK", "one of the two"),
    ]
    for name, data, words in damage:
        (answered / name).write_bytes(data)
        with pytest.raises(ValueError, match=words):
            verify_offline(answered)
        (answered / name).unlink()
        for whole, content in kept.items():
            (answered / whole).write_bytes(content)
    (answered / "answers.txt").unlink()
    with pytest.raises(ValueError, match="it holds 0"):
        verify_offline(answered)
    (answered / "answers.npz").write_bytes(b"PK\3\4 cut short")
    with pytest.raises(ValueError, match="cannot be read"):
        verify_offline(answered)
    (answered / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        from_files(answered)


def test_other_profile_is_refused(answered: Any) -> None:
    """Answers to one profile's questions say nothing of another's."""
    with pytest.raises(ValueError, match="written under npquant"):
        from_files(answered, profile="ort")
    assert from_files(answered, profile="npquant").profile == "npquant"


def test_only_layers_of_one_profile_are_written(tmp_path: Path) -> None:
    """Networks and illegal cases are left out, equal cases written once; nothing and two profiles are refused."""
    p = QuantParams(0.5, 0, -128, 127)
    one = one_layer(np.array([[1]], np.int8), np.array([[2]], np.int8), None, p, p, p, "npquant")
    two = one_layer(np.array([[1]], np.int8), np.array([[2]], np.int8), None, p, p, p, "ort")
    assert write_questions(tmp_path, [one, one]) == 1
    network = next(
        class_cases(
            chosen_classes(["network"])[0], get("npquant"), plain_capabilities(get("npquant")), TIERS["smoke"], 0
        )
    )
    assert write_questions(tmp_path, [one, network]) == 1
    for several in ([], [network], [one, two]):
        with pytest.raises(ValueError, match="profiles"):
            write_questions(tmp_path, several)
