"""What all commands share: usage errors, the version, a light start."""

import subprocess
import sys

import pytest

import npquant
from npquant.cli import main
from tests.cli.process import ENVIRONMENT


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--bits", "x"], ["run", "--hidden", "a,b"], ["run", "-x"]])
def test_usage_errors_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What argparse refuses exits 2 with the usage."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: npquant" in capsys.readouterr().err


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the version."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"npquant {npquant.__version__}\n"


PROBE = """
import sys
from npquant.cli import main
sys.argv = ["npquant", *sys.argv[1:]]
try:
    main()
finally:
    print(sorted({name.split(".")[0] for name in sys.modules} & {"numpy", "scipy", "hypothesis"}))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_loads_no_numpy(arguments: list[str]) -> None:
    """Help answers at once: building the parser loads the standard library alone."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: npquant")
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("abbreviated", ["--max-dr", "--verb", "--js"])
def test_options_are_not_abbreviated(abbreviated: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not the whole name of an option is a usage error."""
    with pytest.raises(SystemExit) as stopped:
        main(["run", abbreviated, "1"])
    assert stopped.value.code == 2
    assert abbreviated in capsys.readouterr().err
