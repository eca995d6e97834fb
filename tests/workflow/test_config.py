"""Laws of a run's options."""

from typing import Any

import pytest

from npquant.budget.requirements import Budget
from npquant.workflow.config import RunConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prune": 1.5}, r"pruning rate is 1\.5.*--prune"),
        ({"prune": float("nan")}, "pruning rate"),
        ({"bits": 1}, "bit width is 1.*--bits"),
        ({"bits": 9}, "bit width is 9"),
        ({"bits": "binary"}, "bit width is binary"),
        ({"activation_bits": 1}, "activation bits are 1"),
        ({"activation_bits": 12}, r"activation bits are 12; give a whole number in \[2, 8\], or 16"),
        ({"min_sqnr": 0.0}, "min_sqnr"),
        ({"seed": -1}, "seed is -1"),
        ({"hidden": (64, 0)}, "hidden widths"),
        ({"epochs": 0}, "epochs"),
        ({"activation": "softplus"}, "softplus.*clipped_relu"),
        ({"max_drop": -1.0}, "max_drop"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_macs": 0}, "max_macs"),
        ({"model": "a.npz", "train": True}, "drop one"),
        ({"model": "a.npz", "epochs": 3}, "drop one"),
        ({"activations": "relu"}, "--model"),
        ({"time_limit": 0.0}, "time limit is 0.*above 0"),
        ({"time_limit": float("nan")}, "time limit is nan"),
        ({"targets": ("c", "rust")}, "'rust' is unknown.*tflite"),
    ],
)
def test_run_config_refuses(options: dict[str, Any], message: str) -> None:
    """Each option out of its interval is an error that names it."""
    with pytest.raises(ValueError, match=message):
        RunConfig(**options)


def test_run_config_budget_is_what_was_asked() -> None:
    """Every requirement reaches step 3; ternary is a width."""
    assert RunConfig(max_drop=2.0, max_bytes=9, max_macs=8, min_sqnr=7.0).budget == Budget(2.0, 9, 8, 7.0)
    assert RunConfig(bits="ternary").bits == "ternary"


def test_run_config_to_json_echoes_every_option() -> None:
    """What was asked stands in the report as it was asked."""
    given = RunConfig(hidden=(8, 4), seed=3).to_json()
    assert given["hidden"] == [8, 4]
    assert given["seed"] == 3
    assert set(given) == set(RunConfig.__slots__)
