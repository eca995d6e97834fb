"""Skip an engine's tests, with the reason, where it is not installed: the rule of tests/peers."""

from tests.peers.conftest import _engine_installed

__all__ = ["_engine_installed"]
