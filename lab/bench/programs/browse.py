"""`browse URL`, on a node: when headless Chromium has painted Hubble's page.

Prints seconds since the beginning of the navigation as JSON: `paint`, the first content on the
screen, and `map`, the first frame with a card in it. By the WebDriver protocol (W3C).
"""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from collections.abc import Mapping
from typing import Any

from lab import shell
from lab.errors import MachineError
from lab.wait import until

DRIVER = "http://127.0.0.1:9515"
STARTED_WITHIN = 30.0
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--no-first-run", "--window-size=1280,800"),
)
SCRIPT = """
const done = arguments[0];
const painted = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
const look = () => {
  if (!document.querySelector(".card") || !painted()) return requestAnimationFrame(look);
  requestAnimationFrame(() => setTimeout(() =>
    done({ paint: painted() / 1000, map: performance.now() / 1000 })));
};
look();
"""


def main(url: str) -> None:
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            raise MachineError(f"{program} is missing", "sudo python3 -m lab setup")
    with shell.spawn(["chromedriver", "--port=9515", "--log-level=OFF"]):
        until(_is_up, bool, within=STARTED_WITHIN, what="chromedriver")
        sys.stdout.write(json.dumps(first_look(url)))


def first_look(url: str) -> dict[str, float]:
    """Open the page in a new browser and return when what was on its screen."""
    chrome = {"args": list(FLAGS)}
    # The script has to run while the page is still loading.
    wanted = {"browserName": "chrome", "pageLoadStrategy": "none", "goog:chromeOptions": chrome}
    created = _ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
    session = f"/session/{created['sessionId']}"
    try:
        _ask("POST", f"{session}/url", {"url": url})
        seen: dict[str, float] = _ask(
            "POST", f"{session}/execute/async", {"script": SCRIPT, "args": []}
        )
        return seen
    finally:
        _ask("DELETE", session)


def _ask(method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(DRIVER + path, body, method=method)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["value"]


def _is_up() -> bool:
    try:
        return bool(_ask("GET", "/status")["ready"])
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1])
