"""A sweep: the same bytes whatever runs it, nothing lost when it is killed, nothing counted twice."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import npquant
from npquant.compression.pruning.neurons.pruning import prune_neurons
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.data.sets import load_sets
from npquant.files.storage import write_atomically
from npquant.measure.evaluate import in_float64
from npquant.workflow.float_model import bundled_network, obtain_float
from npquant.workflow.sweep import cell as cell_module
from npquant.workflow.sweep.cell import compress
from npquant.workflow.sweep.grid import cells_of
from npquant.workflow.sweep.run import sweep

# Small networks, so that training and cells take milliseconds.
GRID: dict[str, Any] = {
    "bits": [8, 2], "method": "uniform", "prune": [0, 0.5], "seed": [0, 1], "hidden": [8], "epochs": 2,
}  # fmt: skip
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(npquant.__file__).parents[1]),
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
}


def written(folder: Path) -> dict[str, bytes]:
    """All that a sweep wrote, but for the seconds."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "seconds.csv")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def noted(folder: Path) -> list[str]:
    """The cells whose seconds were noted, one for each computation."""
    return [line.split(",")[0] for line in (folder / "seconds.csv").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep in one go, here."""
    folder = tmp_path_factory.mktemp("whole")
    found = sweep(GRID, str(folder))
    assert (len(found.records), found.computed, found.failed) == (8, 8, ())
    return folder


@pytest.mark.parametrize("kind", ["threads", "processes:2"])
def test_sweep_same_bytes_in_every_executor(kind: str, whole: Path, tmp_path: Path) -> None:
    """Threads and processes write what a plain loop writes, byte for byte, and each cell once."""
    with ThreadPoolExecutor(3) as pool:
        sweep(GRID, str(tmp_path), executor=pool if kind == "threads" else kind)
    assert written(tmp_path) == written(whole)
    assert len(noted(tmp_path)) == len(set(noted(tmp_path))) == 8


def test_sweep_order_changes_no_record(whole: Path, tmp_path: Path) -> None:
    """A grid read backwards, in two sweeps, writes the same cells; the grid itself then computes none."""
    backwards = {name: value[::-1] if name in ("bits", "prune", "seed") else value for name, value in GRID.items()}
    sweep({**backwards, "bits": 2}, str(tmp_path))
    sweep(backwards, str(tmp_path))
    assert sweep(GRID, str(tmp_path)).computed == 0
    assert written(tmp_path) == written(whole)
    assert len(noted(tmp_path)) == 8


def test_sweep_resumes_after_a_kill(whole: Path, tmp_path: Path) -> None:
    """Killed with SIGKILL between two cells it goes on: nothing lost, nothing twice, and its workers are gone."""
    script = tmp_path / "start.py"
    script.write_text(
        "import sys\nfrom npquant.workflow.sweep.run import sweep\n"
        f"if __name__ == '__main__':\n    sweep({GRID!r}, sys.argv[1], executor='processes:1')\n"
    )
    folder = tmp_path / "out"
    started = subprocess.Popen([sys.executable, str(script), str(folder)], env=ENVIRONMENT, start_new_session=True)
    until(lambda: len(list((folder / "cells").glob("*.json"))) >= 2 or started.poll() is not None)
    started.kill()
    started.wait()
    done = {path.stem for path in (folder / "cells").glob("*.json")}
    until(lambda: not alive(started.pid))
    found = sweep(GRID, str(folder))
    assert len(done) >= 2 and found.computed == 8 - len(done)
    assert {name for name in written(folder) if ".npquant-" not in name} == set(written(whole))
    assert all(written(folder)[name] == content for name, content in written(whole).items())
    assert len(set(noted(folder))) == len(noted(folder))


def until(reached: Any) -> None:
    """Wait for something, a minute at most."""
    for _ in range(600):
        if reached():
            return
        time.sleep(0.1)
    raise AssertionError("waited for a minute")


def alive(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_sweep_half_a_record_is_computed_again(whole: Path, tmp_path: Path) -> None:
    """A cell's file that is no record of it counts for nothing."""
    one = {**GRID, "bits": 8, "prune": 0, "seed": 0}
    sweep(one, str(tmp_path))
    (path,) = (tmp_path / "cells").glob("*.json")
    whole_record = path.read_bytes()
    for broken in (b"", whole_record[:50], b"[]", whole_record.replace(b'"bits": 8', b'"bits": 7')):
        path.write_bytes(broken)
        assert sweep(one, str(tmp_path)).computed == 1
        assert path.read_bytes() == whole_record


def test_sweep_a_cell_that_raises_is_a_record(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go on, the error stands in its record and in the table, and the frontier leaves its setting out."""
    real = cell_module.compress

    def fails(cell: Any, model: Any, sets: Any) -> Any:
        if cell.bits == 2 and cell.seed == 1:
            raise OverflowError("a bias, does not fit")
        return real(cell, model, sets)

    monkeypatch.setattr(cell_module, "compress", fails)
    found = sweep(GRID, str(tmp_path))
    assert [record["error"] for record in found.failed] == ["OverflowError: a bias, does not fit"] * 2
    assert {dict(point.setting)["bits"] for point in found.points} == {8}
    assert (tmp_path / "results.csv").read_text().count("a bias, does not fit") == 2
    assert len(found.records) == 8


def test_sweep_of_a_disk_that_fails_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the machine ends the sweep, is no record, and the next one goes on."""

    def full(path: Any, data: bytes) -> None:
        if len(list((tmp_path / "cells").glob("*.json"))) == 3:
            raise OSError(28, "No space left on device", str(path))
        write_atomically(path, data)

    monkeypatch.setattr("npquant.workflow.sweep.run.write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        sweep(GRID, str(tmp_path))
    monkeypatch.undo()
    assert sweep(GRID, str(tmp_path)).computed == 5


def test_sweep_trains_each_network_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One float network a seed, whatever varies besides, and none on the second time."""
    trained = []
    real = obtain_float

    def count(config: Any, sets: Any, progress: Any) -> Any:
        trained.append(config.seed)
        return real(config, sets, progress)

    monkeypatch.setattr(cell_module, "obtain_float", count)
    sweep(GRID, str(tmp_path))
    sweep({**GRID, "bits": 4}, str(tmp_path))
    assert trained == [0, 1] and len(list((tmp_path / "networks").iterdir())) == 2


@pytest.mark.parametrize("calibration", ["min_max", "mse", "percentile:99"])
def test_compress_is_prune_then_quantize(calibration: str) -> None:
    """A cell is what the two functions give, one after the other, with their defaults."""
    model, sets = bundled_network(), load_sets(None, 0)
    grid = {"bits": 3, "method": "nearest", "prune": 0.5, "calibration": calibration}
    net = compress(cells_of([grid])[0], model, sets)
    if calibration == "min_max":
        x = sets.x_calibration
        wanted = quantize_model(in_float64(prune_neurons(model, x, 0.5)), x, 3, 8, 0, method="nearest").network
        assert all(
            (a.w_q == b.w_q).all() and a.output == b.output for a, b in zip(net.layers, wanted.layers, strict=True)
        )
    assert net.neurons == (32, 16, 10)


def test_sweep_refuses_real_targets(tmp_path: Path) -> None:
    """Rows with a real label have no accuracy, and the error says what to use."""
    path = tmp_path / "real.csv"
    path.write_text("a,b,y\n" + "".join(f"{i * 37 % 61},{i % 7},{i / 3}\n" for i in range(60)))
    with pytest.raises(ValueError, match="real number; a sweep counts right classes: use npquant run"):
        sweep({}, str(tmp_path / "out"), str(path))


def test_sweep_tells_its_progress(tmp_path: Path) -> None:
    """Shares rise from 0 to 1 over the cells that are left."""
    told: list[Any] = []
    sweep({**GRID, "seed": 0}, str(tmp_path), progress=told.append)
    assert [text.share for text in told if "cell" in text] == [0, 0.25, 0.5, 0.75, 1]
