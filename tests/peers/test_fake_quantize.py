"""torch's fake quantization and decomposed quantization are the kernels', bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from npquant.kernels.fake_quantize import fake_quantize, quantize_decomposed, quantize_decomposed_float64
from tests.peers import adversarial, layers, machine
from tests.peers import engines_torch as ENGINE
from tests.peers.comparison import require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]
SCALES = (0.1, 0.3, 0.5, 1 / 3, 0.0123, 1.0, 3.7, 2.0**-20, 1e-5, 17.25)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_per_tensor_equals_kernels(dtype: str) -> None:
    """Ties, rails, NaN and infinities at every zero point."""
    rng, compared, info = np.random.default_rng(51), 0, np.iinfo(dtype)
    for k, z in enumerate(adversarial.zero_points(dtype, 256).tolist()):
        y = layers.params(SCALES[k % len(SCALES)], z, dtype)
        x = np.concatenate([adversarial.reals(rng, float(y.scale), z, 400), adversarial.special_reals()])
        pair, ends = layers.pair(y), {"qmin": info.min, "qmax": info.max}
        got = ENGINE.fake_quantize_per_tensor(x, y=pair, **ends)
        compared += require_equal(ENGINE, got, fake_quantize(x, y), case=y)
        codes = ENGINE.decomposed_quantize_per_tensor(x, y=pair, dtype=dtype, **ends)
        compared += require_equal(ENGINE, codes, quantize_decomposed(x, y), case=y)
    assert compared >= 200_000


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_per_channel_equals_kernels(dtype: str) -> None:
    """As per tensor, with ten channels; float64 scales make the decomposed operator compute in float64."""
    rng, compared, info = np.random.default_rng(52), 0, np.iinfo(dtype)
    for _ in range(40):
        zeros = rng.integers(info.min, info.max + 1, len(SCALES))
        y = layers.params(np.array(SCALES), zeros, dtype)
        columns = [
            np.concatenate([adversarial.reals(rng, s, int(z), 200), adversarial.special_reals()])
            for s, z in zip(SCALES, zeros, strict=True)
        ]
        x, axis, ends = np.stack(columns, axis=1), 1, {"qmin": info.min, "qmax": info.max}
        pair = np.asarray(y.scale, np.float32), zeros
        got = ENGINE.fake_quantize_per_channel(x, y=pair, axis=axis, **ends)
        compared += require_equal(ENGINE, got, fake_quantize(x, y), case=y)
        codes = ENGINE.decomposed_quantize_per_channel(x, y=pair, axis=axis, dtype=dtype, **ends)
        compared += require_equal(ENGINE, codes, quantize_decomposed(x, y), case=y)
        wide = np.asarray(y.scale, np.float64), zeros
        codes = ENGINE.decomposed_quantize_per_channel(x, y=wide, axis=axis, dtype=dtype, **ends)
        compared += require_equal(ENGINE, codes, quantize_decomposed_float64(x, y), case=y)
    assert compared >= 200_000
