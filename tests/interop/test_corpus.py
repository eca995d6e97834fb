"""Model files that npquant did not write: every one as its maker's runtime answers, or refused by the right name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[2] / "../shared/models/corpus"
# Keras computed this reference in float16, of float32 weights: off by half precision's 2^-11, not float32's 2^-24.
IN_HALF_PRECISION = "made/keras/keras3/mixed_float16.keras: differs by"
ADAPTER = Path(__file__).with_name("corpus_adapter.py")


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of model files does not stand beside the project")
def test_corpus_every_entry_is_as_expected() -> None:
    """The corpus's own judge finds each entry imported right, or refused with a message that names what it is."""
    told = subprocess.run(
        [sys.executable, CORPUS / "judge.py", ADAPTER], capture_output=True, text=True, timeout=600, check=False
    )
    counts = re.findall(r"'(\w+)': '(\d+) of (\d+)'", told.stdout)
    assert {kind for kind, _, _ in counts} == {"float", "integer", "choice", "refuse"}, told.stderr
    wrong = told.stdout.splitlines()[:-1]
    assert [line for line in wrong if IN_HALF_PRECISION not in line] == [], told.stdout
    assert sum(int(total) - int(right) for _, right, total in counts) == len(wrong) <= 1
