"""Hubble's web page in a real browser that stands in the LAN."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import shell
from lab.repository import REPOSITORY
from lab.sandbox.handle import Lab
from lab.wait import until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root"),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed"),
]

BROWSER = str(Path(__file__).with_name("browser.py"))
PAGE = "http://172.16.10.1/default"
EXPOSE = (
    "-n kube-system expose deployment hubble-ui --type=LoadBalancer"
    " --port=80 --target-port=8081 --name hubble-ui-lb"
)
SERVED_WITHIN = 60.0
BROWSER_SECONDS = 60.0
"""Bounds for loaded machines."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The web service at the pool's first address, the page at its second."""
    name = f"browser-{os.getpid()}"
    up = [sys.executable, "-m", "lab.cli", "up", "basic", "--name", name, "-O", "workers=2"]
    shell.run(up, timeout=90)
    running = Lab.find(name)
    try:
        running.kubectl("apply", "-f", str(REPOSITORY / "scenarios" / "web1.yaml"))
        is_served(running, "http://172.16.10.0/")
        running.kubectl(*EXPOSE.split())
        is_served(running, PAGE)
        yield running
    finally:
        running.end()


def is_served(lab: Lab, url: str) -> None:
    argv = ["curl", "-s", "-o", "/dev/null", "-m", "1", "-w", "%{http_code}", url]
    until(
        lambda: lab.node("client1").probe(argv).out,
        "200".__eq__,
        within=SERVED_WITHIN,
        what=f"HTTP 200 from {url}",
    )


def seen(lab: Lab, expression: str) -> Any:
    """What a browser on client1 gives for an expression, once it gives something true."""
    argv = [sys.executable, BROWSER, PAGE, expression]
    return json.loads(lab.node("client1").run(argv, timeout=BROWSER_SECONDS).out)


def test_the_page_shows_the_service_and_counts_its_nodes(lab: Lab) -> None:
    words = seen(
        lab,
        "(t => t.includes('web1') && t.includes('3/3 nodes') && t)(document.body.innerText)",
    )
    assert words, "neither the service nor all nodes within the browser's patience"
    assert "80 \u00b7 TCP" in words
    assert "flows/s" in words


def test_the_table_lists_the_kubelets_probe(lab: Lab) -> None:
    rows = seen(
        lab,
        "(rows => rows.some(r => r.includes('host')) && rows)"
        "([...document.querySelectorAll('tr')].map(r => r.innerText))",
    )
    assert rows, "no row names the kubelet"
    assert any("web1" in row and "forwarded" in row for row in rows), rows


def test_the_page_needs_nothing_beyond_its_one_document(lab: Lab) -> None:
    fetched = seen(
        lab,
        "document.querySelector('.card')"
        " && [performance.getEntriesByType('resource').map(entry => entry.name)]",
    )
    assert fetched == [[]], fetched
