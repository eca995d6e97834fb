"""PyTorch's nn.Sequential and state_dict, by their attributes; nothing of torch is imported.

A module is told by the first class of torch's own among its ancestors, and is refused where it does not compute what
that class computes: another `forward`, a hook, a parametrization. Read are Linear and what stands around it:

folded    BatchNorm1d with its running statistics: (x - mean) / sqrt(var + eps) weight + bias (J1)
skipped   Dropout and its kin, Identity, Flatten(1): at inference they do nothing to a row

Source: pytorch/pytorch 2.13.0, torch/nn/modules/activation.py, batchnorm.py, container.py.

Legend: module an nn.Module; activations as of `npquant.interop.named_tensors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.imported import Imported
from npquant.interop.named_tensors import group_by_layer, steps_of_layers
from npquant.interop.steps import Activation, Affine, Clip, Head, Linear, Step, fold

_SKIPPED: Final = frozenset({"Identity", "Dropout", "Dropout1d", "AlphaDropout", "FeatureAlphaDropout"})
_CLIPS: Final = MappingProxyType({"ReLU": (0.0, inf), "ReLU6": (0.0, 6.0)})
_SMOOTH: Final = MappingProxyType({"Sigmoid": "sigmoid", "Tanh": "tanh", "Hardsigmoid": "hard_sigmoid"})
_HEADS: Final = MappingProxyType({"Softmax": "softmax", "LogSoftmax": "logsoftmax"})
_ACCEPTED: Final = (
    "Linear, BatchNorm1d, Dropout, Flatten, Identity, ReLU, ReLU6, Hardtanh, Sigmoid, Tanh, Hardsigmoid, Softplus, "
    "Softmax and LogSoftmax in nn.Sequential are read"
)


def from_torch(module_or_state_dict: object, *, activations: str | Sequence[str] | None = None) -> Imported:
    """Read an nn.Sequential of PyTorch, or a state_dict together with the activations that it does not hold.

    Parameters
    ----------
    module_or_state_dict : nn.Sequential, nn.Linear or mapping of str to Tensor
        A module, read as in evaluation mode; or the tensors of fully-connected layers by name, in the order of the
        computation, which is that of a state_dict.
    activations : str or sequence of str, optional
        With a state_dict: the activation of every hidden layer, or one a layer (the last may be left out, and may be
        "softmax" or "logsoftmax"). A module has its own.

    Returns
    -------
    Imported
        A `FloatMLP`: of float32 if nothing was folded and all parameters are float32, float16 or bfloat16, which
        float32 holds exactly; else float64.

    Raises
    ------
    FormatError
        For a module or a tensor that is not read; names it, and what would be accepted.
    TypeError
        If activations are given for a module, which has its own, or the argument is neither module nor mapping.
    ValueError
        If an activation is unknown.

    Notes
    -----
    A module that is no nn.Sequential computes what its ``forward`` says, and no attribute tells what that is: it is
    refused. ``run`` equals the module's own answer but for the rounding of sums.

    Examples
    --------
    >>> tensors = {"0.weight": np.array([[1.0, -1.0]]), "0.bias": np.zeros(1), "2.weight": np.array([[2.0]])}
    >>> found = from_torch(tensors, activations="relu")
    >>> found.run([[3.0, 1.0], [1.0, 3.0]])
    array([[4.],
           [0.]])
    """
    if isinstance(module_or_state_dict, Mapping):
        file = "state_dict"
        tensors = {str(n): _array(t, file, f"tensor {str(n)!r}") for n, t in module_or_state_dict.items()}
        layers = group_by_layer(tensors, file)
        model, head, notes = fold(steps_of_layers(layers, activations, file), file)
        return Imported(model, head, ("weights are taken as (out, in), as PyTorch keeps them", *notes), "torch")
    if not hasattr(module_or_state_dict, "_modules"):
        raise TypeError(f"{type(module_or_state_dict).__name__} is neither an nn.Module nor a state_dict")
    if activations is not None:
        raise TypeError("activations are for a state_dict; a module has its own")
    file = type(module_or_state_dict).__name__
    model, head, notes = fold(_steps(module_or_state_dict, file, ""), file)
    training = getattr(module_or_state_dict, "training", False)
    said = ("the module is in training mode; it was read as in evaluation mode",) if training else ()
    return Imported(model, head, (*notes, *said), "torch")


def _steps(module: Any, file: str, name: str) -> Iterator[Step]:
    """Yield what a module computes in evaluation mode."""
    kind = _kind(module, file, name)
    place = f"{name} ({kind})" if name else kind
    if kind == "Sequential":
        # Not named_children(), which leaves out a module that stands twice, as one ReLU() for all layers may.
        for inner, child in module._modules.items():
            yield from _steps(child, file, f"{name}.{inner}" if name else str(inner))
    elif kind == "Linear":
        w, b = _array(module.weight, file, f"{place}.weight"), getattr(module, "bias", None)
        yield Linear(place, w.T, None if b is None else _array(b, file, f"{place}.bias"))
    elif kind == "BatchNorm1d":
        yield _batch_norm(module, file, place)
    elif kind == "Flatten":
        if (module.start_dim, module.end_dim) != (1, -1):
            raise FormatError(file, place, f"flattens {module.start_dim} to {module.end_dim}; (1, -1) is read")
    elif kind not in _SKIPPED:
        yield _activation(module, kind, file, place)


def _kind(module: Any, file: str, name: str) -> str:
    """Return the name of torch's own class that a module behaves as."""
    given: Any = type(module)
    own = next((c for c in given.__mro__ if str(c.__module__).startswith("torch.")), None)
    place = f"{name} ({given.__name__})" if name else given.__name__
    if hasattr(module, "parametrizations"):
        raise FormatError(file, place, "is parametrized; call torch.nn.utils.parametrize.remove_parametrizations first")
    if own is None or own.__module__ == "torch.nn.modules.module":
        raise FormatError(
            file,
            place,
            "is a module of its own kind, and what its forward computes cannot be read; put its layers into an "
            f"nn.Sequential, or export it to ONNX. {_ACCEPTED}",
        )
    if not str(own.__module__).startswith("torch.nn.modules."):
        raise FormatError(file, place, f"is {own.__module__}.{own.__name__}, which is not read; {_ACCEPTED}")
    if given.forward is not own.forward or "forward" in vars(module):
        raise FormatError(file, place, f"overrides the forward of {own.__name__}; nn.Sequential itself is read")
    if getattr(module, "_forward_hooks", None) or getattr(module, "_forward_pre_hooks", None):
        raise FormatError(
            file,
            place,
            "has hooks that change what it computes; remove them (of pruning: torch.nn.utils.prune.remove(module, "
            "'weight'), of weight_norm: torch.nn.utils.remove_weight_norm)",
        )
    return str(own.__name__)


def _batch_norm(module: Any, file: str, place: str) -> Affine:
    if module.running_mean is None or module.running_var is None:
        raise FormatError(
            file, place, "has no running statistics (track_running_stats=False): a row's output depends on its batch"
        )
    mean, var = (_array(t, file, place).astype(np.float64) for t in (module.running_mean, module.running_var))
    with np.errstate(all="ignore"):  # a negative variance is a NaN, which `fold` refuses
        scale = 1 / np.sqrt(var + float(module.eps))
        if module.weight is not None:
            scale = scale * _array(module.weight, file, place)
        shift = -mean * scale + (0.0 if module.bias is None else _array(module.bias, file, place))
    return Affine(place, scale, shift, f"{place} was folded by its running statistics")


def _activation(module: Any, kind: str, file: str, place: str) -> Step:
    if kind in _CLIPS:
        return Clip(place, *_CLIPS[kind])
    if kind == "Hardtanh":
        return Clip(place, float(module.min_val), float(module.max_val))
    if kind in _SMOOTH:
        return Activation(place, _SMOOTH[kind])
    if kind == "Softplus":
        # Beyond the threshold torch gives z itself: softplus(20) - 20 = 2e-9, below float32's step there.
        if module.beta != 1 or module.threshold < 20:
            raise FormatError(file, place, f"has beta {module.beta}, threshold {module.threshold}; 1 and 20 are read")
        return Activation(place, "softplus")
    if kind in _HEADS:
        if module.dim not in (1, -1):
            raise FormatError(file, place, f"runs along dim {module.dim}; 1 or -1 are read")
        return Head(place, _HEADS[kind])
    raise FormatError(file, place, f"{kind} is not read; {_ACCEPTED}")


def _array(tensor: Any, file: str, place: str) -> NDArray[Any]:
    """Return a tensor's numbers: a view of them, but for bfloat16, which is widened to float32."""
    if not hasattr(tensor, "detach"):
        array = np.asarray(tensor)
        array = array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    else:
        odd = [w for w in ("is_meta", "is_sparse", "is_quantized", "is_complex") if _holds(tensor, w)]
        if odd:
            raise FormatError(file, place, f"is a tensor with {odd[0]}; dense floats that are in memory are read")
        tensor = tensor.detach().cpu()
        array = np.asarray((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())
    if array.dtype.kind != "f" and not place.endswith("num_batches_tracked'"):
        raise FormatError(file, place, f"holds {array.dtype}; float16, bfloat16, float32 and float64 are read")
    return array


def _holds(tensor: Any, question: str) -> bool:
    answer = getattr(tensor, question, False)
    return bool(answer() if callable(answer) else answer)
