"""What a network answers on a set of rows, and how two networks' answers differ.

Legend: x real inputs, shape (R, K), R >= 1 rows; y true classes, int64, shape (R,), in [0, C), or real targets, float
(R,) or (R, C); model a network of C outputs; reference and candidate what two of them answered on the same rows, but
for `layer_sqnr`. What y is decides which figures there are: those below for classes, those of `real_targets` for
targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Indices, Mask, Real
from npquant.integer.layer import run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import dequantize
from npquant.measure.real_targets import RealComparison, RealEvaluation, compare_real, evaluate_real, outputs_sqnr
from npquant.measure.statistics import McNemar, mcnemar, sqnr_db
from npquant.nn.losses import kl_divergence
from npquant.nn.model import DenseLayer, FloatMLP


class Classifier(Protocol):
    """What both networks have: real logits of real inputs."""

    def logits(self, x: NDArray[Any]) -> Real:
        """Return (R, C) real values."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A network's answers on rows whose classes are known."""

    logits: Real  # (R, C) real values
    correct: Mask  # (R,) where the predicted class is the true one

    @property
    def rows(self) -> int:
        """R."""
        return int(self.correct.size)

    @property
    def n_correct(self) -> int:
        """Rows whose class is predicted."""
        return int(np.count_nonzero(self.correct))

    @property
    def predicted(self) -> NDArray[np.intp]:
        """The class of the largest logit, the lowest index on ties; shape (R,)."""
        return np.asarray(np.argmax(self.logits, axis=1), np.intp)


Answers = Evaluation | RealEvaluation


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Rows whose classes or targets are known, and what the network that others are held to answers, computed once."""

    x: NDArray[Any]
    y: NDArray[Any]
    answers: Answers

    @staticmethod
    def of(model: Classifier, x: NDArray[Any], y: NDArray[Any]) -> Reference:
        """Evaluate the network that others are held to."""
        return Reference(x, y, evaluate(model, x, y))

    @property
    def output(self) -> Literal["softmax", "identity"]:
        """What the network's outputs are, in the words of the quantizers and of pruning."""
        return "identity" if isinstance(self.answers, RealEvaluation) else "softmax"

    def evaluate(self, model: Classifier) -> Answers:
        """Evaluate another network on the same rows."""
        return evaluate(model, self.x, self.y)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two networks on the same rows: rows where they answer alike, KL in nats, and McNemar's paired test."""

    rows: int
    agreement: int
    kl: float
    paired: McNemar


Compared = Comparison | RealComparison


def evaluate(model: Classifier, x: NDArray[Any], y: NDArray[Any]) -> Answers:
    """Ask a network for the classes of some rows, or where y is real for the values.

    ValueError if there are no rows, or a class is one that the network does not have, or it has not as many outputs as
    y has targets.

    >>> model = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))
    >>> evaluate(model, np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0])).n_correct
    1
    """
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(f"evaluation needs R >= 1 rows with a class or target each, got {len(x)} and {len(y)}")
    logits = model.logits(x)
    if y.dtype.kind == "f":
        return evaluate_real(logits, y)
    if int(y.max()) >= logits.shape[1]:
        raise ValueError(f"the data has class {int(y.max())}, the network {logits.shape[1]} outputs: use matching ones")
    return Evaluation(logits, logits.argmax(axis=1) == y)


def compare(reference: Answers, candidate: Answers) -> Compared:
    """Compare two networks' answers row by row: ``paired.b`` the first alone gets right, ``paired.c`` the second.

    Of real targets the errors, as `compare_real` does.

    >>> a = Evaluation(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([True, True]))
    >>> b = Evaluation(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([True, False]))
    >>> compare(a, b).agreement, compare(a, b).paired
    (1, McNemar(b=1, c=0, p=1.0))
    """
    if isinstance(reference, RealEvaluation) and isinstance(candidate, RealEvaluation):
        return compare_real(reference, candidate)
    if isinstance(reference, RealEvaluation) or isinstance(candidate, RealEvaluation):
        raise TypeError("one network was evaluated on classes, the other on real targets; use the same rows")
    agreement = int(np.count_nonzero(reference.predicted == candidate.predicted))
    kl = kl_divergence(reference.logits, candidate.logits)
    return Comparison(reference.rows, agreement, kl, mcnemar(reference.correct, candidate.correct))


def answers_sqnr(reference: Answers, candidate: Answers) -> float:
    """T3 of logits, in dB; of real targets as `outputs_sqnr` has it.

    >>> one = Evaluation(np.array([[3.0, 4.0]]), np.array([True]))
    >>> answers_sqnr(one, one)
    inf
    """
    if isinstance(reference, RealEvaluation) and isinstance(candidate, RealEvaluation):
        return outputs_sqnr(reference, candidate)
    return sqnr_db(reference.logits, candidate.logits)


def with_outputs_sqnr(ratios: tuple[float, ...], reference: Answers, candidate: Answers) -> tuple[float, ...]:
    """Put `answers_sqnr` in the place of the last of the `ratios` of `layer_sqnr`, where targets are real.

    Otherwise the origin of a target would stand in it: 1000 +- 1 has 60 dB where nothing of the 1 is left.
    """
    if isinstance(reference, RealEvaluation):
        return (*ratios[:-1], answers_sqnr(reference, candidate))
    return ratios


def layer_sqnr(
    reference: FloatMLP, model: IntegerMLP, x: NDArray[Any], kept: tuple[Indices, ...] | None = None
) -> tuple[float, ...]:
    """T3 of each layer in dB, real outputs against decoded codes, errors of the layers before it included.

    Each layer runs on the codes that the layers before it deliver; +inf where its outputs agree exactly. `reference` is
    the float network that the integer one stands for; `kept` says for each layer which of its neurons the integer
    network still has, in that order (None: all). ValueError if the widths do not agree.

    >>> from npquant.compression.rounding.uniform import quantize_uniform
    >>> x = np.linspace(0, 1, 30).reshape(10, 3)
    >>> model = FloatMLP((DenseLayer(x[:3] - 0.1, np.zeros(3), "identity"),))
    >>> [round(layer_sqnr(model, quantize_uniform(model, x, bits), x)[0]) for bits in (2, 4, 8)]
    [6, 28, 47]
    """
    codes: NDArray[Any] = model.encode(x)
    ratios = []
    for number, (layer, outputs) in enumerate(zip(model.layers, reference.activations(x), strict=True)):
        codes = run_layer_plain(layer, codes, model.profile)
        wanted = outputs if kept is None else outputs[:, kept[number]]
        last = number == len(model.layers) - 1
        ratios.append(sqnr_db(wanted, model.decode(codes) if last else dequantize(codes, layer.output)))
    return tuple(ratios)


def in_float64(model: FloatMLP) -> FloatMLP:
    """Copy a float network to float64, exactly.

    Its sums are so much finer than float32 that their order, which a BLAS library changes with its thread count,
    decides no class and no code.

    >>> layer = DenseLayer(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), "identity")
    >>> in_float64(FloatMLP((layer,))).layers[0].w.dtype
    dtype('float64')
    """
    wide = (DenseLayer(e.w.astype(np.float64), e.b.astype(np.float64), e.activation) for e in model.layers)
    return FloatMLP(tuple(wide))
