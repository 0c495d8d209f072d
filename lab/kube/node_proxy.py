"""`kubectl logs` and `kubectl exec`: passed on to the agent of the pod's node (see kubelet_api)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import StreamingResponse
from starlette.websockets import WebSocket

from lab.kube import status
from lab.kube.kinds import NODE, POD
from lab.kube.kubelet_api import HEADER, MAX_FRAME, PORT, UPGRADE, frame
from lab.kube.store import Key, Store
from lab.kube.wire.request import Request

Object = dict[str, Any]

CONNECT_TIMEOUT = 5.0
"""Seconds."""
SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
CHUNK = 64 * 1024


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
"""A request that the agent has accepted."""


class NodeProxy:
    """Finds the agent that runs a pod and speaks to it."""

    def __init__(self, store: Store, token: str) -> None:
        self._store = store
        self._token = token

    async def logs(self, request: Request, key: Key) -> StreamingResponse:
        """The log of a container, as a stream that ends where the log does or the client goes."""
        pod = self._pod(key)
        container = _container(pod, request)
        if not request.flag("previous"):
            _check_started(pod, container)
        path = _path("containerLogs", key, container, request)
        connection = await self._open(pod, "GET", path)
        return StreamingResponse(_until_end(connection), media_type="text/plain")

    async def exec(self, request: Request, key: Key, client: WebSocket) -> None:
        """Carry a WebSocket's messages to the agent and back, until the command has ended."""
        offered = request.scope.get("subprotocols", ())
        spoken = next((name for name in SUBPROTOCOLS if name in offered), None)
        if spoken is None:
            raise status.bad_request(f"exec speaks {', '.join(SUBPROTOCOLS)}, not {offered!r}")
        pod = self._pod(key)
        container = _container(pod, request)
        path = _path("exec", key, container, request)
        connection = await self._open(pod, "POST", path, upgrade=True)
        await client.accept(spoken)
        await _carry(connection, client)

    def _pod(self, key: Key) -> Object:
        stored = self._store.get(POD.qualified, key)
        if stored is None:
            raise status.not_found(POD, key[1])
        if not stored.object["spec"].get("nodeName"):
            raise status.bad_request(f"pod {key[1]} does not have a host assigned")
        return stored.object

    async def _open(
        self, pod: Object, method: str, path: str, *, upgrade: bool = False
    ) -> Connection:
        name = pod["spec"]["nodeName"]
        node = self._store.get(NODE.qualified, ("", name))
        addresses = node.object.get("status", {}).get("addresses") or () if node else ()
        host = next((a["address"] for a in addresses if a["type"] == "InternalIP"), "")
        extra = f"Connection: Upgrade\r\nUpgrade: {UPGRADE}\r\n" if upgrade else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {name}\r\n"
            f"Authorization: Bearer {self._token}\r\n{extra}\r\n"
        )
        try:
            opening = asyncio.open_connection(host, PORT)
            reader, writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT)
            writer.write(head.encode())
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), CONNECT_TIMEOUT)
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError) as exc:
            raise status.unavailable(f"error dialing backend: node {name}: {exc}") from exc
        code = answer.split(b" ", 2)[1]
        if code != (b"101" if upgrade else b"200"):
            text = (await reader.read(CHUNK)).decode(errors="replace").strip()
            writer.close()
            number = int(code) if code.isdigit() else 502
            reason = {400: "BadRequest", 404: "NotFound"}.get(number, "InternalError")
            raise status.ApiError(number, reason, text)
        return reader, writer


async def _until_end(connection: Connection) -> AsyncIterator[bytes]:
    reader, writer = connection
    try:
        while data := await reader.read(CHUNK):
            yield data
    finally:
        writer.close()


async def _carry(connection: Connection, client: WebSocket) -> None:
    reader, writer = connection
    sending = asyncio.ensure_future(_to_agent(writer, client))
    receiving = asyncio.ensure_future(_to_client(reader, client))
    try:
        await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        receiving.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)
        writer.close()
    if sending.cancelled():
        await client.close()


async def _to_agent(writer: asyncio.StreamWriter, client: WebSocket) -> None:
    while True:
        message = await client.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes") or (message.get("text") or "").encode()
        if data and len(data) <= MAX_FRAME:
            writer.write(frame(data[0], data[1:]))
            await writer.drain()


async def _to_client(reader: asyncio.StreamReader, client: WebSocket) -> None:
    while True:
        try:
            channel, length = HEADER.unpack(await reader.readexactly(HEADER.size))
            if length > MAX_FRAME:
                return
            payload = await reader.readexactly(length)
        except (OSError, EOFError):
            return
        await client.send_bytes(bytes([channel]) + payload)


def _container(pod: Object, request: Request) -> str:
    name, containers = pod["metadata"]["name"], [c["name"] for c in pod["spec"]["containers"]]
    wanted = request.param("container") or (containers[0] if len(containers) == 1 else "")
    if not wanted:
        text = f"a container name must be specified for pod {name}, choose one of: "
        raise status.bad_request(f"{text}[{' '.join(containers)}]")
    if wanted not in containers:
        raise status.bad_request(f"container {wanted} is not valid for pod {name}")
    return str(wanted)


def _check_started(pod: Object, container: str) -> None:
    for state in pod.get("status", {}).get("containerStatuses") or ():
        waiting = state.get("state", {}).get("waiting")
        if state["name"] == container and waiting and not state.get("restartCount"):
            raise status.bad_request(
                f'container "{container}" in pod "{pod["metadata"]["name"]}" is waiting to start: '
                f"{waiting.get('reason', 'ContainerCreating')}"
            )


def _path(verb: str, key: Key, container: str, request: Request) -> str:
    """Where the agent is asked for the same; it knows its parameters."""
    place = "/".join(quote(part, safe="") for part in (verb, *key, container))
    return f"/{place}?{urlencode(request.query_params.multi_items())}"
