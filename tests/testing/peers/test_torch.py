"""Torch's quantized.linear under the judge, each engine by its own profile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npquant import QuantParams, linear
from tests.peers import engines_torch as ENGINE
from tests.peers import machine
from tests.peers.layers import pair
from tests.testing.peers import backends
from tests.testing.peers.laws import require_bias_without_inputs, require_conformance, require_rejection

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded conversions are those of x86"),
]
ROOT = Path(__file__).resolve().parents[3]
each_engine = pytest.mark.parametrize("engine", ENGINE.ENGINES)
# In a process of its own: what happens to it is the result.
ALONE = """
from tests.testing.peers import backends, laws
laws.require_bias_without_inputs(backends.torch("{engine}"))
"""


@pytest.fixture(autouse=True)
def _runs_here(request: pytest.FixtureRequest, _engine_installed: None) -> None:
    """Skip an engine that this build of torch lacks."""
    engine = getattr(request.node, "callspec", None)
    name = engine.params.get("engine") if engine else None
    if name is not None and name not in ENGINE.available_engines():
        pytest.skip(f"this build of torch does not have the engine {name!r}")


@each_engine
def test_torch_is_conformant(engine: str) -> None:
    """quantized.linear and quantize_per_* pass; a refusal is a RuntimeError, so none is promised."""
    require_conformance(ENGINE, backends.torch(engine), unasked=("illegal",))


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "onednn"])
def test_torch_is_no_other(engine: str) -> None:
    """The judge tells torch's engines from each other."""
    others = {backends.TORCH[name] for name in ("fbgemm", "qnnpack", "onednn")} - {backends.TORCH[engine]}
    require_rejection(backends.torch(engine), *sorted(others))


def test_qnnpack_gives_the_bias_without_inputs() -> None:
    """K = 0 gives the requantized bias."""
    if "qnnpack" not in ENGINE.available_engines():
        pytest.skip("this build of torch does not have the engine 'qnnpack'")
    require_bias_without_inputs(backends.torch("qnnpack"))


@pytest.mark.xfail(strict=True, reason="torch 2.13.0, fbgemm and x86: the output is left unwritten where K = 0")
@pytest.mark.parametrize("engine", ["fbgemm", "x86"])
def test_fbgemm_gives_the_bias_without_inputs(engine: str) -> None:
    """K = 0 should give the requantized bias; what comes back is what the memory held."""
    require_bias_without_inputs(backends.torch(engine))


@pytest.mark.parametrize("engine", ["onednn"])
def test_onednn_is_killed_by_a_layer_without_inputs(engine: str) -> None:
    """K = 0 divides by zero inside torch 2.13.0: the process is lost, where the requantized bias is due."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE.format(engine=engine)], cwd=ROOT, env=_own_tree(), capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGFPE, (
        f"it returned {done.returncode}: if it is 0 the engine is mended, and docs/findings.md must say so"
    )


@pytest.mark.parametrize("depth", [255, 256, 257, 258, 259, 301, 513, 640, 765, 766, 767, 768, 769, 1025, 2049, 4093])
def test_onednn_pairs_are_those_of_the_profile(depth: int) -> None:
    """Without VNNI K = 257 products are summed as 129 and 128, each in pairs of its own; from 768 on all together."""
    rng = np.random.default_rng(0)
    x, w, y = QuantParams(0.5, 46, 0, 255), QuantParams(0.25, 0, -128, 127), QuantParams(200.0, 123, 0, 255)
    for n in (1, 16, 33):
        x_q = rng.integers(0, 256, (20, depth)).astype(np.uint8)
        w_q = rng.integers(-128, 128, (depth, n)).astype(np.int8)
        got = ENGINE.linear(x_q, w_q, None, x=pair(x), w=pair(w), y=pair(y), engine="onednn", relu=False)
        want = linear(x_q, w_q, None, x=x, w=w, y=y, profile=backends.TORCH["onednn"])
        assert np.array_equal(got, want)


def _own_tree() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
