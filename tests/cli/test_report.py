"""``npquant report``: the same page as the run's, from report.json alone."""

import json
from pathlib import Path

import pytest

from npquant import run_workflow
from npquant.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a run's report and page, and nothing else."""
    out = tmp_path_factory.mktemp("run")
    run_workflow(out=str(out), bits=4, prune=0.3, activation_bits=8, targets=("none",))
    for name in ("float.npz", "deployed.npz"):
        (out / name).unlink()
    return out


def test_report_draws_the_page_of_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte for byte, without the networks; the answer comes first, and then where the page is."""
    due = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_bytes() == due
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Budget met.") and lines[-1].startswith("  page      ")
    assert main(["report", str(folder / "report.json"), "--out", str(folder / "other.html"), "--json"]) == 0
    assert (folder / "other.html").read_bytes() == due
    assert json.loads(capsys.readouterr().out)["bytes"] == len(due)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is no JSON"), ("[]", "is no report"), ('{"schema": "npquant.report/1"}', "no key 'pictures'")],
)
def test_report_refuses_what_is_none(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and a line that says what to do."""
    (tmp_path / "report.json").write_text(text)
    assert main(["report", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert said in shown and "report.json" in shown if "pictures" not in said else said in shown
    assert not (tmp_path / "report.html").exists()


def test_report_names_what_is_missing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report that lacks a part is no traceback; neither is a folder without one."""
    report = json.loads((folder / "report.json").read_bytes())
    del report["budget"]["drop"]
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert main(["report", str(tmp_path)]) == 2
    assert "'drop' is missing" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
