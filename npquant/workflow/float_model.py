"""Step 1: the float network: bundled, given by the user, or trained. Legend: sets the split rows of the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from npquant.budget.progress import Told
from npquant.data.matching import encoding_of, match_data
from npquant.data.sets import Sets, load_sets, split_sets
from npquant.files.facts import Facts
from npquant.interop.imported import Imported
from npquant.interop.reading import load, read
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.scaling import FeatureError
from npquant.nn.settings import Epoch
from npquant.nn.training import train
from npquant.workflow.activation_choice import ActivationTrial, choice_note, choose_activation
from npquant.workflow.config import ACTIVATIONS, AUTO, RunConfig

# From this many training rows on, mini-batches are larger: fewer, longer products.
LARGE: Final = 10_000
_FIX: Final = "step 1 starts from a float one, such as float.npz"


@dataclass(frozen=True, slots=True, eq=False)
class FloatStart:
    """A float network, where it comes from ("bundled", "file" or "trained"), and what a reader must know of it."""

    model: FloatMLP
    source: str
    notes: tuple[str, ...] = ()
    format: str | None = None  # of the file, as `npquant.interop.Imported` names it
    head: str = "none"  # what the file has behind the logits
    tried: tuple[ActivationTrial, ...] = ()  # hidden activations that were compared, in the order that breaks ties


def obtain_float(
    config: RunConfig, sets: Sets, progress: Callable[[str], None], given: Imported | None = None
) -> FloatStart:
    """Get the float network that a run starts from: which one `config` says, `sets` has the rows, `progress` is told.

    `given` is what `read_given` found.

    The bundled checkpoint remembers the split that it was trained on. Under any other split some of its training rows
    would be test rows, so a network is trained instead, and the notes say so. OSError or ValueError if the file cannot
    be used, or does not fit the data.

    >>> from npquant.data.sets import load_sets
    >>> start = obtain_float(RunConfig(), load_sets(None, 0), print)
    >>> start.source, start.model.n_inputs, start.model.neurons
    ('bundled', 64, (64, 32, 10))
    """
    if config.model is not None:
        return _given(config.model, given or read_float(config.model, config.activations, _FIX)[1], sets)
    if config.trains:
        return train_float(config, sets, progress)
    if config.data is not None:
        note = "The float network was trained on your training rows, since --model names none."
        return train_float(config, sets, progress, note)
    if sets.split.sha256 == bundled_record()["split_sha256"]:
        return FloatStart(bundled_network(), "bundled")
    note = (
        f"Seed {config.seed} splits the rows otherwise than the bundled network's seed 0: some of its training rows "
        "would be test rows, so a network was trained anew."
    )
    return train_float(config, sets, progress, note)


def read_given(config: RunConfig) -> Imported | None:
    """Read the float network that `config` names, before the rows: it may know their order. None if it names none.

    ValueError if the file holds another kind of network; OSError if it cannot be read.
    """
    return None if config.model is None else read_float(config.model, config.activations, _FIX)[1]


def load_matched_sets(
    data: str | None,
    seed: int,
    facts: Facts | None,
    file: str,
    *,
    target: str | int | None = None,
    missing: str | None = None,
) -> tuple[Sets, tuple[str, ...]]:
    """Load and split the rows for a network that exists, in the order that its `file` knows, by `facts`.

    `data` (None: the bundled digits), `seed`, `target` and `missing` are those of `load_sets`. Returned are the sets,
    and notes on what was moved or cannot be checked. Errors as `load_sets`; ValueError if the data has other columns
    or classes.

    >>> sets, notes = load_matched_sets(None, 0, Facts(("x0",)), "net.npz")
    >>> sets.test.count, notes
    (269, ())
    """
    encoding, usual = (None, None) if facts is None else (encoding_of(facts), facts.label)
    sets = load_sets(data, seed, target=target, missing=missing, encoding=encoding, usual=usual)
    matched = match_data(sets.dataset, facts, file)
    # Split anew, so that renumbered classes are dealt out as they were when the network was made.
    return (sets if matched.data is sets.dataset else split_sets(matched.data, seed)), matched.notes


def bundled_record() -> dict[str, Any]:
    """Read where the bundled checkpoint comes from: its command, and SHA-256 of its split and of its file, in hex.

    >>> bundled_record()["command"]
    'npquant run --train --seed 0'
    """
    text = (resources.files("npquant.data") / "bundled" / "digits_float.json").read_text(encoding="utf-8")
    record: dict[str, Any] = json.loads(text)
    return record


def check_fits(path: str, model: FloatMLP, sets: Sets, fix: str) -> None:
    """ValueError if the data have other features or classes than the `model` in the file `path`; `fix` says a way."""
    features, classes = sets.dataset.x.shape[1], len(sets.dataset.class_names)
    if sets.dataset.kind == "real":
        _check_outputs(path, model, sets, fix)
        return
    if (model.n_inputs, model.neurons[-1]) != (features, classes):
        raise ValueError(
            f"{path}: takes {model.n_inputs} inputs and tells {model.neurons[-1]} classes apart, but the data has "
            f"{features} features and {classes} classes: {fix}"
        )


def loss_for(sets: Sets) -> str:
    """Name the loss that a network for the data is trained with."""
    return "squared_error" if sets.dataset.kind == "real" else "softmax_cross_entropy"


def output_of(sets: Sets) -> str:
    """Name what the network's outputs are, in the words of the quantizers and of pruning."""
    return "identity" if sets.dataset.kind == "real" else "softmax"


def _check_outputs(path: str, model: FloatMLP, sets: Sets, fix: str) -> None:
    features, outputs = sets.dataset.x.shape[1], sets.outputs
    if (model.n_inputs, model.neurons[-1]) != (features, outputs):
        raise ValueError(
            f"{path}: takes {model.n_inputs} inputs and gives {model.neurons[-1]} outputs, but the data has {features} "
            f"features and {outputs} real target{'s' * (outputs != 1)} a row: {fix}"
        )


def _default_hidden(features: int) -> tuple[int, ...]:
    """Choose hidden widths by the size of the input: LeNet-300-100's from 256 features on.

    >>> _default_hidden(64), _default_hidden(784)
    ((64, 32), (300, 100))
    """
    return (300, 100) if features >= 256 else (64, 32)


def _default_epochs(rows: int) -> int:
    """Choose the number of epochs by the number of training rows: enough steps for few rows, few epochs for many.

    >>> _default_epochs(84), _default_epochs(1258), _default_epochs(49_000)
    (892, 60, 20)
    """
    few = min(max(60, 75_000 // rows), 2000)
    return max(10, min(few, 1_000_000 // rows))


def bundled_network() -> FloatMLP:
    """Load the bundled checkpoint.

    >>> bundled_network().neurons
    (64, 32, 10)
    """
    with resources.as_file(resources.files("npquant.data") / "bundled" / "digits_float.npz") as path:
        model = load(path)
    if not isinstance(model, FloatMLP):
        raise ValueError("the bundled checkpoint is not a float network: install npquant anew")
    return model


def read_float(path: str, activations: str | tuple[str, ...] | None, fix: str) -> tuple[FloatMLP, Imported]:
    """Read the float network of any file that `npquant.interop.read` takes; path and activations as there.

    Returned are the network, and all that the file says around it. ValueError if it holds another kind of network;
    `fix` says what to give instead. Its errors else.
    """
    found = read(path, activations=activations)
    if not isinstance(found.model, FloatMLP):
        raise ValueError(f"{path}: holds an integer network, which is quantized already; {fix}")
    return found.model, found


def fit_classes(path: str, model: FloatMLP, sets: Sets, fix: str) -> tuple[FloatMLP, tuple[str, ...]]:
    """Return the float `model` of the file path with an output a class of the data, and a note where that changed it.

    A network with one logit z for two classes becomes one with the two (0, z): z > 0 is the larger of them, and their
    softmax is the sigmoid of z. One for real targets stays as it is. Errors as `check_fits`, which `fix` goes to.
    """
    last = model.layers[-1]
    notes: tuple[str, ...] = ()
    if model.neurons[-1] == 1 and len(sets.dataset.class_names) == 2 and last.activation == "identity":
        w, b = (np.concatenate([np.zeros_like(values), values], axis=-1) for values in (last.w, last.b))
        model = FloatMLP((*model.layers[:-1], DenseLayer(w, b, "identity")))
        notes = (f"{path}: the one logit z became the two (0, z): the same classes, the same probabilities.",)
    check_fits(path, model, sets, fix)
    return model, notes


def import_notes(path: str, found: Imported) -> tuple[str, ...]:
    """Write the notes of what was found in the file path as sentences.

    >>> import_notes("net.onnx", Imported(bundled_network(), "softmax", ("the softmax was split off",), "onnx"))
    ('net.onnx: the softmax was split off.',)
    """
    return tuple(f"{path}: {note.rstrip('.')}." for note in found.notes)


def _given(path: str, found: Imported, sets: Sets) -> FloatStart:
    if not isinstance(found.model, FloatMLP):
        raise ValueError(f"{path}: holds an integer network, which is quantized already; {_FIX}")
    model, notes = fit_classes(path, found.model, sets, "give matching --data and --model")
    what = "accuracy flatters" if sets.dataset.kind == "classes" else "errors flatter"
    unknown = f"Which rows {path} was trained on is not known: where test rows are among them, its {what}."
    return FloatStart(model, "file", (unknown, *import_notes(path, found), *notes), found.format, found.head)


def train_float(
    config: RunConfig, sets: Sets, progress: Callable[[str], None], *notes: str, dtype: DTypeLike = np.float32
) -> FloatStart:
    """Train as `config` says; `progress` is told, notes go with the network; ValueError names a column out of range.

    In a dtype of float64 the last bits of a sum, which differ between processors, stay far from every figure.
    """
    train_one = partial(_train_one, config, sets, progress, dtype)
    try:
        if config.activation != AUTO:
            model = train_one("clipped_relu" if config.activation is None else config.activation)
            return FloatStart(model, "trained", notes)
        model, tried = choose_activation(ACTIVATIONS, train_one, *sets.validation)
    except FeatureError as error:
        name = sets.dataset.feature_names[error.feature]
        raise ValueError(f"{sets.dataset.source}: column {name!r} {error.reason}") from error
    return FloatStart(model, "trained", (*notes, choice_note(tried)), tried=tried)


def _train_one(
    config: RunConfig, sets: Sets, progress: Callable[[str], None], dtype: DTypeLike, activation: str
) -> FloatMLP:
    x, y = sets.train
    epochs = _default_epochs(len(y)) if config.epochs is None else config.epochs
    which = f", {activation}" if config.activation == AUTO else ""

    def show(epoch: Epoch) -> None:
        progress(Told(f"1 float model{which}: epoch {epoch.number} of {epochs}", epoch.number / epochs))

    return train(
        x,
        y,
        _default_hidden(x.shape[1]) if config.hidden is None else config.hidden,
        activation,
        epochs,
        validation=sets.validation,
        loss=loss_for(sets),
        learning_rate=2e-3,
        weight_decay=0.1,
        batch_size=64 if len(y) < LARGE else 256,
        dtype=dtype,
        progress=show,
        rng=config.seed,
    )
