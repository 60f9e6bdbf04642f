"""Chromium, driven through the pipes of its DevTools protocol: nothing has to be installed but it.

https://chromedevtools.github.io/devtools-protocol/ lists the commands.
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60  # seconds

LAUNCHER = """
import os, sys
commands, replies, program = sys.argv[1:4]
os.dup2(int(commands), 3)  # where Chromium reads
os.dup2(int(replies), 4)  # where it writes
os.execv(program, sys.argv[3:])
"""


def find_browser() -> str | None:
    """Return the path of a Chromium that can be driven, or None; Windows has no such pipes."""
    if os.name != "posix":
        return None
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A headless browser with one page, to be used in a `with` statement."""

    def __init__(self, program: str) -> None:
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self.commands = os.pipe()
        self.replies, replies = os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={self.folder.name}", "about:blank"]
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", LAUNCHER, str(commands), str(replies), *command],
            pass_fds=(commands, replies),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(replies)
        self.number = 0
        self.session: str | None = None
        self.unread = b""
        (page,) = [t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        target = {"targetId": page["targetId"], "flatten": True}
        self.session = self.send("Target.attachToTarget", **target)["sessionId"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self.commands)
        os.close(self.replies)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the reply to a command; raise RuntimeError if it is an error."""
        return self.reply_to(self.post(method, **parameters))

    def post(self, method: str, **parameters: Any) -> int:
        """Send a command without waiting for its reply; return its number."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self.commands, rest) :]
        return self.number

    def reply_to(self, number: int) -> dict[str, Any]:
        """Return the reply to the command `number`; raise RuntimeError if it is an error."""
        reply = self.receive()
        while reply.get("id") != number:
            reply = self.receive()
        if "error" in reply:
            raise RuntimeError(reply["error"]["message"])
        return reply["result"]

    def receive(self) -> dict[str, Any]:
        """Return the next message: a reply, or news of the page."""
        while b"\0" not in self.unread:
            if not select.select([self.replies], [], [], PATIENCE)[0]:
                raise RuntimeError(f"the browser has not answered for {PATIENCE} seconds")
            received = os.read(self.replies, 1 << 20)
            if not received:
                raise RuntimeError("the browser has ended")
            self.unread += received
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def open(self, page: Path) -> None:
        """Open the file `page`, and wait until its scripts have run."""
        self.send("Page.enable")
        self.send("Page.navigate", url=page.resolve().as_uri())
        while self.receive().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in JavaScript; raise RuntimeError if it throws."""
        options = {"returnByValue": True, "awaitPromise": True}
        reply = self.send("Runtime.evaluate", expression=expression, **options)
        if "exceptionDetails" in reply:
            raise RuntimeError(reply["exceptionDetails"]["exception"]["description"])
        return reply["result"].get("value")

    def settle(self) -> None:
        """Wait until the page has shown what was done last."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def screenshot(self) -> bytes:
        """Return a picture of the page, a PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])
