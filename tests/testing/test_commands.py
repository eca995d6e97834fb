"""Laws of the command line: what each command prints and writes, and that its exit code never lies."""

import io
import json
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from signal import SIGINT
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

import npquant.testing.commands as commands
from npquant.profiles import get
from npquant.testing.backend import capabilities_of
from npquant.testing.case import expected_of_layer
from npquant.testing.case_data import as_data, from_data
from npquant.testing.commands import main
from npquant.testing.expected_failures import expected_failures_in
from npquant.testing.named_object import named_object
from npquant.testing.stream import questions, stream_capabilities
from npquant.testing.target import backend_of
from npquant.testing.trial import tier_cases

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TARGETS = str(HERE / "conformance_targets.py")
SCHEMA = json.loads((Path(commands.__file__).parent / "trial.schema.json").read_text(encoding="utf-8"))
SMOKE = ("--profile", "ort", "--tier", "smoke")
# A simulator of ort's arithmetic in Python: reads questions, prints answers; an argument breaks it in one way.
SIMULATOR = """
    import sys
    from npquant.testing.adapters.folder import read_question
    from npquant.testing.case import expected

    how = sys.argv[1] if len(sys.argv) > 1 else ""
    for number, line in enumerate(sys.stdin):
        if how == "stops" and number == 5:
            sys.exit(1)
        whole = {"int8": [-128, 127], "uint8": [0, 255]}
        words = line.split()
        bounds = {"x": whole[words[1]], "w": whole[words[2]], "y": [int(words[9]), int(words[10])]}
        case = read_question(line, "ort", tags=(), activation="none", each=[1, 1], **bounds)
        codes = expected(case).ravel().tolist()
        if how == "wrong" and number == 7:
            codes[0] ^= 1
        print(*codes)
        if how == "talks" and number == 9:
            print("done")
"""


def command(*arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "npquant.testing", *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


def quiet(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run it in this process; return exit code and output."""
    code = main(arguments)
    return code, capsys.readouterr().out


# --- run ---


def test_run_as_a_process_returns_the_verdict() -> None:
    """The door: `python -m npquant.testing run` prints a table of classes and exits with 0."""
    done = command("run", f"{TARGETS}:right", *SMOKE)
    assert done.returncode == 0, done.stderr
    assert re.match(r"\S+ under ort, tier smoke, seed 0: conformant\n", done.stdout)
    assert re.search(r"^  tie +\d+  passed$", done.stdout, re.MULTILINE)
    assert re.search(r"^  float_edge +0  not asked  no question of this class fits", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("target", "code"),
    [("right", 0), ("rounds_up", 1), ("nothing", 2), ("leaves", 3), ("Declining", 4)],
)
def test_exit_codes(target: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 conformant, 1 not, 2 the kit failed, 3 the backend died, 4 nothing ran."""
    assert quiet(capsys, "run", f"{TARGETS}:{target}", *SMOKE, "--classes", "plain,tie,rail")[0] == code


def test_run_keeps_to_96_columns_and_explains(capsys: pytest.CaptureFixture[str]) -> None:
    """No line is longer, and each failed class has its counterexample, with a script that still is Python."""
    code, printed = quiet(capsys, "run", f"{TARGETS}:rounds_up", *SMOKE)
    assert code == 1 and max(map(len, printed.splitlines())) <= 96
    assert printed.count("To run it again") == printed.count("Failure ") >= 1
    script = re.search(r"^  # Run as:.*?^      print\(\"got.*?$", printed, re.MULTILINE | re.DOTALL)
    assert script is not None
    compile(textwrap.dedent(script[0]), "case.py", "exec")


def test_report_follows_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON of a verdict, red or green, is what trial.schema.json says; an edited one is not."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name in ("right", "rounds_up", "Declining"):
        code, _ = quiet(capsys, "run", f"{TARGETS}:{name}", *SMOKE, "--report", str(tmp_path / "r.json"))
        report = json.loads((tmp_path / "r.json").read_text())
        jsonschema.validate(report, SCHEMA)
        assert report["exit_code"] == code and report["passed"] == (code == 0)
        assert [c["name"] for c in report["classes"]][:3] == ["plain", "tie", "rail"]
    report["classes"][0]["result"] = "green"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMA)


def test_junit_has_a_test_case_a_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Failed classes are failures with the report inside, classes that were not asked are skipped: never passed."""
    quiet(capsys, "run", f"{TARGETS}:rounds_up", *SMOKE, "--junit", str(tmp_path / "j.xml"))
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    cases = {case.get("name"): case for case in suite}
    assert len(cases) == int(suite.get("tests", "0")) == 17
    assert "Diagnosis" in (cases["tie"].find("failure").text or "")
    assert cases["float_edge"].find("skipped") is not None and len(cases["plain"]) == 0
    assert suite.get("failures") == str(sum(case.find("failure") is not None for case in suite))


def test_expected_failures_are_told_and_not_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A known failure is no failure; a known one that passes is; neither is shrunk or printed as a counterexample."""
    known = tmp_path / "known.txt"
    failing = json.loads(_report(tmp_path, "rounds_up", capsys))["failures"]
    known.write_text("# since 1.2\n" + "".join(f"{f['class']}: rounds half up\n" for f in failing))
    code, printed = quiet(capsys, "run", f"{TARGETS}:rounds_up", *SMOKE, "--xfail", str(known))
    assert code == 0 and "expected   rounds half up" in printed and "Failure" not in printed
    code, printed = quiet(capsys, "run", f"{TARGETS}:right", *SMOKE, "--xfail", str(known))
    assert code == 1 and "tie passed and was expected to fail: rounds half up" in printed


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tie\n", "line 1: write `class: reason`"),
        ("tie:\n", "line 1: write `class: reason`"),
        ("\nties: up\n", "line 2: there is no case class 'ties'"),
        ("tie: a\ntie: b\n", "line 2: tie is named twice"),
    ],
)
def test_expected_failures_are_read_strictly(text: str, complaint: str) -> None:
    """A line of another form, an unknown class, a class named twice: each is an error with its line."""
    with pytest.raises(ValueError, match=re.escape(complaint)):
        expected_failures_in(text)


def test_run_leaves_a_report_alone_that_it_cannot_write(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there is said before the trial, not after it."""
    start = time.perf_counter()
    assert quiet(capsys, "run", f"{TARGETS}:right", "--profile", "ort", "--report", "no/such/r.json")[0] == 2
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("nowhere:backend", "nowhere cannot be imported: ModuleNotFoundError"),
        (f"{TARGETS}:none", "has no attribute 'none'"),
        (f"{TARGETS}:number", "is int: neither a function nor an object with name, profile and prepare"),
        (f"{TARGETS}:Demanding", "cannot be made without arguments: TypeError"),
        (f"{TARGETS}:right", "a function claims no profile"),
        ("right", "write module:attribute"),
        ("missing.so", "a library claims no profile"),
    ],
)
def test_targets_that_are_none_are_named(target: str, complaint: str) -> None:
    """Whatever is wrong with a target is said in a line, and is the kit's exit code 2, never a verdict."""
    with pytest.raises(ValueError, match=re.escape(complaint)):
        backend_of(target)


def test_targets_that_need_one_another() -> None:
    """A target and a command, or neither, is an error; a program needs a profile, and must be there."""
    for arguments in ({"target": None}, {"target": "a:b", "command": "c"}):
        with pytest.raises(ValueError, match="give either a target"):
            backend_of(**arguments)
    with pytest.raises(ValueError, match="a program claims no profile"):
        backend_of(None, command="cat")
    with pytest.raises(ValueError, match="no program"):
        backend_of(None, command="no-such-program", profile="ort")
    assert callable(named_object("npquant.profiles:get"))


def test_import_that_exits_is_an_error_of_the_target(tmp_path: Path) -> None:
    """A module that calls sys.exit, or raises anything, cannot end the trial with its own exit code."""
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(ValueError, match="cannot be imported: SystemExit: 0"):
        backend_of(f"{tmp_path / 'leaving.py'}:f", profile="ort")


def test_forever_ends_with_a_verdict_on_ctrl_c(tmp_path: Path) -> None:
    """SIGINT ends the tier "forever" with a table and the exit code of what is known by then."""
    arguments = ["run", f"{TARGETS}:right", "--profile", "ort", "--tier", "forever", "--classes", "plain"]
    with subprocess.Popen(
        [sys.executable, "-m", "npquant.testing", *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        time.sleep(4)
        running.send_signal(SIGINT)
        printed, _ = running.communicate(timeout=60)
    assert running.returncode == 0 and "tier forever, seed 0: conformant" in printed


def test_mistake_of_the_kit_is_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that nobody foresaw is told with its traceback, and is no verdict."""
    monkeypatch.setattr("npquant.testing.trial.run", lambda *a, **k: 1 // 0)
    assert main(["run", f"{TARGETS}:right", *SMOKE]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


# --- the pipe, and folders ---


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("", 0, ": conformant"),
        ("wrong", 1, "gave a wrong code"),
        ("stops", 3, "the answers end before question 6"),
        ("talks", 1, "answered with junk"),
    ],
)
def test_stream_through_a_simulator(how: str, code: int, said: str, tmp_path: Path) -> None:
    """generate --stream | sim | verify --stream: right is 0, a wrong code 1, an early end 3, chatter 1."""
    simulator = tmp_path / "simulator.py"
    simulator.write_text(textwrap.dedent(SIMULATOR))
    options = [*SMOKE, "--classes", "plain,tie,rail"]
    asked = command("generate", "--stream", *options)
    done = subprocess.run(
        [sys.executable, str(simulator), *([how] if how else [])],
        input=asked.stdout,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    verdict = command("verify", "--stream", *options, given=done.stdout)
    assert (verdict.returncode, said in verdict.stdout) == (code, True), verdict.stdout + verdict.stderr


def test_stream_of_an_engine_without_a_layer_asks_quantize(capsys: pytest.CaptureFixture[str]) -> None:
    """--ops quantize is all that can be asked of it; linear is refused with the reason."""
    code, printed = quiet(capsys, "generate", "--stream", "--profile", "qonnx", "--tier", "smoke", "--ops", "quantize")
    assert code == 0 and {line.split()[0] for line in printed.splitlines()} == {"quantize"}
    with pytest.raises(ValueError, match="qonnx has no layer of codes"):
        stream_capabilities(get("qonnx"), ("linear", "quantize"))


def test_stream_without_answers_is_nothing() -> None:
    """A simulator that is not there leaves an empty stream: exit code 4, not 0."""
    assert command("verify", "--stream", *SMOKE, given="").returncode == 4


def test_stream_is_the_same_twice_and_another_for_another_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """The questions depend on profile, tier, classes and seed alone, so that verify can make them again."""
    options = ("generate", "--stream", "--profile", "ort", "--tier", "standard", "--classes", "plain")
    first, again = quiet(capsys, *options), quiet(capsys, *options)
    assert first == again and first[0] == 0
    assert quiet(capsys, *options, "--seed", "1")[1] != first[1]


def test_stream_explains_though_nobody_can_be_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong answer of a stream has a report with stages and a diagnosis, unshrunk."""
    _, asked = quiet(capsys, "generate", "--stream", *SMOKE, "--classes", "tie")
    profile = get("ort")
    wrong = get("tvm_upward")
    lines = []
    for _, case in questions(profile, stream_capabilities(profile, ("linear",)), "smoke", 0, ["tie"]):
        layer = case.model.layers[0]
        lines.append(" ".join(map(str, expected_of_layer(layer, case.x_q, wrong).ravel().tolist())))
    assert len(lines) == len(asked.splitlines())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
        code, printed = quiet(capsys, "verify", "--stream", *SMOKE, "--classes", "tie")
    assert code == 1 and "Stages of" in printed and "rounding.sends_ties_up" in printed


def test_folder_of_questions_goes_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """generate --format pipe, answers by a simulator, verify FOLDER OUTPUTS."""
    folder, simulator = tmp_path / "asked", tmp_path / "simulator.py"
    simulator.write_text(textwrap.dedent(SIMULATOR))
    assert quiet(capsys, "generate", "--format", "pipe", *SMOKE, "--out", str(folder))[0] == 0
    with (folder / "questions.txt").open() as asked, (tmp_path / "out.txt").open("w") as answered:
        subprocess.run([sys.executable, str(simulator)], stdin=asked, stdout=answered, cwd=ROOT, check=True)
    report = str(tmp_path / "r.json")
    code, _ = quiet(capsys, "verify", str(folder), str(tmp_path / "out.txt"), "--report", report)
    assert code == 0
    jsonschema.validate(json.loads(Path(report).read_text()), SCHEMA)


def test_golden_vectors_go_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """generate --format readmemh, and verify with its own signature: 0; with a digit changed: 1."""
    folder = tmp_path / "v"
    code, printed = quiet(capsys, "generate", "--format", "readmemh", "--profile", "ort", "--out", str(folder))
    assert code == 0 and re.search(r"vectors in .*; they kill \d+ of \d+ known bugs", printed)
    signature = (folder / "signature.txt").read_text().splitlines()
    (tmp_path / "out.txt").write_text("\n".join(signature) + "\n")
    assert quiet(capsys, "verify", str(folder), str(tmp_path / "out.txt"))[0] == 0
    signature[3] = f"{int(signature[3], 16) ^ 1:08x}"
    (tmp_path / "out.txt").write_text("\n".join(signature) + "\n")
    code, printed = quiet(capsys, "verify", str(folder), str(tmp_path / "out.txt"))
    assert code == 1 and "1 wrong" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "--profile", "ort"),
        ("generate", "--stream"),
        ("generate", "--stream", "--profile", "ort", "--out", "x"),
        ("generate", "--format", "c", "--profile", "ort", "--out", "x", "--classes", "tie"),
        ("generate", "--format", "pipe", "--profile", "ort", "--out", "x", "--tier", "forever"),
        ("generate", "--stream", "--profile", "nobody"),
        ("generate", "--stream", "--profile", "tosa_single", "--ops", "quantize"),
        ("generate", "--stream", "--profile", "ort", "--ops", "conv"),
        ("verify",),
        ("verify", "no_such_folder", "out.txt"),
        ("explain", "no_such_report.json"),
        ("coverage",),
        ("coverage", "a.npz", "--standard"),
        ("mutants", "--groups", "nothing"),
        ("run", f"{TARGETS}:right", "--profile", "ort", "--classes", "nothing"),
    ],
    ids=" ".join,
)
def test_bad_arguments_are_one_line_and_exit_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be done is said on stderr, and nothing on stdout."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("npquant.testing: error: ") and captured.err.count("\n") == 1
    assert captured.out == ""


# --- explain, minimize, mutants, coverage, fingerprint, header ---


def _report(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    quiet(capsys, "run", f"{TARGETS}:{name}", *SMOKE, "--report", str(tmp_path / "r.json"))
    return (tmp_path / "r.json").read_text()


def test_explain_says_what_run_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The counterexamples of a report are those that were printed, a script of it runs, the exit code is the run's."""
    _, printed = quiet(capsys, "run", f"{TARGETS}:rounds_up", *SMOKE, "--report", str(tmp_path / "r.json"))
    code, explained = quiet(capsys, "explain", str(tmp_path / "r.json"), "--class", "tie")
    assert code == 1 and explained in printed
    _, script = quiet(capsys, "explain", str(tmp_path / "r.json"), "--class", "tie", "--as", "script")
    (tmp_path / "case.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "case.py")], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.startswith("want ")


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 99, "failures": [], "exit_code": 0}'])
def test_explain_refuses_what_is_no_report(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Truncated, another document, a newer schema: exit code 2, with the file's name."""
    (tmp_path / "r.json").write_text(text)
    assert main(["explain", str(tmp_path / "r.json")]) == 2
    assert "r.json" in capsys.readouterr().err


def test_minimize_asks_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same backend is still wrong, 1; a repaired one is right, 0; a report without failures is nothing, 4."""
    _report(tmp_path, "rounds_up", capsys)
    report = str(tmp_path / "r.json")
    code, printed = quiet(capsys, "minimize", f"{TARGETS}:rounds_up", report)
    assert code == 1 and "Stages of" in printed
    code, printed = quiet(capsys, "minimize", f"{TARGETS}:right", report)
    assert code == 0 and "tie: right now" in printed
    _report(tmp_path, "right", capsys)
    assert quiet(capsys, "minimize", f"{TARGETS}:right", report)[0] == 4


def test_mutants_are_listed_and_killed(capsys: pytest.CaptureFixture[str]) -> None:
    """The list names each bug with where it was met; --run kills every one of a group."""
    code, printed = quiet(capsys, "mutants")
    assert code == 0 and "rounding.truncates_toward_zero" in printed and "microsoft/onnxruntime#32452" in printed
    assert max(map(len, printed.splitlines())) <= 96
    code, printed = quiet(capsys, "mutants", "--run", "--groups", "rounding,saturation")
    assert code == 0 and "SURVIVED" not in printed


def test_mutants_that_cannot_show_survive(capsys: pytest.CaptureFixture[str]) -> None:
    """Rounding up is no bug under a profile that rounds up: it survives, and the exit code says so."""
    code, printed = quiet(capsys, "mutants", "--run", "--groups", "accumulators", "--profile", "npquant")
    assert code == 1 and printed.count("SURVIVED") == 1


@pytest.mark.slow
def test_coverage_of_the_standard_tier_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Every rule is told and every declared situation met under ort."""
    code, printed = quiet(capsys, "coverage", "--standard", "--profile", "ort")
    assert code == 0, printed
    assert max(map(len, printed.splitlines())) <= 96


def test_coverage_of_a_layer_says_what_it_cannot_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One product tells few rules: the table has a line for each, and the exit code is 1."""
    one = {"x_q": [[-1]], "w_q": [[5]], "y_q": [[-3]], "sx": 0.5, "sw": 0.5, "sy": 0.5, "w_type": "int8"}
    (tmp_path / "one.json").write_text(json.dumps(one))
    code, printed = quiet(capsys, "coverage", str(tmp_path / "one.json"), "--profile", "tflite_ref")
    assert code == 1 and re.search(r"rules told +\d+ of \d+", printed)


def test_fingerprint_names_the_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    """ort's kernel is ort's; a backend that declines everything is nobody's: 4."""
    code, printed = quiet(capsys, "fingerprint", f"{TARGETS}:right", "--profile", "ort", "--json")
    assert code == 0 and "ort" in json.loads(printed)["same"]
    assert quiet(capsys, "fingerprint", f"{TARGETS}:Declining")[0] == 4


def test_header_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """The path that is printed is a header's, and its folder is what -I takes."""
    _, path = quiet(capsys, "header")
    _, folder = quiet(capsys, "header", "--folder")
    assert Path(path.strip()).is_file() and Path(path.strip()).parent == Path(folder.strip())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
def test_program_in_c_is_judged_from_the_command_line(tmp_path: Path) -> None:
    """The forty lines of C of the pipe are conformant under npquant, and not under ort."""
    program = tmp_path / "kernel"
    source = HERE / "kernels" / "pipe_kernel.c"
    subprocess.run(["gcc", "-O2", "-w", "-o", str(program), str(source)], check=True, timeout=60)
    assert command("run", "--command", str(program), "--profile", "npquant", "--tier", "smoke").returncode == 0
    assert command("run", "--command", str(program), "--profile", "ort", "--tier", "smoke").returncode == 1


# --- the data of a case ---


def test_case_data_keeps_every_bit() -> None:
    """A case that went through JSON is the same in every array, type, layout and tag."""
    profile = get("ort")
    for case in tier_cases(profile, capabilities_of(profile), "smoke", 0):
        data = as_data(case)
        again = from_data(json.loads(json.dumps(data, allow_nan=False)))
        assert as_data(again) == data
        assert again.x_q.dtype == case.x_q.dtype and np.array_equal(again.x_q, case.x_q, equal_nan=case.op != "linear")


def test_case_data_refuses_what_is_none() -> None:
    """A dictionary that lacks a part is a ValueError."""
    data: dict[str, Any] = {"model": {}}
    with pytest.raises(ValueError, match="this is no case: KeyError"):
        from_data(data)
