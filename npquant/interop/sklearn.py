"""scikit-learn's multi-layer perceptrons, alone or behind affine steps, by the attributes that `fit` leaves.

Nothing of scikit-learn is imported: an estimator is told by the name of its class (or of a class it derives from), and
only fitted attributes are read. Every affine step is folded (J1):

StandardScaler   (x - mean_) / scale_            MinMaxScaler   x scale_ + min_            MaxAbsScaler   x / scale_
RobustScaler     (x - center_) / scale_          PCA            (x - mean_) components_^T, over the root of the
TruncatedSVD     x components_^T                                variances if whitened

Source: scikit-learn/scikit-learn 1.9.1, sklearn/preprocessing/_data.py, decomposition/_base.py, compose/_target.py,
neural_network/_multilayer_perceptron.py.

Legend: estimator a fitted object of scikit-learn, or one with the same attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.facts import Facts, check_facts
from npquant.files.format_error import FormatError
from npquant.interop.imported import Imported
from npquant.interop.steps import Activation, Affine, Clip, Head, Linear, Step, fold

_SCALERS: Final = ("StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler", "PCA", "IncrementalPCA")
_AFFINE: Final = (*_SCALERS, "TruncatedSVD")
_FITTED: Final = MappingProxyType(
    {"MinMaxScaler": "min_", "PCA": "components_", "IncrementalPCA": "components_", "TruncatedSVD": "components_"}
)
_ACCEPTED: Final = f"an MLPClassifier or MLPRegressor, alone or in a Pipeline behind {', '.join(_AFFINE)}"


def from_sklearn(estimator: object) -> Imported:
    """Read a fitted MLPClassifier or MLPRegressor of scikit-learn, or a Pipeline that ends in one.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, Pipeline, TransformedTargetRegressor, GridSearchCV or RandomizedSearchCV
        Fitted. The steps of a pipeline before the network must be affine; a search stands for its best estimator.

    Returns
    -------
    Imported
        A `FloatMLP` in the estimator's own dtype (float64 if a step was folded). `head` is "softmax" (more than two
        classes), "logistic" (two classes: one logit, that of ``classes_[1]``; several labels: one each) or "none".
        `facts` are the names that it was fitted with: ``feature_names_in_`` and ``classes_``.

    Raises
    ------
    FormatError
        If the estimator is not fitted, or a step is not affine; names the step, and what would be accepted.

    Notes
    -----
    ``run`` gives what ``predict_proba`` gives (of two classes the second one's column), or what ``predict`` gives for
    a regressor, always of shape (B, C). Unpickling is left to scikit-learn: it runs code.

    Examples
    --------
    >>> class MLPClassifier:  # as scikit-learn's, after fit
    ...     coefs_, intercepts_ = [np.eye(2), np.ones((2, 1))], [np.zeros(2), np.zeros(1)]
    ...     activation, out_activation_, classes_ = "relu", "logistic", np.array(["ham", "spam"])
    >>> found = from_sklearn(MLPClassifier())
    >>> found.head, found.model.activation_names, found.run([[-3.0, 0.0]])
    ('logistic', ('relu', 'identity'), array([[0.5]]))
    >>> print(found.notes[-1])
    the one logit is that of class 'spam', against 'ham'
    """
    file, notes = type(estimator).__name__, list[str]()
    # Drawn by `fold`, a division by a scale of 0 is infinite, and refused there.
    model, head, folded = fold(_steps(estimator, file, "", notes), file)
    facts = _facts(estimator, head, model.n_inputs, model.neurons[-1])
    return Imported(model, head, (*folded, *notes), "scikit-learn", facts=facts)


def _facts(estimator: Any, head: str, inputs: int, outputs: int) -> Facts | None:
    """Return the names that an estimator was fitted with, None if it was fitted without or they are not one each."""
    features, classes = (getattr(estimator, name, None) for name in ("feature_names_in_", "classes_"))
    if head == "none" or (head == "logistic" and outputs > 1):
        classes = None  # real values, or labels that do not exclude each other
    names = None if features is None else tuple(map(str, features))
    facts = Facts(names, None if classes is None else tuple(map(_class_name, np.asarray(classes).tolist())))
    try:
        check_facts(facts, inputs, outputs)
    except ValueError:
        return None
    return None if facts == Facts() else facts


def _class_name(value: object) -> str:
    """Write a class as tables do: True is 1, and so is 1.0.

    >>> [_class_name(value) for value in (True, 1.0, 2.5, "ham")]
    ['1', '1', '2.5', 'ham']
    """
    return str(int(value)) if isinstance(value, int | float) and value == int(value) else str(value)


def _steps(estimator: Any, file: str, place: str, notes: list[str]) -> Iterator[Step]:
    """Yield what an estimator computes, from its first step to the network's head and what stands behind it."""
    names = _names(estimator)
    if hasattr(estimator, "steps") and "Pipeline" in names:
        for i, (name, step) in enumerate(estimator.steps):
            here = f"step {name!r}"
            if step is None or step == "passthrough":
                continue
            if i == len(estimator.steps) - 1 or _is_pipeline(step):
                yield from _steps(step, file, here, notes)
            else:
                yield _affine(step, file, here)
    elif names & {"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"}:
        if not hasattr(estimator, "best_estimator_"):
            raise FormatError(file, place, "has no best_estimator_; fit it with refit=True first")
        notes.append(f"the {type(estimator).__name__} stands for its best estimator")
        yield from _steps(estimator.best_estimator_, file, place, notes)
    elif "TransformedTargetRegressor" in names:
        if not hasattr(estimator, "regressor_"):
            raise FormatError(file, place, "is not fitted; call fit first")
        yield from _steps(estimator.regressor_, file, place, notes)
        yield from _undone(estimator.transformer_, file, "transformer_")
    elif names & {"MLPClassifier", "MLPRegressor"} or hasattr(estimator, "coefs_"):
        yield from _network(estimator, file, place, notes)
    elif place and names & set(_AFFINE):
        yield _affine(estimator, file, place)  # a pipeline inside a pipeline
    else:
        raise FormatError(file, place, f"{type(estimator).__name__} is not read; npquant reads {_ACCEPTED}")


def _names(estimator: object) -> set[str]:
    return {kind.__name__ for kind in type(estimator).__mro__}


def _is_pipeline(step: object) -> bool:
    return "Pipeline" in _names(step)


def _network(mlp: Any, file: str, place: str, notes: list[str]) -> Iterator[Step]:
    """Yield layers, activations and head of a fitted perceptron."""
    if not hasattr(mlp, "coefs_") or not hasattr(mlp, "out_activation_"):
        raise FormatError(file, place, f"the {type(mlp).__name__} is not fitted; call fit first")
    weights, biases = list(mlp.coefs_), list(mlp.intercepts_)
    if len(weights) != len(biases):
        raise FormatError(file, place, f"has {len(weights)} coefs_ and {len(biases)} intercepts_")
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        yield Linear(f"coefs_[{i}]", _real(w, file, f"coefs_[{i}]"), _real(b, file, f"intercepts_[{i}]"))
        if i < len(weights) - 1:
            yield from _activation(str(mlp.activation), file)
    out = str(mlp.out_activation_)
    if out == "softmax":
        yield Head("out_activation_", "softmax")
    elif out == "logistic":
        yield Activation("out_activation_", "sigmoid")
    elif out != "identity":
        wrong = f"is {out}: the outputs are e to the logits, as of loss='poisson'" if out == "exp" else f"is {out!r}"
        raise FormatError(file, "out_activation_", f"{wrong}; identity, logistic and softmax are read")
    notes.extend(_classes(mlp, out, np.asarray(weights[-1]).shape[-1]))


def _activation(name: str, file: str) -> Iterator[Step]:
    if name == "relu":
        yield Clip("activation", 0, inf)
    elif name in ("logistic", "tanh"):
        yield Activation("activation", "sigmoid" if name == "logistic" else name)
    elif name != "identity":
        raise FormatError(file, "activation", f"{name!r} is not read; identity, logistic, tanh and relu are")


def _classes(mlp: Any, out: str, outputs: int) -> Iterator[str]:
    """Yield the note that says which class each logit is of."""
    if getattr(mlp, "classes_", None) is None:
        return
    classes = np.asarray(mlp.classes_).ravel().tolist()
    if out == "logistic" and outputs == 1 and len(classes) == 2:
        yield f"the one logit is that of class {classes[1]!r}, against {classes[0]!r}"
    elif len(classes) == outputs:
        each = "labels, each with a logit of its own" if out == "logistic" else "classes in the order of the logits"
        yield f"{each}: {', '.join(map(repr, classes))}"


def _affine(step: Any, file: str, place: str) -> Affine:
    """J1. One step of a pipeline as y = x scale + shift."""
    kind = next((name for name in _AFFINE if name in _names(step)), None)
    here = f"{place} ({type(step).__name__})"
    if kind is None:
        raise FormatError(file, here, f"is not read; only affine steps can be folded: {', '.join(_AFFINE)}")
    if getattr(step, "clip", False):
        raise FormatError(file, here, "clips its outputs (clip=True), which cannot be folded; fit it with clip=False")
    if not hasattr(step, _FITTED.get(kind, "scale_")):
        raise FormatError(file, here, "is not fitted; call fit first")
    scale, shift = _map(step, kind, file, here)
    return Affine(here, scale, shift, f"{here} was folded into the layer behind it")


def _map(step: Any, kind: str, file: str, place: str) -> tuple[NDArray[Any], NDArray[Any]]:
    def real(name: str) -> NDArray[Any]:
        return _real(getattr(step, name), file, f"{place} {name}").astype(np.float64)

    def part(name: str, switch: str, missing: float) -> NDArray[Any]:
        used = getattr(step, switch, True) and getattr(step, name, None) is not None
        return real(name) if used else np.array(missing)

    if kind == "MinMaxScaler":
        return real("scale_"), real("min_")
    if kind == "MaxAbsScaler":
        return 1 / real("scale_"), np.array(0.0)
    if kind in ("StandardScaler", "RobustScaler"):
        standard = kind == "StandardScaler"
        center = part(*(("mean_", "with_mean") if standard else ("center_", "with_centering")), 0.0)
        scale = part("scale_", "with_std" if standard else "with_scaling", 1.0)
        return 1 / scale, -center / scale
    matrix = real("components_").T
    if kind == "TruncatedSVD":
        return matrix, np.array(0.0)
    if getattr(step, "whiten", False):
        spread = np.sqrt(real("explained_variance_"))
        matrix = matrix / np.maximum(spread, np.finfo(spread.dtype).eps)
    return matrix, -real("mean_") @ matrix


def _undone(transformer: Any, file: str, place: str) -> Iterator[Step]:
    """Yield the inverse of an affine scaler of the targets: the outputs are scaled back."""
    names = _names(transformer)
    if _is_pipeline(transformer):
        for name, step in reversed(transformer.steps):
            if step is not None and step != "passthrough":
                yield from _undone(step, file, f"{place} step {name!r}")
    elif "FunctionTransformer" in names and transformer.func is None and transformer.inverse_func is None:
        return
    else:
        affine = _affine(transformer, file, place)
        if np.ndim(affine.scale) == 2:
            raise FormatError(file, affine.place, f"is not undone by npquant; targets may be scaled by {_SCALERS[:4]}")
        scale = 1 / np.asarray(affine.scale)
        yield Affine(
            affine.place, scale, -np.asarray(affine.shift) * scale, f"{affine.place} was undone in the outputs"
        )


def _real(values: Any, file: str, place: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind != "f":
        raise FormatError(file, place, f"holds {array.dtype}; floats are expected")
    return array
