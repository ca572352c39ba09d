"""A real Chromium without a window, by its DevTools protocol over a pipe: no package and no port is needed for it.

https://chromedevtools.github.io/devtools-protocol/; with `--remote-debugging-pipe` Chromium reads messages from
descriptor 3 and writes them to 4, each with a NUL at its end.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from scripts.harness.failure import NotAsPromised
from scripts.harness.waiting import PATIENCE_S, eventually
from scripts.localcloud import debian
from shared.clock import Deadline

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SHELL = "chromium-headless-shell"
PACKAGES = (SHELL, "chromium-common")  # the second has the data that the first needs beside it
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it shows only pages of ours, and its sandbox does not work for root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
ABOVE = 10  # descriptors that are not in the way of 3 and 4
LONGEST_MESSAGE = 1 << 20

Message: TypeAlias = dict[str, Any]


class Page:
    """One tab. Whatever it reports is in `events`."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from, self._rest = to_browser, from_browser, b""
        self._last_id = 0
        self._session: str | None = None
        self.events: list[Message] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Message:
        """The result of a command of the protocol. Raises NotAsPromised when it is an error, or does not come."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._write(json.dumps(message).encode() + b"\0")
        deadline = Deadline.after(PATIENCE_S)
        while True:
            answer = self._read(deadline, method)
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise NotAsPromised(f"{method}: {answer['error']}")
                result: Message = answer["result"]
                return result
            self.events.append(answer)

    def evaluate(self, expression: str) -> Any:
        """The value of JavaScript in the page. Raises NotAsPromised when it throws."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise NotAsPromised(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, url: str, condition: str = "document.readyState === 'complete'") -> None:
        """Go there, and wait for a condition."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({json.dumps(url)}) && ({condition})")

    def wait(self, condition: str) -> Any:
        """Wait until JavaScript in the page is true. Raises NotAsPromised when it takes too long."""
        return eventually(lambda: self.evaluate(condition), condition)

    def resize(self, width: int, height: int = 800) -> None:
        """Show the page on a screen of so many CSS pixels; below 600 of width it is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, scheme: str) -> None:
        """Show the page as to a reader who prefers `light` or `dark`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self) -> bytes:
        """What fits on the screen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key of the keyboard; `code` is its Windows virtual key code."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def complaints(self) -> list[str]:
        """Errors in the browser's console: exceptions, refusals by the page's policy, requests that failed."""
        return [
            json.dumps(event["params"])
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
            or (event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error")
            or (event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in {"error", "assert"})
        ]

    def requested(self) -> set[str]:
        """The addresses that the page asked for."""
        sent = (event for event in self.events if event["method"] == "Network.requestWillBeSent")
        return {event["params"]["request"]["url"] for event in sent}

    def _write(self, message: bytes) -> None:
        while message:
            message = message[os.write(self._to, message) :]

    def _read(self, deadline: Deadline, what: str) -> Message:
        while b"\0" not in self._rest:
            if not select.select([self._from], [], [], deadline.remaining_s())[0]:
                raise NotAsPromised(f"Chromium does not answer {what}")
            piece = os.read(self._from, LONGEST_MESSAGE)
            if not piece:
                raise NotAsPromised(f"Chromium ended at {what}")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        message: Message = json.loads(line)
        return message


@contextmanager
def chromium(program: str, environment: dict[str, str]) -> Iterator[Callable[[], Page]]:
    """A running browser; a call opens its tab."""
    to_browser, from_page = _pipe(), _pipe()
    redirected = f'exec "$@" 3<&{to_browser[0]} 4>&{from_page[1]}'
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["bash", "-c", redirected, "bash", program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(to_browser[0], from_page[1]),
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        os.close(to_browser[0])
        os.close(from_page[1])
        try:
            yield lambda: Page(to_browser[1], from_page[0])
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(to_browser[1])
            os.close(from_page[0])


def find() -> tuple[str, dict[str, str]]:
    """A Chromium on PATH, or one that is fetched from Debian, and the environment that it needs.

    Raises `ServiceError` when there is none.
    """
    for name in NAMES:
        if installed := shutil.which(name):
            return installed, {}
    root = debian.unpack("chromium", PACKAGES, with_dependencies=True)
    libraries = [str(path) for path in (root / "usr" / "lib").glob("*-linux-gnu")]
    fonts = {"FONTCONFIG_SYSROOT": str(root)} if (root / "etc" / "fonts").is_dir() else {}
    return str(root / "usr" / "lib" / "chromium" / SHELL), {"LD_LIBRARY_PATH": ":".join(libraries), **fonts}


def _pipe() -> tuple[int, int]:
    """Two descriptors from `ABOVE` on."""
    low = os.pipe()
    reader, writer = (fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, ABOVE) for each in low)
    for each in low:
        os.close(each)
    return reader, writer
