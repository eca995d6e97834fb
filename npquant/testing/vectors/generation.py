"""Vectors on disk: one collection, any of five formats, written whole or not at all.

Legend: folder where; form the name of a format; collection what `collect` made."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from npquant.profiles.record import Profile
from npquant.testing.vectors import c_header, npz, onnx, readmemh, wycheproof
from npquant.testing.vectors.collection import Collection, collect
from npquant.testing.vectors.manifest import ERRATA, MANIFEST, encode_manifest, known_errata, verify_manifest
from npquant.testing.vectors.rendering import Render, Rendering

FORMATS: Final[MappingProxyType[str, Render]] = MappingProxyType(
    {
        "npz": npz.render,
        "onnx": onnx.render,
        "wycheproof": wycheproof.render,
        "c": c_header.render,
        "readmemh": readmemh.render,
    }
)


def generate(
    folder: str | os.PathLike[str], format: str, profile: str | Profile = "npquant", tier: str = "smoke", seed: int = 0
) -> dict[str, Any]:
    """Write the golden vectors of a profile to a folder, for a runner that is not Python.

    Parameters
    ----------
    folder : str or path
        Made; its parent must exist. One that holds golden vectors is replaced, any other that is not empty refused.
    format : {"npz", "onnx", "wycheproof", "c", "readmemh"}
        What kind of files. "onnx" needs the package onnx.
    profile : str or Profile
        The arithmetic, as in `npquant.profiles.names()`.
    tier : {"smoke", "standard"}
        The golden set, some sixteen vectors; or some of every class of cases behind it, and minutes of work.
    seed : int
        Of what is drawn, under "standard".

    Returns
    -------
    dict
        The manifest: among others `vectors`, `kills`, `survivors`, and `left_out`, what this format cannot say.

    Raises
    ------
    ValueError
        If there is no such format, profile or tier, or the folder is not to be replaced.
    KitFailure
        If the array kernels and the definitions of `npquant.spec` differ: then nothing is written.
    ImportError
        If the format is "onnx" and the package onnx is not installed.

    Notes
    -----
    The same version, profile, tier and seed give the same bytes. Whatever interrupts this, the folder holds what it
    held before, or all of the new.

    Examples
    --------
    >>> generate("vectors", "pdf")
    Traceback (most recent call last):
    ValueError: there is no format 'pdf'; known: npz, onnx, wycheproof, c, readmemh
    """
    if format not in FORMATS:
        raise ValueError(f"there is no format {format!r}; known: {', '.join(FORMATS)}")
    _require_ours(Path(folder))
    return write(folder, format, collect(profile, tier, seed))


def write(folder: str | os.PathLike[str], form: str, collection: Collection) -> dict[str, Any]:
    """Write a collection in one format; several formats of one collection are made in the time of one.

    Folder and errors as `generate`."""
    place = Path(os.path.realpath(folder))
    _require_ours(place)
    rendering = FORMATS[form](collection)
    rendering.files[ERRATA] = known_errata()
    temporary = place.parent / f".npquant-{secrets.token_hex(8)}.tmp"
    try:
        _write_all(temporary, form, collection, rendering)
        manifest = verify_manifest(temporary)
        _put_in_place(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return manifest


def _require_ours(place: Path) -> None:
    if place.exists() and not place.is_dir():
        raise ValueError(f"{place}: exists and is no folder; choose another name")
    if place.is_dir() and any(place.iterdir()) and not (place / MANIFEST).is_file():
        raise ValueError(f"{place}: is not empty and holds no golden vectors; choose another folder")


def _write_all(place: Path, form: str, collection: Collection, rendering: Rendering) -> None:
    for name, data in rendering.files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (place / MANIFEST).write_bytes(encode_manifest(form, collection, rendering))


def _put_in_place(new: Path, place: Path) -> None:
    """Rename a whole folder to its place; what stood there is put back if that fails, and removed if not."""
    old = new.with_suffix(".old")
    if place.exists():
        os.replace(place, old)
    try:
        os.replace(new, place)
    except BaseException:
        if old.exists():
            os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
