"""A whole control plane in memory, spoken to as the web server would speak to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import StreamingResponse

from lab.controllers import kubernetes, loop
from lab.controllers.bootstrap import namespace
from lab.kube.api import Api
from lab.kube.app import App
from lab.kube.main import ServerConfig, build
from lab.kube.paths import locate
from lab.kube.rest import Rest
from lab.kube.store import Store
from lab.kube.wire.request import Request
from lab.operator.controllers import controllers

Object = dict[str, Any]

TOKEN = "secret"
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


def node(name: str, **spec: Any) -> Object:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {
            "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
        },
    }


def pools(text: str) -> Object:
    config = f"address-pools: [{{name: default, protocol: bgp, addresses: ['{text}']}}]"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "bgp-config", "namespace": "kube-system"},
        "data": {"config.yaml": config},
    }


NAMESPACES = tuple(namespace(n) for n in ("default", "kube-system", "kube-node-lease"))


@dataclass
class Reply:
    """Code and body of an answer."""

    code: int
    body: Any
    headers: dict[str, str]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))


class Cluster:
    """The server under test; every method is one request."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.app = App(api, token=TOKEN, address="192.0.2.1:6443")

    async def call(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        media: str = JSON,
        accept: str = JSON,
        token: str = TOKEN,
    ) -> Reply:
        """One request; a body that is no bytes is sent as JSON."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        headers = {"content-type": media, "accept": accept, "authorization": f"Bearer {token}"}
        sent: list[Any] = []
        bodies = [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> Any:
            return bodies.pop() if bodies else await asyncio.Future()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(_scope(method, url, headers), receive, send)
        text = b"".join(m.get("body", b"") for m in sent[1:])
        got = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Reply(sent[0]["status"], _decoded(text, got["content-type"]), got)

    async def get(self, url: str, **options: Any) -> Reply:
        return await self.call("GET", url, **options)

    async def post(self, url: str, body: Any, **options: Any) -> Reply:
        return await self.call("POST", url, body, **options)

    async def chunks(self, url: str) -> AsyncIterator[bytes]:
        """A watch's stream, piece by piece as the server sends it."""
        request = Request(_scope("GET", url, {"accept": JSON}))
        answer = Rest(self.api).serve(request, locate(self.api.registry, request.path))
        assert isinstance(answer, StreamingResponse)
        async for chunk in answer.body_iterator:
            assert isinstance(chunk, bytes)
            yield chunk

    async def watch(self, url: str) -> AsyncIterator[Any]:
        """The events of a watch, one by one, until the caller stops asking."""
        async for chunk in self.chunks(url):
            for line in chunk.splitlines():
                yield json.loads(line)

    async def settle(self) -> None:
        """Let the controllers finish what is due now."""
        for _ in range(200):
            await asyncio.sleep(0)

    async def until(self, url: str, accept: Callable[[Any], Any], within: float = 20.0) -> Any:
        """Read an object again and again until it is accepted; the bound is in seconds."""
        end = asyncio.get_running_loop().time() + within
        while not accept(seen := (await self.get(url)).body):
            assert asyncio.get_running_loop().time() < end, seen
            await self.settle()
        return seen

    async def run_pods(self) -> None:
        """Play the agents once: every bound pod runs and is ready, every deleted one is gone."""
        await self.settle()
        pods = (await self.get("/api/v1/pods")).body["items"]
        for number, pod in enumerate(pods, start=2):
            url = (
                f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            )
            if "deletionTimestamp" in pod["metadata"]:
                await self.call("DELETE", f"{url}?gracePeriodSeconds=0")
            elif pod["spec"].get("nodeName") and pod["status"]["phase"] == "Pending":
                await self.call("PATCH", f"{url}/status", running(number), media=STRATEGIC)
        await self.settle()


def _scope(method: str, url: str, headers: dict[str, str]) -> Object:
    parts = urlsplit(url)
    return {
        "type": "http",
        "method": method,
        "path": parts.path,
        "query_string": parts.query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }


def running(number: int) -> Object:
    """What an agent patches into the status of a pod that is ready."""
    then = "2024-01-01T00:00:00Z"
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": then}
    status = {"phase": "Running", "podIP": f"10.0.1.{number}", "conditions": [condition]}
    return {"status": status}


def _decoded(text: bytes, content_type: str) -> Any:
    if not content_type.startswith(JSON):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def with_cluster(
    story: Callable[[Cluster], Awaitable[None]],
    *objects: Object,
    state: Path | str = ":memory:",
    profile: str = "cilium-1.10",
    lease_grace: float = 60.0,
    addons: Sequence[Object] = (),
    service_cidr6: IPv6Network | None = None,
) -> None:
    """Tell a story on a fresh control plane that has some objects already."""

    broken: list[Any] = []

    async def tell() -> None:
        # An exception in a controller reaches the loop, which would only log it.
        asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))

        def start_controllers(api: Api) -> None:
            ciliums = controllers(api, profile, addons)
            loop.run(api, [*kubernetes.controllers(api, lease_grace), *ciliums])

        store = Store(state)
        here = Path()
        config = ServerConfig(
            "192.0.2.1", 6443, here, here, TOKEN, here,
            bootstrap=(*NAMESPACES, *objects), beside=start_controllers,
            service_cidr6=service_cidr6,
        )  # fmt: skip
        cluster = Cluster(build(store, config))
        await cluster.settle()
        try:
            await story(cluster)
            await cluster.settle()
        finally:
            store.close()

    asyncio.run(tell())
    assert not broken, broken[0]
