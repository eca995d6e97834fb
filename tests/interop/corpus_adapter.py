"""What the corpus's judge asks of an importer: its error, how it loads a file, and what a loaded network answers."""

import warnings
from typing import Any

import numpy as np

import npquant
from npquant.interop import read

ERROR = npquant.FormatError


def load(path: Any) -> Any:
    """Read a file; a warning of the file's own numbers is not the judge's matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(path)


def outputs(imported: Any, x: Any, entry: Any) -> Any:
    """Answer as the file's own runtime would, a row an inference."""
    y = imported.run(x.reshape(-1, imported.model.n_inputs))
    two_columns = entry["expect"]["kind"] == "float" and imported.format == "onnx" and imported.head == "logistic"
    # scikit-learn's converter writes 1 - p beside the one p of a binary classifier.
    return np.hstack([1 - y, y]) if two_columns and y.shape[1] == 1 and "Concat" in str(entry["graph"]) else y
