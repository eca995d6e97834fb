"""Bad input to any command: exit 2, one line that names the thing, no file, no traceback."""

from pathlib import Path

import numpy as np
import pytest

from npquant.cli import main
from npquant.files.storage import save
from npquant.nn.model import DenseLayer, FloatMLP

Shown = pytest.CaptureFixture[str]
# The commands that take a float network to a file, each with options that would do.
WORK = {"quantize": ["--bits", "4"], "prune": ["--rate", "0.5"], "finetune": ["--epochs", "1"]}


@pytest.fixture(scope="module")
def files(float_file: Path, integer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files that are no good, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("bad")
    content = float_file.read_bytes()
    (folder / "cut.npz").write_bytes(content[: len(content) // 2])
    (folder / "flipped.npz").write_bytes(content[:9000] + bytes([content[9000] ^ 1]) + content[9001:])
    (folder / "empty.npz").write_bytes(b"")
    (folder / "text.npz").write_text("hello")
    np.savez(folder / "arrays.npz", x=np.ones(3))
    save(FloatMLP((DenseLayer(np.ones((3, 2)), np.zeros(2), "identity"),)), folder / "small.npz")
    (folder / "nan.csv").write_text("a,b\n" + "1,x\n2,y\nnan,x\n" * 9)
    names = {name: str(folder / f"{name}.npz") for name in ("cut", "flipped", "empty", "text", "arrays", "small")}
    return {**names, "folder": str(folder), "nan": str(folder / "nan.csv"), "integer": str(integer_file),
            "float": str(float_file)}  # fmt: skip


def assert_one_line(arguments: list[str], words: str, shown: Shown) -> None:
    """Run a command that must fail in one line with the given words."""
    assert main(arguments) == 2
    printed = shown.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("npquant: error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err


@pytest.mark.parametrize("command", ["inspect", *WORK])
@pytest.mark.parametrize("kind", ["cut", "flipped", "empty", "text", "arrays", "folder", "missing"])
def test_damaged_file_is_named(command: str, kind: str, files: dict[str, str], tmp_path: Path, capsys: Shown) -> None:
    """A file that is cut, changed by one bit, empty, foreign, a folder or not there is named."""
    path = files.get(kind, "nowhere.npz")
    out = ["--out", str(tmp_path / "out.npz")] if command in WORK else []
    assert_one_line([command, path, *WORK.get(command, []), *out], path, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", WORK)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seed", "-1"], "--seed"),
        (["--max-drop", "-1"], "--max-drop is -1"),
        (["--max-drop", "nan"], "--max-drop is nan"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_value_out_of_range_is_named(
    command: str, options: list[str], words: str, files: dict[str, str], tmp_path: Path, capsys: Shown
) -> None:
    """Options that all commands share are checked alike."""
    arguments = [command, files["float"], *WORK[command], *options, "--out", str(tmp_path / "out.npz")]
    assert_one_line(arguments, words, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", WORK)
def test_network_that_does_not_suit_is_named(
    command: str, files: dict[str, str], tmp_path: Path, capsys: Shown
) -> None:
    """An integer network, one for other features, and data with NaN are refused."""
    out = [*WORK[command], "--out", str(tmp_path / "out.npz")]
    assert_one_line([command, files["integer"], *out], "is quantized already", capsys)
    assert_one_line([command, files["small"], *out], "3 inputs", capsys)
    assert_one_line([command, files["float"], "--data", files["nan"], *out], "nan.csv", capsys)
    if command == "finetune":
        teacher = [command, files["float"], "--teacher"]
        assert_one_line([*teacher, files["integer"], *out], "is quantized already", capsys)
        assert_one_line([*teacher, files["small"], *out], "the teacher takes 3 inputs", capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", WORK)
def test_place_that_cannot_be_written_is_named(
    command: str, files: dict[str, str], tmp_path: Path, capsys: Shown
) -> None:
    """A missing folder, a folder, a file taken for a folder, and the source itself are refused before the work."""
    (tmp_path / "taken").write_text("")
    content = Path(files["float"]).read_bytes()
    for out, words in (
        (str(tmp_path / "none" / "out.npz"), "No such file"),
        (str(tmp_path), "a folder"),
        (str(tmp_path / "taken" / "out.npz"), "taken"),
        (files["float"], "would be lost"),
    ):
        assert_one_line([command, files["float"], *WORK[command], "--out", out], words, capsys)
    assert Path(files["float"]).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["quantize", "--rows", "0"], "--rows asks for 0"),
        (["prune", "--rate", "0.5", "--rows", "1259"], "has 1258"),
        (["quantize", "--bits", "9"], "9"),
        (["quantize", "--bits", "1"], "1"),
        (["quantize", "--bits", "4,4"], "2 bit widths for 3 layers"),
        (["quantize", "--activation-bits", "0"], "0"),
        (["quantize", "--activation-bits", "8,8,8"], "3"),
        (["prune", "--rate", "1.5"], "1.5"),
        (["prune", "--rate", "-0.1"], "-0.1"),
        (["prune", "--rate", "nan"], "nan"),
        (["prune", "--rate", "0.5,0.5,0.5"], "3"),
        (["prune", "--rate", "0.5", "--criterion", "magic"], "magic"),
        (["prune", "--rate", "0.5", "--compensation", "none"], "none"),
        (["prune"], "nothing to prune"),
        (["prune", "--rate", "0.5", "--allocation", "fair"], "fair"),
        (["prune", "--rate", "0.5,0.4", "--allocation", "global"], "global"),
        (["prune", "--weights", "--density", "0.5", "--explain"], "--explain is about neurons"),
        (["prune", "--rate", "0.5", "--density", "0.5"], "add --weights"),
        (["prune", "--pattern", "2:4"], "add --weights"),
        (["prune", "--weights"], "either --density D or --pattern N:M"),
        (["prune", "--weights", "--density", "0.5", "--pattern", "2:4"], "either"),
        (["prune", "--weights", "--rate", "0.5", "--density", "0.5"], "drop one"),
        (["prune", "--weights", "--density", "0"], "0"),
        (["prune", "--weights", "--density", "1.5"], "1.5"),
        (["prune", "--weights", "--density", "0.5,0.5"], "3"),
        (["prune", "--weights", "--pattern", "5:4"], "5"),
        (["prune", "--weights", "--pattern", "0:4"], "0"),
        (["prune", "--weights", "--density", "0.5", "--criterion", "taylor"], "taylor"),
        (["prune", "--weights", "--density", "0.5", "--compensation", "fold"], "fold"),
        (["prune", "--weights", "--density", "0.5", "--allocation", "fair"], "fair"),
        (["prune", "--weights", "--density", "1"], "nothing was pruned"),
        (["quantize", "--method", "on-grid"], "lie on no grid"),
        (["quantize", "--method", "gptq", "--polish", "5"], "--polish ends the rectified method"),
        (["quantize", "--polish", "-5"], "-5"),
        (["quantize", "--polish", "5", "--keep-zeros"], "drop one"),
        (["quantize", "--method", "adaround", "--keep-zeros"], "--keep-zeros goes with rectified"),
        (["quantize", "--method", "on-grid", "--rows", "100"], "drop --rows"),
        (["finetune", "--bits", "9"], "9"),
        (["finetune", "--bits", "4,4"], "2 bit widths for 3 layers"),
        (["finetune", "--activation-bits", "4"], "give --bits with it"),
        (["finetune", "--density", "0.5", "--bits", "4"], "pruning first"),
        (["finetune", "--density", "1.5"], "1.5"),
        (["finetune", "--density", "0.0001"], "0.0001"),
        (["finetune", "--epochs", "0"], "0"),
        (["finetune", "--epochs", "1", "--learning-rate", "-1"], "-1"),
        (["finetune", "--epochs", "1", "--batch-size", "0"], "0"),
        (["finetune", "--epochs", "1", "--temperature", "2"], "name its file with --teacher"),
        (["finetune", "--epochs", "1", "--teacher", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_method_option_out_of_range_is_named(
    arguments: list[str], words: str, files: dict[str, str], tmp_path: Path, capsys: Shown
) -> None:
    """What a method refuses comes out as its one line."""
    command, *options = arguments
    assert_one_line([command, files["float"], *options, "--out", str(tmp_path / "out.npz")], words, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["quantize", "float.npz"],
        ["quantize", "float.npz", "--out", "net.npz", "--method", "magic"],
        ["quantize", "float.npz", "--out", "net.npz", "--bits", "many"],
        ["quantize", "float.npz", "--out", "net.npz", "--encoding", "morse"],
        ["prune", "float.npz", "--out", "net.npz", "--rate", "half"],
        ["inspect"],
    ],
)
def test_usage_errors_name_the_command(arguments: list[str], capsys: Shown) -> None:
    """What argparse refuses exits 2 with the usage of that command."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert f"usage: npquant {arguments[0]}" in capsys.readouterr().err
