"""The manifest of a folder of vectors: what they are, what is due for each, and a checksum of every file.

Legend: place a folder; form the name of a format; collection what was rendered, rendering what a format made of it;
manifest a parsed manifest.json; errata a parsed errata file."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib.resources import files as resource_files
from pathlib import Path
from typing import Any, Final

from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.rendering import Entry, Rendering, as_json
from npquant.version import __version__, numerics_version

MANIFEST, ERRATA = "manifest.json", "errata.json"
SCHEMA: Final = "npquant.vectors/1"
_SCHEMA: Final = re.compile(r"npquant\.vectors/([1-9]\d{0,8})")


def encode_manifest(form: str, collection: Collection, rendering: Rendering) -> bytes:
    """Return the manifest of a rendering in the format `form`, its own checksum last."""
    profile = collection.profile
    killed = {name for entry in rendering.entries for name in entry.kills}
    manifest = {
        "schema": SCHEMA,
        "format": form,
        "npquant": __version__,
        "numerics": numerics_version,
        "profile": profile.name,
        "engine": profile.engine,
        "source": profile.source,
        "equation": profile.equation,
        "accumulators": "without the bias, which is real" if profile.takes_real_bias else "with the bias",
        "tier": collection.tier,
        "seed": collection.seed,
        "left_out": dict(collection.left_out | rendering.left_out),
        "kills": len(killed),
        "survivors": [bug.name for bug in CATALOGUE if bug.name not in killed],
        "vectors": [_entry(entry) for entry in rendering.entries],
        "files": {
            name: {"bytes": len(data), "sha256": sha256(data).hexdigest()} for name, data in rendering.files.items()
        },
    }
    return as_json({**manifest, "sha256": _own_checksum(manifest)})


def _entry(entry: Entry) -> dict[str, Any]:
    """Return what is due for one question."""
    answer = entry.answer
    return {
        "id": entry.id,
        "canonical": entry.vector.origin,
        "class": entry.vector.case.group,
        "status": entry.vector.case.status,
        "what": entry.what,
        "shape": None if answer is None else list(answer.shape),
        "type": None if answer is None else answer.dtype.name,
        "answer": None if answer is None else answer.ravel().tolist(),
        "kills": list(entry.kills),
    }


def _own_checksum(manifest: dict[str, Any]) -> str:
    return sha256(json.dumps(manifest, sort_keys=True).encode("ascii")).hexdigest()


def verify_manifest(place: Path) -> dict[str, Any]:
    """Return a folder's manifest, once every file is the one that it was written with.

    FileNotFoundError if there is none; ValueError, which names the file and what is wrong, if the manifest or a file is
    cut short, edited or missing, or the set was written by a newer version than this one reads."""
    path = place / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{place} has no {MANIFEST}: it holds no golden vectors, or not all of them")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: no whole JSON document, so cut short or edited ({error}); get it anew") from None
    if not isinstance(manifest, dict):
        raise ValueError(f"{path}: holds no object; generate the set anew")
    _require_schema(path, manifest.get("schema"))
    if _own_checksum({key: value for key, value in manifest.items() if key != "sha256"}) != manifest.get("sha256"):
        raise ValueError(f"{path}: edited since it was written (its checksum differs); generate the set anew")
    for name, facts in manifest["files"].items():
        _require_file(place / name, facts["bytes"], facts["sha256"])
    return manifest


def _require_schema(path: Path, schema: Any) -> None:
    found = _SCHEMA.fullmatch(schema) if isinstance(schema, str) else None
    if found is None:
        raise ValueError(f"{path}: its schema is {schema!r}; golden vectors have {SCHEMA!r}")
    if int(found[1]) > 1:
        raise ValueError(f"{path}: written by a newer npquant (schema {found[1]}, this one reads 1); update npquant")


def _require_file(path: Path, size: int, digest: str) -> None:
    if not path.is_file():
        raise ValueError(f"{path}: missing, so the set is not whole; generate it anew")
    data = path.read_bytes()
    if len(data) < size:
        raise ValueError(f"{path}: cut short, {len(data)} bytes of {size}; generate the set anew")
    if sha256(data).hexdigest() != digest:
        raise ValueError(f"{path}: edited since it was written (its checksum differs); generate the set anew")


def known_errata() -> bytes:
    """Return the errata file of this version: what was found wrong with vectors that were given away."""
    return resource_files("npquant.testing.vectors").joinpath(ERRATA).read_bytes()


def withdrawn(manifest: dict[str, Any], errata: bytes) -> dict[int, str]:
    """Return the canonical vectors of a set that an errata file withdraws, with what is wrong with them.

    >>> manifest = {"numerics": "1", "profile": "ort", "tier": "smoke", "seed": 0}
    >>> one = {"numerics": ["1"], "profiles": ["ort"], "tier": "smoke", "vectors": [7], "what": "a tie, rounded down"}
    >>> withdrawn(manifest, json.dumps({"errata": [one]}).encode())
    {7: 'a tie, rounded down'}
    """
    found = {}
    for erratum in json.loads(errata)["errata"]:
        same = manifest["numerics"] in erratum["numerics"] and manifest["profile"] in erratum["profiles"]
        if same and manifest["tier"] == erratum["tier"]:
            found.update({int(number): str(erratum["what"]) for number in erratum["vectors"]})
    return found
