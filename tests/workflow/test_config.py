"""Laws of a run's options."""

from typing import Any

import pytest

from npquant.workflow.config import RunConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prune": 1.5}, r"pruning rate is 1\.5.*--prune"),
        ({"prune": float("nan")}, "pruning rate"),
        ({"bits": 1}, "bit width is 1.*--bits"),
        ({"bits": 9}, "bit width is 9"),
        ({"seed": -1}, "seed is -1"),
        ({"hidden": (64, 0)}, "hidden widths"),
        ({"epochs": 0}, "epochs"),
        ({"activation": "softplus"}, "softplus.*clipped_relu"),
        ({"max_drop": -1.0}, "max_drop"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_macs": 0}, "max_macs"),
        ({"model": "a.npz", "train": True}, "drop one"),
        ({"model": "a.npz", "epochs": 3}, "drop one"),
    ],
)
def test_run_config_refuses(options: dict[str, Any], message: str) -> None:
    """Each option out of its interval is an error that names it."""
    with pytest.raises(ValueError, match=message):
        RunConfig(**options)


def test_run_config_space_fixed_options_leave_one_level() -> None:
    """--bits and --prune leave the search nothing to choose."""
    assert RunConfig(bits=3, prune=0.3).space(3, two_bits=False).levels == (1, 1, 1, 1, 1)
    assert RunConfig(bits=2).space(2, two_bits=True).bits == ((2,), (2,))


def test_run_config_space_two_bits_only_where_sensible() -> None:
    """Two bits are a level only where they were found sensible."""
    assert 2 in RunConfig().space(2, two_bits=True).bits[0]
    assert 2 not in RunConfig().space(2, two_bits=False).bits[0]


def test_run_config_to_json_echoes_every_option() -> None:
    """What was asked stands in the report as it was asked."""
    given = RunConfig(hidden=(8, 4), seed=3).to_json()
    assert given["hidden"] == [8, 4]
    assert given["seed"] == 3
    assert set(given) == set(RunConfig.__slots__)
