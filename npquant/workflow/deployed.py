"""Step 8 for npquant's own files: the network that was chosen, as it was read back, and its dynamic twin.

Legend: folder the run's own; stored the float network; search what step 3 found; x_calibration rows to choose ranges
and to take times on, x_proof those on which all codes must be equal; facts what is known of the data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from npquant.budget.search import SearchResult
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.files.facts import Facts
from npquant.files.storage import encode_model, itemize
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP
from npquant.workflow.deployment import measure_latency, reload_and_prove, write_files


@dataclass(frozen=True, slots=True, eq=False)
class Deployed:
    """What step 8 made: the network as it was read back, its dynamic twin, and what the report says of both."""

    model: IntegerMLP
    dynamic: DynamicMLP
    n_bytes: dict[str, int]  # by the names of the networks that stand in a file
    files: dict[str, Any]
    latency: list[dict[str, Any]]


def deploy(
    folder: Path,
    stored: FloatMLP,
    search: SearchResult,
    x_calibration: NDArray[Any],
    x_proof: NDArray[Any],
    facts: Facts,
) -> Deployed:
    """Write the files, read the integer network back, prove that it computes the same codes, and take the times.

    Errors as `write_files` and `reload_and_prove`.
    """
    contents = {
        "float.npz": encode_model(stored, facts=facts),
        "deployed.npz": encode_model(search.model, facts=facts),
    }
    files = write_files(folder, contents)
    codes = search.model.encode(x_proof)
    model = reload_and_prove(folder / "deployed.npz", search.model, codes)
    made, pruned = search.thresholds, search.pruned.model
    # A dynamic layer has 8 bits at most; the page says so where the integer network has 16.
    levels = tuple(min(bits, 8) for bits in made.activation_bits)
    dynamic = quantize_dynamic(
        pruned, x_calibration, made.bits, levels, method="rectified", output=search.reference.output
    )
    times = measure_latency(stored, model, dynamic, x_calibration)
    length = len(contents["deployed.npz"])
    return Deployed(
        model,
        dynamic,
        {"float": len(contents["float.npz"]), "pruned": length, "deployed": length},
        {
            **files,
            "parts": [asdict(part) for part in itemize(contents["deployed.npz"])],
            "proof": {"rows": len(codes), "equal_codes": True},
        },
        [asdict(entry) for entry in times],
    )
