"""Laws of several files in one folder: all of them or none, whatever fails."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files import staging
from npquant.files.staging import write_together
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.c99.export import to_c
from npquant.interop.readmemh import to_readmemh
from npquant.kernels.qparams import QuantParams

P = QuantParams(0.5, 0, -128, 127)


def network(weight: int) -> IntegerMLP:
    """A network of one weight."""
    layer = IntegerLayer(np.array([[weight]], np.int8), np.array([7], np.int32), P, P, P, "relu")
    return IntegerMLP((layer,), P)


def tree(folder: Path) -> dict[str, bytes]:
    """All files under a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}


def failing_once(call: Callable[..., Any], at: int) -> Callable[..., Any]:
    """Let call number `at` fail, and no other: what undoes the work may go through."""
    left = [at]

    def wrapped(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] == -1:
            raise OSError(28, "No space left on device")
        return call(*arguments)

    return wrapped


@pytest.mark.parametrize("write", [to_c, to_readmemh], ids=lambda write: write.__name__)
@pytest.mark.parametrize("call", ["write", "rename"])
def test_an_export_of_several_files_is_all_or_none(
    write: object, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write or renaming fails, the old export stands whole; then the new one does."""
    assert callable(write)
    write(network(3), tmp_path)
    old, at, failed = tree(tmp_path), 0, True
    module, name = (staging, "write_atomically") if call == "write" else (os, "rename")
    while failed:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, failing_once(getattr(module, name), at))
            try:
                write(network(5), tmp_path)
                failed = False
            except OSError as error:
                assert "No space" in str(error) and ".npquant" not in str(error)
                assert tree(tmp_path) == old
        at += 1
    assert at > 2, "the law is vacuous"
    assert tree(tmp_path).keys() == old.keys() and tree(tmp_path) != old


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    """A folder where a file belongs is neither replaced nor lost."""
    (tmp_path / "net.h").mkdir()
    (tmp_path / "net.h" / "mine").write_text("kept")
    with pytest.raises(ValueError, match=r"net\.h: exists and is no regular file"):
        write_together(tmp_path, {"net.c": b"", "net.h": b""})
    assert tree(tmp_path) == {"mine": b"kept"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """OSError names the folder that was asked for."""
    with pytest.raises(OSError, match="nowhere"):
        write_together(tmp_path / "nowhere", {"net.c": b""})
