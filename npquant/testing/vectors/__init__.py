"""Golden vectors: one set for each profile, rendered five times, for runners that are not Python.

`generate` writes a folder, `verify` judges what a runner answered to it, `verify_manifest` reads and checks one.
docs/golden-vectors.md shows each format."""

from npquant.testing.vectors.collection import collect
from npquant.testing.vectors.definition import KitFailure
from npquant.testing.vectors.generation import FORMATS, generate, write
from npquant.testing.vectors.manifest import verify_manifest
from npquant.testing.vectors.verification import Verification, verify

__all__ = ["FORMATS", "KitFailure", "Verification", "collect", "generate", "verify", "verify_manifest", "write"]
