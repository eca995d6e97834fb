"""A headless Chromium that a test can ask about a page, driven over chromedriver's own protocol."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def missing() -> str:
    """Say which program is not installed; empty if both are."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(absent)} not installed: apt install chromium-driver" if absent else ""


class Browser:
    """One tab of a browser."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """Send one command of the WebDriver protocol."""
        data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def resize(self, width: int, *, dark: bool = False) -> None:
        """Make the page so wide, on light or dark ground."""
        self.control("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.control("Emulation.setEmulatedMedia", features=scheme)

    def control(self, command: str, **params: Any) -> Any:
        """Send a command of the browser's own protocol."""
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, path: Path) -> None:
        """Open a file."""
        self.ask("/url", {"url": path.as_uri()})

    def run(self, script: str) -> Any:
        """Run a function body in the page."""
        return self.ask("/execute/sync", {"script": script, "args": []})

    def log(self, name: str) -> list[dict[str, Any]]:
        """Return what a log holds that was not asked for before: "browser" or "performance"."""
        entries: list[dict[str, Any]] = self.ask("/se/log", {"type": name})
        return entries

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """Start both programs, with a profile of their own, and end them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    quiet = subprocess.DEVNULL
    with subprocess.Popen(["chromedriver", f"--port={port}"], stdout=quiet, stderr=quiet, stdin=quiet) as driver:
        try:
            session = _session(Browser(url), profile)
            tab = Browser(f"{url}/session/{session}")
            yield tab
            tab.ask("", method="DELETE")
        finally:
            driver.terminate()


def _session(driver: Browser, profile: Path) -> str:
    options = {"args": [*_SWITCHES, f"--user-data-dir={profile}"], "binary": shutil.which("chromium")}
    logged = {"browser": "ALL", "performance": "ALL"}
    wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logged}}
    end = time.monotonic() + 60
    while True:
        try:
            return str(driver.ask("/session", {"capabilities": wanted})["sessionId"])
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
