"""``npquant notebook``: what it writes runs from top to bottom, and is nobody's answers."""

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from npquant.cli import main

RUN = """
import json, sys
import nbformat
from nbclient import NotebookClient
done = NotebookClient(nbformat.read(sys.argv[1], as_version=4), kernel_name="python3", timeout=300).execute()
print(json.dumps([cell.get("outputs", []) for cell in done.cells]))
"""


def cells() -> list[dict[str, Any]]:
    """The notebook of the package."""
    text = (resources.files("npquant.cli") / "first-steps.ipynb").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)["cells"]
    return found


def test_notebook_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes where it is told to, is the package's own, and never replaces one in which answers may stand."""
    folder = tmp_path / "new"
    assert main(["notebook", str(folder), "--json"]) == 0
    file = Path(json.loads(capsys.readouterr().out)["file"])
    assert file == folder / "first-steps.ipynb"
    assert json.loads(file.read_text(encoding="utf-8"))["cells"] == cells()
    file.write_text("mine", encoding="utf-8")
    assert main(["notebook", str(folder)]) == 2
    assert "stands already" in capsys.readouterr().err and file.read_text(encoding="utf-8") == "mine"


def test_notebook_says_how_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a folder it is written here; the answer is the command to type."""
    monkeypatch.chdir(tmp_path)
    assert main(["notebook"]) == 0
    assert "jupyter lab first-steps.ipynb" in capsys.readouterr().out


def test_notebook_holds_no_outputs() -> None:
    """What a run gave is not stored; each piece of code has its words above it, or code."""
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells() if "outputs" in cell)
    assert len({cell["id"] for cell in cells()}) == len(cells()) and cells()[0]["cell_type"] == "markdown"


@pytest.mark.peer
def test_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """In a kernel of its own it trains nothing, computes the neuron that npquant computes, and shows two pictures."""
    pytest.importorskip("nbclient", reason="pip install 'npquant[notebook]'")
    pytest.importorskip("ipykernel", reason="pip install 'npquant[notebook]'")
    assert main(["notebook", str(tmp_path)]) == 0
    call = [sys.executable, "-c", RUN, str(tmp_path / "first-steps.ipynb")]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    outputs = [output for cell in json.loads(done.stdout) for output in cell]
    printed = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")
    assert "the same: True" in printed and "should give" in printed
    assert (
        sum("<svg" in "".join(output.get("data", {}).get("text/html", "")).replace("&lt;", "<") for output in outputs)
        == 2
    )
