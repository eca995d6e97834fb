"""What one run was asked to do, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from npquant.budget.requirements import Budget
from npquant.budget.time_limit import checked_time_limit
from npquant.compression.chain.input_choice import check_inputs
from npquant.compression.chain.weight_codes import Bits
from npquant.data.missing import check_missing
from npquant.workflow.target_names import check_targets

ACTIVATIONS: Final = ("clipped_relu", "relu", "hard_sigmoid", "sigmoid", "tanh")
AUTO: Final = "auto"  # compares all of them


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The options of ``npquant run``. ValueError names one outside its interval, or two that exclude each other."""

    data: str | None = None  # path of the user's data; None: the bundled digits
    model: str | None = None  # path of the user's float network; None: the bundled one
    train: bool = False  # train anew
    out: str = "npquant-out"  # folder for the files
    max_drop: float | None = None  # points of validation accuracy that may be lost, in [0, 100]; None: 1, of classes
    max_bytes: int | None = None  # limit for deployed.npz, >= 1
    max_macs: int | None = None  # limit for one row, >= 1
    min_sqnr: float | None = None  # limit for the SQNR of the logits, in dB, > 0
    prune: float | None = None  # pruning rate of every hidden layer, in [0, 0.9]; None: searched
    bits: Bits | None = None  # weight bits of every layer, in [2, 8] or "ternary"; None: searched
    # Bits of every hidden layer's outputs, in [2, 8], or 16, of inputs and logits too; None: searched
    activation_bits: int | None = None
    hidden: tuple[int, ...] | None = None  # hidden widths to train, each >= 1; None: by the size of the input
    epochs: int | None = None  # most epochs to train, >= 1; None: by the number of rows
    activation: str | None = None  # hidden activation to train, of ACTIVATIONS, or AUTO; None: "clipped_relu"
    seed: int = 0  # >= 0; chooses the split, the first weights, the batches and the calibration rows
    activations: str | tuple[str, ...] | None = None  # hidden ones of a model file that does not say
    targets: tuple[str, ...] | None = None  # what to export, of TARGETS, or ("none",); None: all
    max_rmse_rise: float | str | None = None  # of real targets: in their unit, or as in "5%"; None: see `Budget`
    time_limit: float | None = None  # seconds after which the search of step 3 begins no candidate, > 0; None: no limit
    target: str | int | None = None  # the label's column in the data, by name or index; None: found
    missing: str | None = None  # missing cells: "drop", "mean" or "most-frequent"; None: an error
    inputs: str = "auto"  # of INPUTS: whole numbers as they are, or a step for each feature

    def __post_init__(self) -> None:
        """Check every option."""
        _ = self.budget, checked_time_limit(self.time_limit)
        if self.prune is not None and not 0 <= self.prune <= 0.9:
            raise ValueError(f"the pruning rate is {self.prune}; give a share of neurons in [0, 0.9] with --prune")
        if self.bits not in (None, "ternary") and self.bits not in range(2, 9):
            raise ValueError(f"the bit width is {self.bits}; give a whole number in [2, 8] with --bits")
        if self.activation_bits is not None and self.activation_bits not in (*range(2, 9), 16):
            raise ValueError(f"the activation bits are {self.activation_bits}; give a whole number in [2, 8], or 16")
        if self.seed < 0:
            raise ValueError(f"the seed is {self.seed}; give a whole number of at least 0 with --seed")
        if self.hidden is not None and min(self.hidden, default=1) < 1:
            raise ValueError(f"the hidden widths are {self.hidden}; give numbers of at least 1, as in --hidden 64,32")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"the number of epochs is {self.epochs}; give at least 1 with --epochs")
        if self.activation is not None and self.activation not in (*ACTIVATIONS, AUTO):
            known = ", ".join((*ACTIVATIONS, AUTO))
            raise ValueError(f"the activation {self.activation!r} is unknown; choose one of {known}")
        check_targets(self.targets)
        check_inputs(self.inputs)
        check_missing(self.missing)
        if self.activations is not None and self.model is None:
            raise ValueError("--activations says what a model file does not: name the file with --model")
        if self.model is not None and self.trains:
            raise ValueError("--model gives a network and --train, --hidden, --epochs, --activation make one: drop one")

    @property
    def trains(self) -> bool:
        """Whether an option asks for a new network."""
        return self.train or any(option is not None for option in (self.hidden, self.epochs, self.activation))

    @property
    def budget(self) -> Budget:
        """What step 3 must meet."""
        return Budget(self.max_drop, self.max_bytes, self.max_macs, self.min_sqnr, self.max_rmse_rise)

    def to_json(self) -> dict[str, Any]:
        """Return the options by name, as JSON has them."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
