"""The parser of every command."""

import pytest

from npquant.cli import TASKS, _build_parser, main

COMMANDS = [name for names in TASKS.values() for name in names]
_FILES = {
    **dict.fromkeys(("inspect", "import", "diff", "who", "verify", "report"), ("a.npz",)),
    **dict.fromkeys(("prune", "finetune", "quantize"), ("a.npz", "--out", "b.npz")),
    "export": ("a.npz", "--to", "c", "--out", "b"),
    "sweep": ("--grid", "a.toml", "--out", "b"),
}


def test_help_lists_every_command_once_by_task(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a command, under its task, in the order of the journey."""
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in COMMANDS] == COMMANDS
    assert [line[:-1] for line in lines if line.rstrip(":") in TASKS] == list(TASKS)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_takes_an_abbreviation(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--hel is not --help: it is refused, and --help is what it suggests."""
    with pytest.raises(SystemExit) as ended:
        _build_parser().parse_args([command, *_FILES.get(command, ()), "--hel"])
    assert ended.value.code == 2
    assert "--hel; did you mean --help?" in capsys.readouterr().err


def test_a_mistyped_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """The same for commands and for choices; nothing is suggested where nothing is near."""
    for typed, meant in (
        (["qantize"], "quantize"),
        (["export", "a.npz", "--out", "b", "--to", "tflit"], "tflite"),
        (["zzz"], None),
    ):
        with pytest.raises(SystemExit) as ended:
            main(typed)
        error = capsys.readouterr().err
        assert ended.value.code == 2
        assert ("did you mean" in error) is (meant is not None)
        assert meant is None or f"did you mean {meant}?" in error
