"""Z4 in earnest: whoever is killed while writing leaves the old file or the new one, whole."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

# Writes one content and the other, again and again, and says when it has begun; `write` comes from the test.
LOOP = """
import sys
from pathlib import Path
{write}
path, size = Path(sys.argv[1]), int(sys.argv[2])
contents = [bytes([letter]) * size for letter in b"on"]
print("ready", flush=True)
while True:
    for content in contents:
        write(path, content)
"""
ATOMIC = "from npquant.files.storage import write_atomically as write"
IN_PLACE = """
import time
def write(path, content):
    with path.open("wb") as stream:
        for at in range(0, len(content), len(content) // 4):
            stream.write(content[at : at + len(content) // 4])
            stream.flush()
            time.sleep(0.002)
"""
SIZE = 1 << 22


def law_killed_writers_leave_a_whole_file(write: str, folder: Path, kills: int) -> int:
    """Kill so many writers at random moments; after each the file is all old or all new. Counts interrupted writes."""
    rng = np.random.default_rng(0)
    path, interrupted = folder / "model.npz", 0
    path.write_bytes(b"o" * SIZE)
    for _ in range(kills):
        command = [sys.executable, "-c", LOOP.format(write=write), str(path), str(SIZE)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(float(rng.uniform(0, 0.05)))
            writer.kill()
        content = path.read_bytes()
        assert content in (b"o" * SIZE, b"n" * SIZE)
        # What a killed writer leaves beside the file is its own temporary one, and nothing else.
        others = [other for other in folder.iterdir() if other != path]
        assert all(other.name.startswith(".npquant-") and other.suffix == ".tmp" for other in others)
        interrupted += len(others)
        for other in others:
            other.unlink()
    return interrupted


def test_killed_writers_leave_a_whole_file(tmp_path: Path) -> None:
    """Z4: ten kills, some of them in the middle of a write."""
    assert law_killed_writers_leave_a_whole_file(ATOMIC, tmp_path, 10)


@pytest.mark.slow
def test_a_hundred_killed_writers_leave_a_whole_file(tmp_path: Path) -> None:
    """Z4: a hundred kills."""
    assert law_killed_writers_leave_a_whole_file(ATOMIC, tmp_path, 100) >= 10


def test_law_kills_a_writer_in_place(tmp_path: Path) -> None:
    """The law fails on a writer that writes over the file itself."""
    with pytest.raises(AssertionError):
        law_killed_writers_leave_a_whole_file(IN_PLACE, tmp_path, 40)
