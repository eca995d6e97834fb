"""Programs behind the pipe: a right one passes, each wrong one is named, and no crash or silence loses the run."""

import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.kernels.qparams import QuantParams
from npquant.testing import backend as kinds
from npquant.testing import from_process, run
from npquant.testing.ask import ask
from npquant.testing.backend import Capabilities
from npquant.testing.case import one_layer
from npquant.testing.judge import judge
from tests.testing.adapters.compiled import KERNELS, compiled

ROOT = KERNELS.parents[2]

P = QuantParams(0.5, 0, -128, 127)
# The answer to this case is 2.
CASE = one_layer(np.array([[1]], np.int8), np.array([[4]], np.int8), np.zeros(1, np.int32), P, P, P, "npquant")
CLASSES = ["plain", "tie", "tail", "sequence", "deep"]


def test_kernels_are_short_and_stand_on_the_page() -> None:
    """The kernel over the pipe is 40 lines of C at most, and the page shows both kernels as they are tested."""
    page = (ROOT / "docs" / "plug-in.md").read_text(encoding="utf-8")
    texts = [(KERNELS / name).read_text(encoding="utf-8") for name in ("pipe_kernel.c", "shared_kernel.c")]
    assert len(texts[0].splitlines()) <= 40
    assert all(text in page for text in texts)


@pytest.mark.parametrize("profile", ["npquant", "tflite_single"])
def test_right_kernel_passes(profile: Any, tmp_path: Path) -> None:
    """A right kernel over the pipe is conformant under both profiles of its arithmetic, in 30 s of the kit at most."""
    begin = time.process_time()
    verdict = run(from_process([str(compiled(tmp_path, "pipe_kernel.c"))], profile=profile))
    assert verdict.passed and verdict.exit_code == 0
    assert verdict.cases > 2000 and time.process_time() - begin < 30


# A piece of one line of the kernel, what stands there instead, and the kind that names it.
WRONG = {
    "no_rounding_constant": ("+ ((int64_t)1 << (shift - 1))", "", kinds.WRONG_VALUE),
    "rounds_half_away": (
        "((int64_t)1 << (shift - 1))",
        "((int64_t)1 << (shift - 1)) - (acc < 0)",
        kinds.WRONG_VALUE,
    ),
    "nothing_but_the_order": (
        "i = 0; i < k; i++)\n                    acc",
        "i = k; i-- > 0;)\n                    acc",
        None,
    ),
    "no_clamp": ("y < low ? low : y > high ? high : y", "y", kinds.NO_CODE),
    "wraps": ("y < low ? low : y > high ? high : y", "(int8_t)y", kinds.WRONG_VALUE),
    "tail_of_four": ("acc += (x[i]", "acc += (i >= 64 && i >= k - k % 4) ? 0 : (x[i]", kinds.WRONG_VALUE),
    "stale_accumulator": ("int64_t acc = bias[j];", "static int64_t acc; acc += bias[j];", kinds.WRONG_VALUE),
    "last_output_first": ("w[i * n + j]", "w[j * k + i]", kinds.WRONG_VALUE),
    "input_zero_point_added": ("x[i] - zx", "x[i] + zx", kinds.WRONG_VALUE),
    "int16_accumulator": ("requantize((int32_t)acc", "requantize((int16_t)acc", kinds.WRONG_VALUE),
    "crashes": ("int64_t acc = bias[j];", "int64_t acc = bias[j]; if (k > 32) abort();", kinds.CRASHED),
    "hangs": ("int64_t acc = bias[j];", "int64_t acc = bias[j]; while (k > 32) getc(stderr);", kinds.HUNG),
    "chatters": ("int64_t acc = bias[j];", 'int64_t acc = bias[j]; if (k > 32) printf("acc ");', kinds.JUNK),
    "answers_rows_apart": (
        "for (int i = 0; i < k; i++)\n                scanf",
        'if (row) printf("\\n");\n for (int i = 0; i < k; i++)\n                scanf',
        kinds.WRONG_SHAPE,
    ),
    "leaves_one_out": ("for (int j = 0; j < n; j++) {", "for (int j = 0; j < n - (n > 8); j++) {", kinds.WRONG_SHAPE),
    "writes_out_of_bounds": ("int64_t acc = bias[j];", "int64_t acc = bias[j]; x[1 << 28] = 0;", kinds.CRASHED),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_kernel_is_named(name: Any, tmp_path: Path) -> None:
    """One changed line fails the trial with the right kind; a change that changes nothing does not."""
    old, new, kind = WRONG[name]
    program = compiled(tmp_path, "pipe_kernel.c", old, new)
    classes = CLASSES if kind not in (kinds.HUNG, kinds.CRASHED) else ["tail"]
    timeout = 1.0 if kind == kinds.HUNG else 20.0
    verdict = run(from_process([str(program)], profile="npquant", timeout=timeout), classes=classes)
    if kind is None:
        # int64 sums do not mind the order.
        assert verdict.passed
    else:
        assert kind in {failure.kind for failure in verdict.failures}
        assert verdict.exit_code == (3 if kind in (kinds.HUNG, kinds.CRASHED) else 1)


def script(text: str, **keywords: Any) -> Any:
    """Return a backend of a Python program that has read its questions as `lines`."""
    program = f"import os, sys, time, signal\nlines = iter(sys.stdin.readline, '')\n{text}"
    return from_process([sys.executable, "-u", "-c", program], profile="npquant", **{"timeout": 20.0, **keywords})


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("for line in lines: print(2)", kinds.VALUE, ""),
        ("for line in lines: print('\\n 2 \\r')", kinds.VALUE, ""),
        ("print('npquant-pipe 1')\nfor line in lines: print(2)", kinds.VALUE, ""),
        ("next(lines); print(2, end='')", kinds.VALUE, ""),
        ("for line in lines: print('decline no such layer')", kinds.DECLINED, "no such layer"),
        ("for line in lines: print('reject scale')", kinds.REJECTED, "scale"),
        ("for line in lines: print(2, 2)", kinds.WRONG_SHAPE, "2 numbers, 1 were due"),
        ("for line in lines: print(128)", kinds.NO_CODE, "128 at (0, 0) is outside int8"),
        ("for line in lines: print('2.0')", kinds.JUNK, "'2.0' is no whole number"),
        ("for line in lines: print('acc = 4')", kinds.JUNK, "acc = 4"),
        ("for line in lines: sys.stdout.write('2\\ndone\\n')", kinds.JUNK, "'done'"),
        ("for line in lines: sys.stdout.buffer.write(b'\\xff\\xfe\\n')", kinds.JUNK, ""),
        ("for line in lines:\n while True: sys.stdout.write('7 ' * 9999)", kinds.JUNK, "without an end of line"),
        ("for line in lines: sys.stderr.write('x' * 10**6); print(2)", kinds.VALUE, ""),
        ("next(lines); print('no such core', file=sys.stderr); sys.exit(3)", kinds.CRASHED, "exit status 3"),
        ("next(lines); print('no such core', file=sys.stderr); sys.exit(3)", kinds.CRASHED, "no such core"),
        ("next(lines)", kinds.CRASHED, "exit status 0"),
        ("next(lines); os.kill(os.getpid(), signal.SIGSEGV)", kinds.CRASHED, "SIGSEGV"),
        ("os.close(1); time.sleep(60)", kinds.CRASHED, "closed its standard output"),
        ("raise SystemExit('bad')", kinds.CRASHED, "bad"),
    ],
)
def test_program_is_judged_by_what_it_does(text: str, kind: Any, words: str) -> None:
    """Each way to answer, and each way not to, has a name, and its detail says what happened."""
    backend = script(text)
    outcome = ask(backend, CASE)
    assert outcome.kind == kind and words in outcome.detail
    backend.close()


def test_silent_program_is_killed_in_time() -> None:
    """A program that never answers is killed when its time is over, and one that never reads too."""
    for text in ("time.sleep(60)", "for line in lines: time.sleep(60)"):
        start = time.monotonic()
        backend = script(text, timeout=0.4)
        outcome = ask(backend, CASE)
        assert outcome.kind == kinds.HUNG and "0.4 s" in outcome.detail
        assert time.monotonic() - start < 10


def test_program_is_started_anew_after_a_fault() -> None:
    """The question after a crash, after junk and after too much is answered by a fresh program."""
    for fault in ("sys.exit(9)", "print('junk')", "print(2, 2, 2)", "print('2\\n2')"):
        backend = script(f"for i, line in enumerate(lines):\n if i: {fault}\n else: print(2)")
        assert [ask(backend, CASE).kind == kinds.VALUE for _ in range(4)] == [True, False, True, False]
        backend.close()


def test_program_that_ends_in_peace_after_each_answer_is_no_fault() -> None:
    """One process a question is a legal way to answer."""
    backend = script("next(lines); print(2)")
    assert [ask(backend, CASE).kind for _ in range(4)] == [kinds.VALUE] * 4


def test_words_after_an_answer_are_found_before_the_next_question() -> None:
    """Chatter that comes late is not taken for the next answer."""
    backend = script("for line in lines: print(2); time.sleep(0.2); print(2)")
    assert ask(backend, CASE).kind == kinds.VALUE
    time.sleep(1.0)
    outcome = ask(backend, CASE)
    assert outcome.kind == kinds.JUNK and "before the question" in outcome.detail


def test_large_questions_and_answers_do_not_block_each_other() -> None:
    """A program that answers while it still reads meets no deadlock: both pipes move at once."""
    rng = np.random.default_rng(0)
    x_q = rng.integers(-128, 128, (300, 100)).astype(np.int8)
    w_q = rng.integers(-128, 128, (100, 400)).astype(np.int8)
    case = one_layer(x_q, w_q, None, P, P, P, "npquant")
    # More than a pipe holds, in both directions: the answer is written when ten bytes of the question are read.
    backend = script("os.read(0, 10); sys.stdout.write('0 ' * 120000); next(lines); print()")
    assert ask(backend, case).kind == kinds.VALUE
    backend.close()


def test_flaky_program_is_named() -> None:
    """A program that answers one question in two ways is flaky, not wrong."""
    finding, _ = judge(script("for i, line in enumerate(lines): print(i + 5)"), CASE)
    assert finding is not None and finding.kind == kinds.FLAKY


def test_greeting_states_what_a_program_takes() -> None:
    """A greeting narrows what is asked, and adds QUANTIZE; what the caller states overrules it."""
    text = "print('npquant-pipe 1 ops=linear,quantize activations=none max_depth=8')\nfor line in lines: print(2)"
    can = script(text).capabilities()
    assert can.ops == ("linear", "quantize") and can.activations == ("none",) and can.max_depth == 8
    stated = Capabilities(max_depth=3)
    assert script(text, capabilities=stated).capabilities() is stated
    for word in ("npquant-pipe 2", "npquant-pipe 1 colour=red", "npquant-pipe 1 max_depth=deep"):
        with pytest.raises(ValueError, match="greets with"):
            script(f"print('{word}')\nfor line in lines: print(2)").capabilities()


def test_quantize_over_the_pipe_is_exact() -> None:
    """A program that quantizes as its profile does passes, with NaN, infinities and both zeros on the line."""
    text = """
import numpy as np
from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import linear, quantize
print('npquant-pipe 1 ops=quantize')
for line in lines:
    verb, kind, count, zero, low, high, scale, *values = line.split()
    if verb != 'quantize':
        print('decline')
        continue
    p = QuantParams(float.fromhex(scale), int(zero), int(low), int(high))
    with np.errstate(all='ignore'):
        print(*quantize(np.array([float.fromhex(v) for v in values], np.float32), p, 'ort'))
"""
    backend = script("sys.path.insert(0, '" + os.getcwd() + "')" + text)
    verdict = run(backend, profile="ort", classes=["float_edge"], tier="smoke")
    assert verdict.passed and verdict.cases > 100


def test_program_ends_with_its_backend() -> None:
    """A backend that is forgotten leaves no process behind."""
    backend = script("print('npquant-pipe 1')\nfor line in lines: print(2)")
    assert ask(backend, CASE).kind == kinds.VALUE
    pid = backend.program._running[0].process.pid
    del backend
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)


def test_unusable_command_is_refused_at_once() -> None:
    """No program, and no such program, are errors of the caller."""
    with pytest.raises(ValueError, match="empty"):
        from_process([], profile="npquant")
    with pytest.raises(FileNotFoundError, match="no_such_program"):
        from_process("no_such_program -x", profile="npquant")


def test_file_that_cannot_be_run_is_a_crash(tmp_path: Path) -> None:
    """What the system refuses to start is a finding with its reason."""
    program = tmp_path / "kernel"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    outcome = ask(from_process([str(program)], profile="npquant"), CASE)
    assert outcome.kind == kinds.CRASHED and "could not be started" in outcome.detail
