"""The answers of a runner against the vectors of a folder: read in any of three forms, judged code by code.

Legend: place a folder of vectors, manifest its parsed manifest; outputs a runner's answers by the names of vectors: an
array of codes, None for a refusal, or "declined"; entry what the manifest says of one vector."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from npquant.testing.vectors.manifest import ERRATA, known_errata, verify_manifest, withdrawn
from npquant.testing.verdict import CONFORMANT, NOT_CONFORMANT, NOTHING_RAN

Outputs = Mapping[str, Any]
# What a runner says of a vector that it does not take.
DECLINED: Final = "declined"


@dataclass(frozen=True, slots=True, eq=False)
class Mismatch:
    """One vector that was answered wrongly: what is wrong, and of codes where, got and want of the first."""

    id: str
    group: str
    says: str
    index: tuple[int, ...] = ()
    got: int | None = None
    want: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What a runner's answers to golden vectors came to.

    Parameters
    ----------
    profile, tier : str
        Of the vectors.
    seed : int
        Of the vectors.
    cases : int
        How many were judged.
    failures : tuple of Mismatch
        Each with `id`, `group`, `says`, and of a wrong code `index`, `got`, `want`.
    missing : tuple of str
        Vectors without an answer.
    declined : tuple of str
        Vectors that the runner said it does not take.
    withdrawn : tuple of str
        Vectors that the errata take back.
    suspects : tuple of str
        Bugs of the catalogue that would make exactly those vectors fail that failed.

    Examples
    --------
    >>> Verification("ort", "smoke", 0, 0, (), (), (), (), ()).exit_code
    4
    """

    profile: str
    tier: str
    seed: int
    cases: int
    failures: tuple[Mismatch, ...]
    missing: tuple[str, ...]
    declined: tuple[str, ...]
    withdrawn: tuple[str, ...]
    suspects: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every vector that was not declined was answered, and rightly."""
        return self.cases > 0 and not self.failures and not self.missing

    @property
    def exit_code(self) -> int:
        """0 conformant, 1 not, or not whole; 4 nothing was answered."""
        if self.cases == 0:
            return NOTHING_RAN
        return CONFORMANT if self.passed else NOT_CONFORMANT

    def text(self) -> str:
        """Return the verdict for a reader, a line a failure."""
        lines = [f"{self.cases} vectors of {self.profile} judged, {len(self.failures)} wrong"]
        lines += [f"vector {one.id} ({one.group}): {one.says}" for one in self.failures]
        if self.missing:
            lines.append(f"no answer to {len(self.missing)}: {', '.join(self.missing[:8])}")
        if self.declined:
            lines.append(f"declined {len(self.declined)}: {', '.join(self.declined[:8])}")
        if self.withdrawn:
            lines.append(f"withdrawn by the errata: {', '.join(self.withdrawn)}")
        if self.suspects:
            lines.append(f"as would: {', '.join(self.suspects)}")
        return "\n".join(lines)


def verify(folder: str | os.PathLike[str], outputs: str | os.PathLike[str] | Outputs) -> Verification:
    """Judge what a runner answered to the vectors of a folder.

    Parameters
    ----------
    folder : str or path
        As `generate` wrote it.
    outputs : path or mapping
        Codes by the name of each vector, in any shape of as many numbers, None for a refusal, and the word "declined"
        for a vector that the runner does not take: a mapping; a .json file with an object of lists, null, or the word;
        an .npz file with an array each, where a refusal is an array of float NaN. Or any other file: text as
        signature.txt has it, eight hexadecimal digits a line, every code of every vector in order.

    Returns
    -------
    Verification
        What was wrong, what was missing.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder is not as it was written (`verify_manifest`), or the outputs cannot be read, are cut short, or
        name a vector that there is not.

    Notes
    -----
    No tolerance: a code is right or wrong. Vectors that the errata of this version, or of the folder, take back are not
    judged.

    Examples
    --------
    >>> verify("nowhere", {})
    Traceback (most recent call last):
    FileNotFoundError: nowhere has no manifest.json: it holds no golden vectors, or not all of them
    """
    manifest = verify_manifest(Path(folder))
    entries = manifest["vectors"]
    given = outputs if isinstance(outputs, Mapping) else _read(Path(outputs), entries)
    stray = sorted(set(given) - {entry["id"] for entry in entries})
    if stray:
        raise ValueError(f"the outputs name {stray[0]!r}; the set has no vector of this name")
    back = {**withdrawn(manifest, (Path(folder) / ERRATA).read_bytes()), **withdrawn(manifest, known_errata())}
    kept = [entry for entry in entries if entry["canonical"] not in back]
    declined = tuple(e["id"] for e in kept if isinstance(given.get(e["id"]), str) and given[e["id"]] == DECLINED)
    judged = [entry for entry in kept if entry["id"] in given and entry["id"] not in declined]
    failures = tuple(found for found in (_mismatch(entry, given[entry["id"]]) for entry in judged) if found)
    return Verification(
        manifest["profile"],
        manifest["tier"],
        manifest["seed"],
        len(judged),
        failures,
        tuple(entry["id"] for entry in kept if entry["id"] not in given),
        declined,
        tuple(e["id"] for e in entries if e["canonical"] in back),
        _suspects(judged, {failure.id for failure in failures}),
    )


def _mismatch(entry: dict[str, Any], answer: Any) -> Mismatch | None:
    """Return what is wrong with one answer."""
    name, group, refused = entry["id"], entry["class"], answer is None
    if entry["status"] == "unpredictable":
        return None
    if entry["answer"] is None:
        return None if refused else Mismatch(name, group, "was answered; the only answer is a refusal")
    if refused:
        return Mismatch(name, group, "was refused; it has an answer")
    got, want = np.asarray(answer), np.array(entry["answer"], np.int64).reshape(entry["shape"])
    if got.dtype.kind not in "iu" and got.size:
        return Mismatch(name, group, f"is answered in {got.dtype}; whole numbers are due")
    if got.size != want.size:
        return Mismatch(name, group, f"has {got.size} numbers; {want.size} are due, of shape {want.shape}")
    different = np.argwhere(got.reshape(want.shape).astype(np.int64) != want)
    if not len(different):
        return None
    index = tuple(int(i) for i in different[0])
    first, due = int(got.reshape(want.shape)[index]), int(want[index])
    says = f"{len(different)} of {want.size} wrong; at {index} {first}, {due} is due"
    return Mismatch(name, group, says, index, first, due)


def _suspects(judged: list[dict[str, Any]], failed: set[str]) -> tuple[str, ...]:
    """Return the bugs that kill exactly the vectors that failed, of those judged."""
    if not failed:
        return ()
    kills: dict[str, set[str]] = {}
    for entry in judged:
        for name in entry["kills"]:
            kills.setdefault(name, set()).add(entry["id"])
    return tuple(name for name, ids in kills.items() if ids == failed)


def _read(path: Path, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answers of a file; ValueError, which names it, if it is none of the three forms."""
    if path.suffix == ".json":
        return _read_json(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    words = path.read_text(encoding="utf-8", errors="replace").split()
    due = [(e["id"], prod(e["shape"])) for e in entries if e["shape"] is not None]
    if len(words) != sum(size for _, size in due):
        raise ValueError(f"{path}: {len(words)} words, {sum(size for _, size in due)} are due; it is cut short or no "
                         "signature")  # fmt: skip
    try:
        codes = np.array([int(word, 16) for word in words], np.uint32).view(np.int32)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}: not a signature of hexadecimal words of 32 bits ({error})") from None
    ends = np.cumsum([size for _, size in due])
    return {name: codes[end - size : end] for (name, size), end in zip(due, ends, strict=True)}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
        return {name: codes if codes in (None, DECLINED) else np.array(codes) for name, codes in found.items()}
    except ValueError as error:
        raise ValueError(f"{path}: no answers by the names of vectors ({error})") from None


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no whole npz archive ({error})") from None
    return {name: None if _is_refusal(array) else array for name, array in arrays.items()}


def _is_refusal(array: Any) -> bool:
    return bool(array.dtype.kind == "f" and array.size and np.isnan(array).all())
