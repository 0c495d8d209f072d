"""Runs in namespaces of its own: the page and a browser that looks at it; prints JSON.

Names in the flows are hostile: were anything of them markup, the page's title would change.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import uvicorn

from lab import shell, wait
from lab.hubble.api import flow_pb2, observer_pb2
from lab.hubble.ui.app import application
from lab.hubble.ui.hub import Hub

PAGE = "http://127.0.0.1:8081"
DRIVER = "http://127.0.0.1:9515"
BOUND = 30.0
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
LONG_LABEL = "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=default"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,800",
)
DOWN, ENTER, ESCAPE, TAB = "\ue015", "\ue007", "\ue00c", "\ue004"


class Upstream:
    """A few flows again and again."""

    async def flows(
        self, _request: observer_pb2.GetFlowsRequest
    ) -> AsyncIterator[observer_pb2.GetFlowsResponse]:
        for number in range(1_000_000):
            yield observer_pb2.GetFlowsResponse(flow=_flow(number))
            await asyncio.sleep(0.005)

    async def status(self) -> observer_pb2.ServerStatusResponse:
        status = observer_pb2.ServerStatusResponse(unavailable_nodes=["k8s-worker2"])
        status.num_connected_nodes.value = 5
        return status

    async def namespaces(self) -> Sequence[str]:
        return ["default"]


def _flow(number: int) -> flow_pb2.Flow:
    """A request to web1: from the host, from a pod with a hostile name, or one that is dropped."""
    flow = flow_pb2.Flow(
        uuid=f"flow-{number}",
        verdict=flow_pb2.DROPPED if number % 3 == 2 else flow_pb2.FORWARDED,
        drop_reason=158 if number % 3 == 2 else 0,
        Summary=EVIL,
    )
    flow.time.GetCurrentTime()
    flow.is_reply.value = False
    flow.IP.source, flow.IP.destination = "10.0.3.1", "10.0.3.2"
    flow.l4.TCP.source_port, flow.l4.TCP.destination_port = 40000 + number % 1000, 80
    flow.source.identity = (1, 4242, 2)[number % 3]
    if number % 3 == 1:
        flow.source.namespace, flow.source.pod_name = "default", EVIL
        flow.source.labels.append(f"k8s:app={EVIL}")
    flow.destination.identity, flow.destination.namespace = 4711, "default"
    flow.destination.labels.append(LONG_LABEL)
    flow.destination.workloads.add(name="web1", kind="Deployment")
    return flow


class Browser:
    """A session of a WebDriver (W3C): as much of it as this needs."""

    def __init__(self) -> None:
        self._http = httpx.Client(base_url=DRIVER, timeout=BOUND, trust_env=False)
        wait.until(self._is_up, bool, within=BOUND, what="chromedriver")
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": list(FLAGS)}}
        answer = self._http.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer.json()['value']['sessionId']}"

    def open(self, path: str) -> None:
        self._post("url", url=f"{PAGE}{path}")

    def run(self, script: str) -> Any:
        return self._post("execute/sync", script=f"return {script}", args=[])

    def type(self, text: str) -> None:
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._post("actions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def until(self, script: str, accept: Callable[[Any], object] = bool) -> Any:
        return wait.until(lambda: self.run(script), accept, within=BOUND, what=script)

    def close(self) -> None:
        self._http.delete(self._session)

    def _post(self, what: str, **content: Any) -> Any:
        return self._http.post(f"{self._session}/{what}", json=content).json()["value"]

    def _is_up(self) -> bool:
        try:
            return self._http.get("/status").is_success
        except httpx.HTTPError:
            return False


TITLES = "[...document.querySelectorAll('.card strong')].map(each => each.textContent).sort()"

CUT_OFF = """[...document.querySelectorAll('#head th'), document.querySelector('td[data-time]'),
  document.getElementById('panel-body')]
.filter(cell => {
  if (cell.dataset.time) cell.textContent = 'less than 10 seconds';
  return cell.scrollWidth > cell.clientWidth;
}).map(cell => cell.textContent)
"""
"""What does not fit of the table's heads, the longest usual age and the open panel beside them."""

UNDER_CARDS = """[...document.querySelectorAll('.link .line')].filter(line => {
  const boxes = [...document.querySelectorAll('.card')].map(card => {
    const {e, f} = new DOMMatrix(card.style.transform);
    return [e + 1, f + 1, e + card.offsetWidth - 1, f + card.offsetHeight - 1];
  });
  const points = Array.from({length: 100}, (_, at) =>
    line.getPointAtLength(line.getTotalLength() * at / 100));
  return points.some(({x, y}) => boxes.some(([left, top, right, bottom]) =>
    x > left && x < right && y > top && y < bottom));
}).length"""
"""How many links of the map run under a card."""


def look(browser: Browser) -> dict[str, Any]:
    """What the page shows, and what it does when it is used by keyboard."""
    seen: dict[str, Any] = {}
    browser.open("/default")
    seen["cards"] = browser.until(TITLES, lambda titles: len(titles) == 4)
    seen["pulse"] = browser.run("document.getElementById('pulse').textContent.split(' · ')[1]")
    seen["notice"] = browser.until("document.getElementById('notice').textContent")
    browser.until("document.querySelectorAll('#rows tr').length", lambda rows: rows > 5)
    seen["links"] = browser.run("document.querySelectorAll('.link').length")
    seen["links under cards"] = browser.run(UNDER_CARDS)
    browser.run("(window.oldest = document.querySelector('#rows tr:last-child')).focus()")
    browser.until("!window.oldest.isConnected")
    seen["focus of a row that left"] = browser.run("document.activeElement.tagName")
    browser.run("document.getElementById('live').click()")
    browser.run("document.querySelector('#rows tr').focus()")
    browser.type(DOWN + ENTER)
    browser.until("!document.getElementById('panel').hidden")
    seen["picked row"] = browser.run(
        "[...document.querySelectorAll('#rows tr')].findIndex(row => row.ariaSelected === 'true')"
    )
    seen["panel"] = browser.until("document.querySelector('#panel-body dt')?.textContent")
    seen["cut off"] = browser.run(CUT_OFF)
    browser.type(TAB)
    seen["tab leads to"] = browser.run("document.activeElement.id")
    browser.type(ESCAPE)
    browser.until("document.getElementById('panel').hidden")
    seen["back at"] = browser.run("document.activeElement.tagName")
    browser.run("document.activeElement.blur()")
    browser.type("/" + "from:identity=host" + ENTER)
    seen["filtered"] = browser.until(TITLES, lambda titles: len(titles) == 2)
    seen["address"] = browser.run("location.pathname + location.search")
    browser.type("ip=1.2.3.400" + ENTER)
    seen["problem"] = browser.until("document.getElementById('filter-problem').textContent")
    seen["pulse beside a problem"] = browser.until(
        "document.getElementById('pulse').textContent.split(' · ')[1]"
    )
    seen["title"] = browser.run("document.title")
    seen["hosts"] = browser.run(
        "[...new Set(performance.getEntriesByType('resource')"
        ".map(each => new URL(each.name).host))]"
    )
    browser.open("/default?column=nonsense")
    seen["heads of no known column"] = browser.until("document.querySelectorAll('#head th').length")
    browser.open("/%ff")
    seen["no encoding"] = browser.until("document.querySelector('#empty h2')?.textContent")
    return seen


def main() -> None:
    shell.run(["ip", "link", "set", "lo", "up"])
    config = uvicorn.Config(application(Hub(Upstream())), port=8081, log_level="error", ws="none")
    threading.Thread(target=uvicorn.Server(config).run, daemon=True).start()
    with shell.spawn(["chromedriver", "--port=9515", "--log-level=OFF"]):
        browser = Browser()
        try:
            seen = look(browser)
        finally:
            browser.close()
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
