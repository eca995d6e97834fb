"""All that the page draws and the other keys do not hold: the report's key "pictures".

Legend: sets the rows; search what step 3 found; floating the float network; model the deployed one; opened the test
rows with the float network's answers, answers the deployed network's.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.budget.requirements import POINTS_PER_NAT, Measurement
from npquant.budget.search import SearchResult
from npquant.data.sets import Sets
from npquant.integer.mlp import IntegerMLP
from npquant.measure.evaluate import Answers, Reference
from npquant.nn.model import FloatMLP
from npquant.workflow.pictures.answers import class_answers, real_answers
from npquant.workflow.pictures.engines import engine_pictures
from npquant.workflow.pictures.layers import layer_pictures
from npquant.workflow.pictures.neurons import neuron_pictures, weight_maps
from npquant.workflow.pictures.pixels import picture_shape
from npquant.workflow.pictures.rows import row_pictures

# Calibration rows that outputs and accumulators are shown for, and the products that they may take.
_SEEN: Final = 2000
_PRODUCTS: Final = 100_000_000
_FEWEST: Final = 64


def pictures_entry(
    sets: Sets, search: SearchResult, floating: FloatMLP, model: IntegerMLP, opened: Reference, answers: Answers
) -> dict[str, Any]:
    """Describe it; every list has an end that no data set moves."""
    shape = picture_shape(sets.dataset.x)
    seen = model.encode(sets.x_calibration[: min(_SEEN, max(_FEWEST, _PRODUCTS // max(model.macs, 1)))])
    drop = search.decision.validation
    return {
        "image": None if shape is None else {"height": shape[0], "width": shape[1]},
        "answers": class_answers(opened, answers, shape),
        "real_answers": real_answers(opened, answers, getattr(drop, "worst", None)),
        "search": _search(search),
        "rows_seen": len(seen),
        "layers": layer_pictures(search.pruned.model, model, seen),
        "neurons": neuron_pictures(search.pruned.report),
        "maps": weight_maps(floating, shape),
        "engines": engine_pictures(model, model.encode(opened.x)),
        "data": row_pictures(sets, opened.y, shape),
    }


def _search(search: SearchResult) -> dict[str, Any]:
    """Say which candidate was chosen, and what KL lets expect that the limit holds on new rows (G3)."""
    chosen = search.outcome.chosen
    index = next((i for i, trial in enumerate(search.frontier) if trial is chosen), None)
    _, allowed = search.budget.expectation(search.found)
    return {"chosen": index, "sound_kl": allowed / POINTS_PER_NAT if isinstance(search.found, Measurement) else None}
