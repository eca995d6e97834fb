"""Distillation: targets are distributions between the label and the teacher."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npquant.nn.distillation import checked_teacher, mixed_targets
from npquant.nn.losses import soft_cross_entropy_forward, softmax_cross_entropy_forward
from npquant.nn.model import DenseLayer, FloatMLP


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1), temperature=st.floats(0.5, 20))
def test_mixed_targets_are_distributions(seed: int, share: Any, temperature: Any) -> None:
    """Rows are >= 0 and sum to 1; share 0 is one-hot, whose loss is F6."""
    rng = np.random.default_rng(seed)
    logits, y = 10 * rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    t = mixed_targets(y, logits, temperature, share)
    # Four terms and two products round once each.
    assert (t >= 0).all() and (np.abs(t.sum(axis=1) - 1) <= 8 * np.finfo(float).eps).all()
    hard = soft_cross_entropy_forward(logits, mixed_targets(y, logits, temperature, 0.0))[0]
    assert abs(hard - softmax_cross_entropy_forward(logits, y)[0]) <= 64 * np.finfo(float).eps * np.abs(logits).max()


def test_checked_teacher_answers_one_row() -> None:
    """One row is enough for a teacher."""
    net = FloatMLP((DenseLayer(np.ones((5, 3)), np.zeros(3), "identity"),))
    assert checked_teacher(net, np.ones((1, 5)), 3).shape == (1, 3)
