"""Training: it learns, it stops early, it repeats itself, and it says what is wrong with its input."""

from typing import Any

import numpy as np
import pytest

from npquant.nn.finetuning import finetune
from npquant.nn.losses import softmax_cross_entropy_forward
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train


def rings(rows: int = 300, seed: int = 0) -> Any:
    """Draw two classes that no straight line separates."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    angle = rng.uniform(0, 2 * np.pi, rows)
    radius = 1 + y + rng.normal(0, 0.1, rows)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y


@pytest.mark.parametrize("activation", ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"])
def test_train_learns_what_no_linear_model_can(activation: str) -> None:
    """With a hidden layer the rings are learned, without one they are not."""
    x, y = rings()
    net = train(x, y, hidden=(32,), activation=activation, epochs=150, learning_rate=0.01, rng=0)
    assert (net.predict(x) == y).mean() > 0.97
    assert (train(x, y, hidden=(), epochs=50, rng=0).predict(x) == y).mean() < 0.7


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.1), ("sgd", 0.1)])
def test_train_fits_a_line(optimizer: Any, rate: Any) -> None:
    """Squared error on a noiseless line is fitted to a hundredth of its spread, whatever the units of the input."""
    x = np.linspace(1000, 2000, 64)[:, None]
    y = 3 * (x - 1500) / 500 + 7
    net = train(
        x, y, hidden=(), loss="squared_error", optimizer=optimizer, learning_rate=rate, epochs=600, dtype=np.float64
    )
    assert np.abs(net.logits(x) - y).max() < 0.01 * np.ptp(y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_train_repeats_itself(dtype: Any) -> None:
    """The same seed gives the same bytes; another seed does not."""
    x, y = rings(80)
    nets = [train(x, y, hidden=(8,), epochs=3, dtype=dtype, rng=seed) for seed in (1, 1, 2)]
    same = [np.array_equal(nets[0].layers[0].w, net.layers[0].w) for net in nets]
    assert same == [True, True, False] and nets[0].dtype == dtype


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 5e-3), ("sgd", 0.1)])
@pytest.mark.parametrize("width", [2, 256])
def test_train_without_a_rate_takes_one_that_falls_with_the_width(optimizer: Any, rate: Any, width: int) -> None:
    """F11: the default is the rate times min(1, sqrt(64 / K)), to the bytes; the other branch is seen."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, width)), np.arange(40) % 2
    factor = float(np.sqrt(64 / width))
    rates = (None, rate * min(1, factor), rate * (1 if width > 64 else factor))
    nets = [train(x, y, hidden=(4,), epochs=2, optimizer=optimizer, learning_rate=r, rng=0) for r in rates]
    assert [np.array_equal(nets[0].layers[0].w, net.layers[0].w) for net in nets] == [True, True, False]


def test_train_returns_the_best_epoch() -> None:
    """With a validation set the returned network has the lowest validation loss that was reported."""
    x, y = rings(60)
    seen: list[Any] = []
    validation = rings(100, seed=9)
    net = train(x, y, hidden=(16,), epochs=60, learning_rate=0.03, validation=validation, progress=seen.append, rng=0)
    loss = softmax_cross_entropy_forward(net.logits(validation[0]).astype(np.float64), validation[1])[0]
    # The scaling is folded into float32 weights: a few roundings of logits of size ~10.
    assert abs(loss - min(e.validation_loss for e in seen)) < 1e-4
    assert [e.number for e in seen] == list(range(1, 61))


def test_train_stops_when_patience_ends() -> None:
    """No better validation loss for `patience` epochs ends the training."""
    x, y = rings(60)
    seen: list[Any] = []
    flipped = (x, 1 - y)  # learning makes this validation loss worse
    train(x, y, hidden=(16,), epochs=100, validation=flipped, patience=4, progress=seen.append, rng=0)
    assert len(seen) < 100
    with pytest.raises(ValueError, match="patience needs a validation set"):
        train(x, y, patience=4)


def test_train_takes_raw_inputs() -> None:
    """Scaling is folded into the first layer: constant, huge and tiny features do no harm."""
    x, y = rings()
    raw = np.column_stack([x[:, 0] * 1e6 + 3e7, x[:, 1] * 1e-6, np.full(len(x), 5.0)])
    assert (
        train(raw, y, hidden=(32,), epochs=150, learning_rate=0.01, dtype=np.float64, rng=0).predict(raw) == y
    ).mean() > 0.97


def test_finetune_keeps_shapes_and_improves() -> None:
    """A damaged network recovers; the one that was given is not changed."""
    x, y = rings()
    net = train(x, y, hidden=(32,), epochs=150, learning_rate=0.01, rng=0)
    rng = np.random.default_rng(0)
    noisy = FloatMLP(
        [DenseLayer(p.w + rng.normal(0, 1.0, p.w.shape).astype(p.w.dtype), p.b, p.activation) for p in net.layers]
    )
    before = noisy.layers[0].w.copy()
    tuned = finetune(noisy, x, y, epochs=40, rng=0)
    assert tuned.neurons == noisy.neurons and np.array_equal(noisy.layers[0].w, before)
    assert (tuned.predict(x) == y).mean() > (noisy.predict(x) == y).mean()


X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": [[np.nan, 1.0]] * 4, "y": Y}, "x is nan at row 0, column 0"),
        ({"x": np.zeros((0, 2)), "y": []}, r"x has shape \(0, 2\)"),
        ({"x": np.zeros(4), "y": Y}, r"x has shape \(4,\)"),
        ({"x": X, "y": [0, 1]}, "one entry for each of the 4 rows"),
        ({"x": X, "y": [0, 0, 0, 0]}, "only one class"),
        ({"x": X, "y": [0, 0, 2, 2]}, "class 1 has no row.*np.unique"),
        ({"x": X, "y": [-1, 0, 1, 1]}, "numbered from 0"),
        ({"x": X, "y": Y, "epochs": 0}, "epochs is 0"),
        ({"x": X, "y": Y, "hidden": (0,)}, "a width in hidden is 0"),
        ({"x": X, "y": Y, "batch_size": 0}, "batch_size is 0"),
        ({"x": X, "y": Y, "learning_rate": -1}, "learning_rate is -1"),
        ({"x": X, "y": Y, "momentum": 1.0}, "momentum is 1.0"),
        ({"x": X, "y": Y, "weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"x": X, "y": Y, "activation": "swish"}, "unknown activation 'swish'; known: identity"),
        ({"x": X, "y": Y, "optimizer": "lion"}, "unknown optimizer"),
        ({"x": X, "y": Y, "loss": "hinge"}, "unknown loss"),
        ({"x": X, "y": [[np.inf]] * 4, "loss": "squared_error"}, "y is inf"),
        ({"x": X, "y": Y, "validation": (X, [0, 1, 2, 1])}, "validation y contains class 2"),
        ({"x": X, "y": np.eye(2, dtype=int)[Y]}, "np.argmax"),
        ({"x": X, "y": Y, "patience": 3}, "patience needs a validation set"),
        ({"x": X, "y": Y, "batch_size": 2, "patience": 0, "validation": (X, Y)}, "patience is 0"),
        ({"x": X + 1e9, "y": Y}, "feature 0 of x has the mean 1e.09 .* float32 cannot tell"),
        ({"x": X * 1e30, "y": Y}, "feature 0 of x"),
        ({"x": X, "y": [1e30, 0, 0, 0], "loss": "squared_error"}, "a target is 1e.30"),
        ({"x": X, "y": [1e-35, 0, 0, 0], "loss": "squared_error"}, "output 0 of y has the spread 4.*multiply y"),
        ({"x": X, "y": [2019, 2020, 2021, 2022]}, 'class 0 has no row.*for regression give loss="squared_error"'),
        ({"x": X, "y": Y, "validation": (np.zeros((2, 3)), [0, 1])}, "validation x has 3 columns; it must have 2"),
    ],
)
def test_train_names_what_is_wrong(arguments: Any, message: str) -> None:
    """Bad values raise ValueError with the thing and the fix."""
    with pytest.raises(ValueError, match=message):
        train(**{"epochs": 1, **arguments})


@pytest.mark.parametrize(
    "arguments",
    [
        {"x": X, "y": ["a", "a", "b", "b"]},
        {"x": X, "y": Y / 2},
        {"x": X.astype(str), "y": Y},
        {"x": X, "y": Y, "dtype": int},
        {"x": X, "y": Y, "epochs": 2.0},
        {"x": X, "y": Y, "epochs": True},
        {"x": X, "y": Y, "hidden": 64},
        {"x": X, "y": Y, "learning_rate": "fast"},
        {"x": X, "y": Y, "validation": X},
    ],
)
def test_train_refuses_wrong_types(arguments: Any) -> None:
    """Strings, real classes and integer parameters raise TypeError."""
    with pytest.raises(TypeError):
        train(**{"epochs": 1, **arguments})


def test_train_says_when_it_diverges() -> None:
    """A loss that overflows ends with one clear error."""
    x, y = rings(60)
    with pytest.raises(ValueError, match=r"diverged in epoch \d+: .*learning_rate below 1e\+?0?6|1000000.0"):
        train(
            x,
            1e3 * y[:, None],
            hidden=(8,),
            activation="relu",
            loss="squared_error",
            optimizer="sgd",
            learning_rate=1e6,
        )


def test_train_gives_dead_inputs_no_weight() -> None:
    """An input that never varies has weight 0, so that it cannot disturb a later row."""
    x, y = rings()
    net = train(np.column_stack([x, np.full(len(x), 5.1)]), y, hidden=(8,), epochs=3, rng=0)
    assert not net.layers[0].w[2].any() and net.layers[0].w[:2].any()


def test_weight_decay_leaves_biases() -> None:
    """F10: with no gradient a step only shrinks the weights, by the rate times the decay."""
    one = FloatMLP([DenseLayer(np.full((1, 1), 2.0), np.full(1, 3.0), "identity")])
    x, y = np.array([[0.5], [-0.5]]), np.array([[4.0], [2.0]])  # fitted exactly: the gradient is 0
    tuned = finetune(
        one, x, y, 1, loss="squared_error", optimizer="sgd", learning_rate=0.5, batch_size=2, weight_decay=0.5, rng=0
    )
    assert tuned.layers[0].w.item() == 2 * (1 - 0.25) and tuned.layers[0].b.item() == 3.0


def test_train_ends_with_an_exception_of_the_callback() -> None:
    """What the progress callback raises is not swallowed."""

    def stop(epoch: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(X, Y, progress=stop)


@pytest.mark.slow
def test_train_reaches_its_accuracy_on_digits() -> None:
    """The defaults reach 97.3 % on unseen digits, mean of ten splits."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    scores = []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(data.target))
        fit, check, unseen = np.split(order, [1258, 1528])
        net = train(data.data[fit], data.target[fit], validation=(data.data[check], data.target[check]), rng=seed)
        scores.append((net.predict(data.data[unseen]) == data.target[unseen]).mean())
    assert np.mean(scores) >= 0.973
