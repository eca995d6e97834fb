"""scikit-learn's perceptrons: the estimator's own outputs, within the roundings of a fold; refusals by name."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.sklearn import from_sklearn

RNG = np.random.default_rng(12)
U = 2.0**-53
FLAGS = (False, True)


def named(name: str, **attributes: Any) -> Any:
    """Return an object of a class called `name`, as scikit-learn's fitted one."""
    made = type(name, (), {})()
    vars(made).update(attributes)
    return made


def perceptron(name: str = "MLPRegressor", out: str = "identity", **attributes: Any) -> Any:
    """Return a stand-in for a fitted perceptron of 3-4-2."""
    layers = {"coefs_": [np.ones((3, 4)), np.ones((4, 2))], "intercepts_": [np.zeros(4), np.zeros(2)]}
    return named(name, **{**layers, "activation": "relu", "out_activation_": out, **attributes})


def pipeline(*steps: Any) -> Any:
    """Return a stand-in for a fitted pipeline."""
    return named("Pipeline", steps=[(f"step{i}", step) for i, step in enumerate(steps)])


@pytest.mark.parametrize(
    ("out", "head"), [("identity", "none"), ("softmax", "softmax"), ("logistic", "logistic")]
)  # fmt: skip
def test_output_activation_is_the_head(out: str, head: str) -> None:
    """The network gives logits, and the output activation is the head that was split off."""
    found = from_sklearn(perceptron(out=out))
    assert (found.head, found.model.activation_names, found.format) == (head, ("relu", "identity"), "scikit-learn")


def test_weights_are_the_estimators_bit_for_bit() -> None:
    """J4. A perceptron alone keeps its numbers and their dtype."""
    for dtype in (np.float32, np.float64):
        weights = [RNG.normal(size=(3, 4)).astype(dtype), RNG.normal(size=(4, 1)).astype(dtype)]
        found = from_sklearn(perceptron(coefs_=weights, intercepts_=[np.zeros(4, dtype), np.zeros(1, dtype)]))
        assert [layer.w.tobytes() for layer in found.model.layers] == [w.tobytes() for w in weights]
        assert found.model.dtype == dtype


def test_names_of_classes_are_noted() -> None:
    """The notes say which class a logit is of, of strings too, and what two classes' one logit means."""
    many = from_sklearn(perceptron("MLPClassifier", "softmax", classes_=np.array(["ant", "bee"])))
    assert many.notes[-1] == "classes in the order of the logits: 'ant', 'bee'"
    one = {"coefs_": [np.ones((3, 1))], "intercepts_": [np.zeros(1)], "classes_": np.array([0, 7])}
    assert from_sklearn(perceptron("MLPClassifier", "logistic", **one)).notes[-1].endswith("class 7, against 0")
    labels = from_sklearn(perceptron("MLPClassifier", "logistic", classes_=np.array([0, 1])))
    assert labels.notes[-1].startswith("labels, each with a logit of its own")


SCALER = {"scale_": np.ones(3)}
REFUSED = {
    "poisson": (perceptron(out="exp"), "out_activation_: is exp"),
    "unfitted": (named("MLPClassifier", activation="relu"), "is not fitted; call fit first"),
    "LinearRegression": (named("LinearRegression", coef_=np.ones(3)), "LinearRegression is not read; npquant reads"),
    "VotingClassifier": (named("VotingClassifier"), "VotingClassifier is not read"),
    "SelectKBest": (pipeline(named("SelectKBest"), perceptron()), r"step 'step0' \(SelectKBest\): is not read"),
    "function": (pipeline(named("FunctionTransformer"), perceptron()), "FunctionTransformer"),
    "columns": (pipeline(named("ColumnTransformer"), perceptron()), "ColumnTransformer"),
    "clip": (pipeline(named("MinMaxScaler", clip=True, min_=np.zeros(3), **SCALER), perceptron()), "clip=True"),
    "max abs clip": (pipeline(named("MaxAbsScaler", clip=True, **SCALER), perceptron()), "clip=True"),
    "unfitted scaler": (pipeline(named("StandardScaler"), perceptron()), "StandardScaler.*is not fitted"),
    "unfitted search": (named("GridSearchCV"), "no best_estimator_"),
    "unfitted target": (named("TransformedTargetRegressor"), "is not fitted"),
    "activation": (perceptron(activation="gelu"), "activation: 'gelu' is not read; identity, logistic"),
    "ends in a scaler": (pipeline(named("StandardScaler", mean_=np.zeros(3), **SCALER)), "holds no fully-connected"),
    "objects": (perceptron(coefs_=[np.array([["a"]])], intercepts_=[np.zeros(1)]), r"coefs_\[0\]: holds"),
    "shapes": (pipeline(named("StandardScaler", mean_=np.zeros(5), scale_=np.ones(5)), perceptron()), "scales by"),
    "zero scale": (pipeline(named("MaxAbsScaler", scale_=np.zeros(3)), perceptron()), "not finite"),
    "log targets": (
        named("TransformedTargetRegressor", regressor_=perceptron(),
              transformer_=named("FunctionTransformer", func=np.log, inverse_func=np.exp)),
        "FunctionTransformer",
    ),
    "neither": (SimpleNamespace(), "SimpleNamespace is not read"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    """What cannot be folded is a FormatError that names the step, and says what would be read."""
    estimator, says = REFUSED[case]
    with pytest.raises(FormatError, match=says):
        from_sklearn(estimator)


def require_equal(found: Any, x: Any, want: Any) -> None:
    """Hold the head's outputs to an estimator's, within the roundings of both.

    Folding costs gamma_n of the largest product of magnitudes on the way, n the terms of all sums; the heads are
    1-Lipschitz.
    """
    n, m = 64, np.abs(x).max() + 1
    for layer in found.model.layers:
        n += layer.w.shape[0] + 8
        m = np.abs(m * layer.w).sum(0).max() + np.abs(layer.b).max()
    m = max(m, 1.0)
    got = found.run(x)
    want = want[:, 1:] if found.head == "logistic" and got.shape[1] == 1 else want.reshape(got.shape)
    assert np.abs(got - want).max() <= 2 * n * U / (1 - n * U) * m * 2 ** len(found.model.layers)


CORPUS = Path(__file__).parents[2] / "../shared/models/corpus"
CORPUS = CORPUS if CORPUS.exists() else Path(__file__).parents[2] / "../../shared/models/corpus"


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus of model files beside the project")
def test_arrays_of_the_corpus() -> None:
    """Stand-ins with the recorded attributes of fitted estimators answer what these answered."""
    entries = json.loads((CORPUS / "MANIFEST.json").read_text(encoding="utf-8"))["entries"]
    seen = 0
    for entry in entries:
        if entry["format"] != "sklearn_arrays" or entry["expect"]["kind"] == "refuse" or "pca" in entry["id"]:
            continue  # of the PCA only the mean was recorded
        with np.load(CORPUS / entry["file"]) as stored:
            z = dict(stored)
        layers = {kind: [z[k] for k in sorted(z) if k.startswith(kind[:4])] for kind in ("coefs_", "intercepts_")}
        mlp = perceptron(out=str(z["out_activation"]), activation=str(z["activation"]), **layers)
        scalers = {"standardscaler": "StandardScaler", "minmaxscaler": "MinMaxScaler"}
        steps = [named(scalers[name], **{k.split(".")[1]: z[k] for k in z if k.startswith(name)})
                 for name in dict.fromkeys(k.split(".")[0] for k in z if "." in k)]  # fmt: skip
        found = from_sklearn(pipeline(*steps, mlp))
        require_equal(found, z["x"], z.get("predict_proba", z["predict"]))
        if "sizes" in entry["expect"]:
            assert [found.model.n_inputs, *found.model.neurons] == entry["expect"]["sizes"]
            assert list(found.model.activation_names) == entry["expect"]["activations"]
            assert found.head == entry["expect"]["head"]
        seen += 1
    assert seen >= 9


@pytest.mark.peer
class TestPeer:
    """Against scikit-learn itself."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> Any:
        pytest.importorskip("sklearn")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ConvergenceWarning: a fit of ten steps is meant
            yield

    def data(self, features: int = 6) -> tuple[Any, Any]:
        """Return rows with different offsets and scales, one column constant."""
        x = RNG.normal(size=(80, features)) * 10.0 ** RNG.integers(-1, 2, features) + RNG.normal(size=features)
        x[:, 0] = 3.0
        return x, x[:, 1] > np.median(x[:, 1])

    @pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
    @pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "one target", "targets"])
    def test_every_kind_of_output(self, activation: str, kind: str) -> None:
        """run is predict_proba of a classifier (its second column of two), predict of a regressor."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        x, y = self.data()
        settings = {"hidden_layer_sizes": (7, 5), "activation": activation, "max_iter": 10, "random_state": 1}
        if kind in ("one target", "targets"):
            model = MLPRegressor(**settings).fit(x, x[:, 1] if kind == "one target" else x[:, 1:4])
            require_equal(from_sklearn(model), x, model.predict(x))
            return
        labels = {"binary": y, "multiclass": np.array(["a", "b", "c"])[np.arange(len(y)) % 3]}.get(kind, x[:, 1:4] > 0)
        model = MLPClassifier(**settings).fit(x, labels)
        found = from_sklearn(model)
        require_equal(found, x, model.predict_proba(x))
        assert found.head == ("softmax" if kind == "multiclass" else "logistic")

    def test_affine_steps_are_folded(self) -> None:
        """Every affine step and every switch of it, alone and in a row, gives the pipeline's own outputs."""
        from sklearn import decomposition, preprocessing
        from sklearn.neural_network import MLPRegressor
        from sklearn.pipeline import make_pipeline

        x, _ = self.data()
        choices = [
            *(preprocessing.StandardScaler(with_mean=m, with_std=s) for m in FLAGS for s in FLAGS),
            *(preprocessing.RobustScaler(with_centering=m, with_scaling=s) for m in FLAGS for s in FLAGS),
            preprocessing.MinMaxScaler(), preprocessing.MinMaxScaler((-3, 2)), preprocessing.MaxAbsScaler(),
            decomposition.PCA(3), decomposition.PCA(3, whiten=True), decomposition.IncrementalPCA(3),
            decomposition.TruncatedSVD(3), "passthrough",
        ]  # fmt: skip
        rows = [[one] for one in choices] + [
            [choices[i], choices[j]] for i, j in RNG.integers(0, len(choices), (12, 2))
        ]
        for steps in rows:
            model = make_pipeline(*steps, MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=2)).fit(
                x, x[:, 1]
            )
            found = from_sklearn(model)
            require_equal(found, x, model.predict(x))
            assert sum("folded" in note for note in found.notes) == sum(step != "passthrough" for step in steps)

    def test_search_nested_pipeline_and_targets(self) -> None:
        """A search stands for its best estimator, pipelines nest, and scaled targets are scaled back."""
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.model_selection import GridSearchCV
        from sklearn.neural_network import MLPRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

        x, _ = self.data()
        y = 100 + 5 * x[:, 1]
        mlp = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=2)
        inner = make_pipeline(make_pipeline(StandardScaler(), None), MinMaxScaler(), mlp)
        for scaler in (
            None,
            StandardScaler(),
            MinMaxScaler(),
            RobustScaler(),
            make_pipeline(StandardScaler(), MinMaxScaler()),
        ):
            model = TransformedTargetRegressor(inner, transformer=scaler).fit(x, y)
            require_equal(from_sklearn(model), x, model.predict(x))
        search = GridSearchCV(inner, {"mlpregressor__alpha": [0.1, 1.0]}, cv=2).fit(x, y)
        found = from_sklearn(search)
        require_equal(found, x, search.predict(x))
        assert any("best estimator" in note for note in found.notes)

    def test_clip_and_poisson_are_refused(self) -> None:
        """MinMaxScaler(clip=True), and outputs that are e to the logits."""
        from sklearn.neural_network import MLPRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler

        x, y = self.data()
        with pytest.raises(FormatError, match="clip=True"):
            from_sklearn(
                make_pipeline(MinMaxScaler(clip=True), MLPRegressor(hidden_layer_sizes=(5,), max_iter=5)).fit(x, y)
            )
        try:
            poisson = MLPRegressor(loss="poisson", hidden_layer_sizes=(5,), max_iter=5)
        except TypeError:
            pytest.skip("this scikit-learn has no loss='poisson'")
        with pytest.raises(FormatError, match="exp"):
            from_sklearn(poisson.fit(x, y))
