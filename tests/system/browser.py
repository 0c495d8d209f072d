"""`python browser.py URL EXPRESSION`: opens a page in headless Chromium and prints a value of it.

EXPRESSION is JavaScript that the page is asked again and again until it gives something true, for
20 seconds at most; the last answer is printed as JSON. Runs inside a node. Chromium speaks the
DevTools protocol on descriptors 3 and 4, messages ended by a zero byte.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from lab.errors import WaitTimeout
from lab.wait import until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--remote-debugging-pipe",
    "--window-size=1400,900",
)
PATIENCE = 20.0


class Browser:
    """Chromium at the other end of two pipes."""

    def __init__(self, profile: str) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}"]
        # The shell puts the pipes where Chromium looks for them.
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._out, self._in = ours_out, os.fdopen(ours_in, "rb")
        self._numbers = itertools.count(1)

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result; events that come meanwhile are skipped."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer: dict[str, Any] = json.loads(self._message())
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _message(self) -> bytes:
        message = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("chromium has ended")
            message += byte
        return bytes(message)


def look(browser: Browser, url: str, expression: str) -> Any:
    """The first true value of an expression on a page, or its last."""
    target = browser.ask("Target.createTarget", url=url)["targetId"]
    attached = browser.ask("Target.attachToTarget", targetId=target, flatten=True)
    session = attached["sessionId"]

    def value() -> Any:
        asked = browser.ask("Runtime.evaluate", session, expression=expression, returnByValue=True)
        return asked["result"].get("value")

    try:
        return until(value, bool, within=PATIENCE, what=expression)
    except WaitTimeout as late:
        return late.seen


def main(url: str, expression: str) -> None:
    # Chromium's helpers write for a moment after it is killed; the directory is in the lab's /tmp.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            sys.stdout.write(json.dumps(look(browser, url, expression)))
        finally:
            browser.process.kill()
            browser.process.wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
