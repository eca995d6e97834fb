"""PyTorch's modules and state_dicts: torch's own outputs, within the roundings of sums; refusals by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.torch import from_torch

RNG = np.random.default_rng(12)


class Module:
    """Stand in for torch.nn.Module."""

    training = False

    def __init__(self, *children: Any, **attributes: Any) -> None:
        self._modules = {str(i): child for i, child in enumerate(children)}
        vars(self).update(attributes)

    def forward(self) -> None:
        """Do nothing: a module is read, not run."""


Module.__module__ = "torch.nn.modules.module"


def kind(name: str, home: str = "torch.nn.modules.all") -> Any:
    """Return a stand-in for one of torch's own classes."""
    return type(name, (Module,), {"__module__": home, "forward": lambda self: None})


Sequential, Linear, ReLU, Dropout = (kind(name) for name in ("Sequential", "Linear", "ReLU", "Dropout"))
FC = Linear(weight=np.eye(2), bias=np.zeros(2))


def test_one_relu_may_stand_twice() -> None:
    """The same module in two places is read in both, and Dropout in none."""
    act = ReLU()
    found = from_torch(Sequential(FC, act, Sequential(Dropout(), FC), act, FC))
    assert found.model.activation_names == ("relu", "relu", "identity")
    assert found.format == "torch" and not found.notes


def test_state_dict_is_in_its_own_order() -> None:
    """A state_dict's order is that of the computation, and not that of the names; weights (out, in) are transposed."""
    tensors = {"b.weight": np.array([[1.0, 2.0]]), "a.weight": np.array([[3.0]]), "a.bias": np.array([1.0])}
    found = from_torch(tensors, activations=["relu6", "softmax"])
    assert found.run([[1.0, 1.0]]).tolist() == [[1.0]] and found.head == "softmax"
    net = from_torch(tensors, activations="identity").model
    assert net.logits([[1.0, 1.0]]).tolist() == [[10.0]]


TENSORS = {"0.weight": np.eye(2), "0.bias": np.zeros(2), "2.weight": np.ones((1, 2))}
REFUSED_TENSORS = {
    "no activations": (TENSORS, None, "activations: holds no activation functions.*activations='relu'"),
    "too many": (TENSORS, ["relu"] * 3, "3 are given for 2 layers"),
    "batch norm": ({**TENSORS, "1.running_mean": np.zeros(2)}, "relu", r"tensor '1.running_mean'.*eps"),
    "convolution": ({"0.weight": np.zeros((1, 1, 3, 3))}, "relu", r"tensor '0.weight': has the shape \(1, 1, 3, 3\)"),
    "attention": ({"in_proj_weight": np.eye(2)}, "relu", "tensor 'in_proj_weight': is no layer's"),
    "bias alone": ({"0.bias": np.zeros(2)}, "relu", "there is no 0.weight"),
    "integers": ({"0.weight": np.eye(2, dtype=int)}, "relu", "tensor '0.weight': holds int64"),
    "transposed": ({"0.weight": np.ones((3, 2)), "1.weight": np.ones((2, 4))}, "relu", r"fit as \(in, out\)"),
    "empty": ({}, "relu", "holds no fully-connected layer"),
}


@pytest.mark.parametrize("case", REFUSED_TENSORS)
def test_state_dict_refused_by_name(case: str) -> None:
    """What tensors do not say is asked for, and what is no layer's is refused by its name."""
    tensors, activations, says = REFUSED_TENSORS[case]
    with pytest.raises(FormatError, match=says):
        from_torch(tensors, activations=activations)


def test_wrong_arguments() -> None:
    """An unknown activation is a ValueError, activations of a module a TypeError, and so is a path."""
    with pytest.raises(ValueError, match="unknown 'gelu' at 0; known: identity, relu"):
        from_torch(TENSORS, activations="gelu")
    with pytest.raises(ValueError, match="unknown 'softmax' at 0"):
        from_torch(TENSORS, activations=["softmax", "relu"])
    with pytest.raises(TypeError, match="a module has its own"):
        from_torch(Sequential(FC), activations="relu")
    with pytest.raises(TypeError, match=r"neither an nn\.Module nor a state_dict"):
        from_torch("net.pt")


class Residual(Module):
    """A user's own module."""


class Reversed(Sequential):  # type: ignore[misc, valid-type]
    """A Sequential that computes something else."""

    def forward(self) -> None:
        """Do something else."""


Quantized = kind("Linear", "torch.ao.nn.quantized.modules.linear")
REFUSED = {
    "own module": (Residual(FC), "Residual: Residual: is a module of its own kind.*nn.Sequential"),
    "inside": (Sequential(FC, Residual()), r"1 \(Residual\): is a module of its own kind"),
    "forward": (Reversed(FC), "overrides the forward of Sequential"),
    "forward of one object": (Sequential(FC, forward=print), "overrides the forward"),
    "hooks": (Sequential(Linear(weight=np.eye(2), bias=None, _forward_pre_hooks={0: print})), "prune.remove"),
    "parametrized": (Sequential(Linear(parametrizations={})), "remove_parametrizations"),
    "quantized": (Sequential(Quantized()), "torch.ao.nn.quantized.modules.linear.Linear, which is not read"),
    "GELU": (Sequential(FC, kind("GELU")()), r"1 \(GELU\): GELU is not read; Linear, BatchNorm1d"),
    "Conv2d": (Sequential(kind("Conv2d")()), "Conv2d is not read"),
    "LeakyReLU": (Sequential(FC, kind("LeakyReLU")(), FC), "LeakyReLU is not read"),
    "flatten": (Sequential(kind("Flatten")(start_dim=0, end_dim=-1), FC), "flattens 0 to -1"),
    "softmax": (Sequential(FC, kind("Softmax")(dim=0)), "runs along dim 0"),
    "softplus": (Sequential(FC, kind("Softplus")(beta=2.0, threshold=20.0), FC), "has beta 2.0"),
    "batch statistics": (
        Sequential(FC, kind("BatchNorm1d")(running_mean=None, running_var=None)), "track_running_stats=False",
    ),
    "negative variance": (
        Sequential(FC, kind("BatchNorm1d")(running_mean=np.zeros(2), running_var=-np.ones(2), eps=0.0, weight=None,
                                           bias=None)),
        "not finite",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_module_refused_by_name(case: str) -> None:
    """What a module computes beyond its class, and a class that is not read, is refused by its name."""
    module, says = REFUSED[case]
    with pytest.raises(FormatError, match=says):
        from_torch(module)


@pytest.mark.peer
class TestPeer:
    """Against torch itself."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("torch").set_num_threads(1)

    def require_equal(self, found: Any, module: Any, x: Any) -> int:
        """Hold `run` to the module in float64, whose roundings the bound counts; and say how many were compared.

        Each sum costs gamma_n of its magnitudes, n its terms; activations are 1-Lipschitz, and so are heads (of the
        largest difference, log-softmax with 2).
        """
        import torch

        with torch.no_grad():
            want = module.double().eval()(torch.from_numpy(np.array(x, np.float64))).numpy()
        u = 2.0**-53 if found.model.dtype == np.float64 else 2.0**-24
        n, m = 64, np.abs(x).max()
        for layer in found.model.layers:
            n += layer.w.shape[0] + 8
            m = 1 + np.abs(m * layer.w.astype(np.float64)).sum(0).max() + np.abs(layer.b).max()
        got = found.run(x)
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= 4 * n * u / (1 - n * u) * m
        return int(want.size)

    def drawn(self, rng: Any) -> tuple[Any, int]:
        """Return a module of random layers in nested Sequentials, and its inputs."""
        import torch
        from torch import nn

        torch.manual_seed(int(rng.integers(1 << 31)))
        hidden = [
            nn.ReLU(), nn.ReLU6(), nn.Hardtanh(), nn.Hardtanh(-0.5, 2.0), nn.Sigmoid(), nn.Tanh(), nn.Hardsigmoid(),
            nn.Identity(), nn.Sequential(nn.ReLU(), nn.Dropout(0.3)),
        ]  # fmt: skip
        n = first = int(rng.integers(1, 9))
        parts: list[Any] = [nn.Flatten()] if rng.random() < 0.3 else []
        for i in range(int(rng.integers(1, 5))):
            if i:
                parts += [hidden[int(rng.integers(len(hidden)))], nn.Dropout(0.5)]
            out = int(rng.integers(1, 9))
            parts.append(nn.Linear(n, out, bias=bool(rng.integers(2))))
            n = out
            if rng.random() < 0.4:
                norm = nn.BatchNorm1d(n, eps=10.0 ** -float(rng.integers(1, 6)), affine=bool(rng.integers(2)))
                norm.running_mean, norm.running_var = torch.randn(n), torch.rand(n)
                if norm.affine:
                    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
                parts.append(norm)
        heads = [nn.Softmax(dim=1), nn.LogSoftmax(-1), nn.Sigmoid()]
        parts += [heads[int(rng.integers(3))]] if rng.random() < 0.5 else []
        cut = int(rng.integers(len(parts)))
        return nn.Sequential(*parts[:cut], nn.Sequential(*parts[cut:])), first

    def test_drawn_modules(self) -> None:
        """Drawn architectures answer as torch does."""
        compared = 0
        for seed in range(150):
            rng = np.random.default_rng(seed)
            module, n = self.drawn(rng)
            compared += self.require_equal(from_torch(module), module, rng.normal(size=(16, n)) * 3)
        assert compared > 5_000

    def test_widths(self) -> None:
        """float16 and bfloat16 become float32 exactly, float64 stays; a training module is read as in evaluation."""
        import torch
        from torch import nn

        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            net = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2)).to(dtype)
            found = from_torch(net)
            assert found.model.dtype == (np.float64 if dtype == torch.float64 else np.float32)
            assert np.array_equal(found.model.layers[0].w, net[0].weight.detach().double().numpy().T)
            assert "training mode" in found.notes[-1]
            again = from_torch(net.state_dict(), activations="relu")
            assert again.model.layers[1].w.tobytes() == found.model.layers[1].w.tobytes()

    def test_refused_as_torch_makes_them(self) -> None:
        """Pruning, parametrizations, custom modules and meta tensors, as torch itself makes them."""
        import torch
        from torch import nn
        from torch.nn.utils import parametrizations, prune

        def pruned() -> Any:
            net = nn.Sequential(nn.Linear(4, 3))
            prune.l1_unstructured(net[0], "weight", 0.5)
            return net

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc = nn.Linear(2, 2)

        cases = {
            "prune.remove": pruned(),
            "remove_parametrizations": nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2))),
            "Net: is a module of its own kind": Net(),
            "is_meta": nn.Linear(2, 2, device="meta"),
            "ModuleList": nn.ModuleList([nn.Linear(2, 2)]),
            "LayerNorm": nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)),
            "track_running_stats": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)),
        }
        for says, module in cases.items():
            with pytest.raises(FormatError, match=says):
                from_torch(module)
        norm = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        with pytest.raises(FormatError, match="running_mean"):
            from_torch(norm.state_dict(), activations="relu")
        with pytest.raises(FormatError, match=r"holds complex64|is_complex"):
            from_torch({"0.weight": torch.ones((1, 1), dtype=torch.complex64)}, activations="relu")
