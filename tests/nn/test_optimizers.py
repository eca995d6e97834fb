"""Each optimizer's step is its equations."""

import numpy as np

from npquant.nn.optimizers import AdamState, MomentumState, adam_step, sgd_momentum_step


def test_adam_step_is_its_equations() -> None:
    """F5: three steps equal the textbook recursion in float64."""
    rng = np.random.default_rng(0)
    p, state = rng.normal(size=5), AdamState(np.zeros(5), np.zeros(5), 0)
    q, m, v = p.copy(), np.zeros(5), np.zeros(5)
    for t in range(1, 4):
        g = rng.normal(size=5)
        p, state = adam_step(p, g.copy(), state, learning_rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8)  # type: ignore[assignment]
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        q = q - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        # The two orders of the same operations differ by a few roundings.
        np.testing.assert_allclose(p, q, rtol=0, atol=16 * np.finfo(float).eps * (1 + np.abs(q).max()))


def test_sgd_momentum_step_is_its_equations() -> None:
    """F4: velocity gathers gradients; parameters follow it."""
    p, state = np.array([1.0]), MomentumState(np.zeros(1))
    for _ in range(2):
        p, state = sgd_momentum_step(p, np.array([1.0]), state, learning_rate=0.5, momentum=0.5)
    assert p[0] == 1 - 0.5 * 1 - 0.5 * 1.5
