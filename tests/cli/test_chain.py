"""The commands one after the other, each on the file of the one before, in processes of their own."""

import json
from itertools import pairwise
from pathlib import Path

from npquant.interop.reading import load
from tests.cli.process import run_command


def test_prune_finetune_quantize_inspect(float_file: Path, tmp_path: Path) -> None:
    """A fresh shell: four commands, nothing on stderr, no file but those asked for, and one story in their records."""
    source, seen = str(float_file), {}
    for arguments in (
        ["prune", source, "--rate", "0.5", "--out", "pruned.npz"],
        ["finetune", "pruned.npz", "--epochs", "3", "--teacher", source, "--out", "tuned.npz"],
        ["quantize", "tuned.npz", "--bits", "8,4,4", "--max-drop", "5", "--out", "net.npz"],
        ["inspect", "net.npz"],
    ):
        done = run_command([*arguments, "--json"], tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        seen[arguments[0]] = json.loads(done.stdout)
        assert seen[arguments[0]]["command"] == arguments[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.npz", "pruned.npz", "tuned.npz"]
    order = ("prune", "finetune", "quantize")
    for one, two in pairwise(order):
        assert seen[one]["after"] == seen[two]["before"]
    net = load(tmp_path / "net.npz")
    assert net.neurons == (32, 16, 10)
    assert [layer["bits"] for layer in seen["inspect"]["layers"]] == seen["quantize"]["after"]["bits"] == [8, 4, 4]
    assert seen["inspect"]["bytes"] == seen["quantize"]["after"]["bytes"] == (tmp_path / "net.npz").stat().st_size


def test_command_error_in_a_shell(tmp_path: Path) -> None:
    """Exit 2 and one line, without a traceback."""
    done = run_command(["quantize", "nowhere.npz", "--out", "net.npz"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "npquant: error: nowhere.npz: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []
