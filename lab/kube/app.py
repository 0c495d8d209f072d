"""The ASGI application: who may ask, what is asked, and an answer for everything."""

from __future__ import annotations

import hmac

from lab.kube import status
from lab.kube.api import Api
from lab.kube.discovery import groups, openapi
from lab.kube.discovery.version import version
from lab.kube.node_proxy import NodeProxy
from lab.kube.paths import locate
from lab.kube.rest import Rest
from lab.kube.wire.http import (
    Answer,
    Message,
    Receive,
    Request,
    Send,
    error_answer,
    json_answer,
    read_head,
    send_answer,
    send_refusal,
    with_body,
)

HEALTH = ("healthz", "livez", "readyz")


class App:
    """One API server's front door."""

    def __init__(self, api: Api, *, token: str, address: str) -> None:
        self._api = api
        self._rest = Rest(api)
        self._nodes = NodeProxy(api.store, token)
        self._expected = f"Bearer {token}".encode()
        self._address = address

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        try:
            request = read_head(scope)
            self._authenticate(request)
            answer = await self._answer(await with_body(request, receive))
        except status.ApiError as error:
            answer = error_answer(error)
        await send_answer(answer, receive, send)

    async def _websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        try:
            request = read_head(scope)
            self._authenticate(request)
            target = locate(self._api.registry, request.path) if len(request.path) > 2 else None
            if target is None or target.subresource != "exec":
                raise status.bad_request("only exec speaks WebSocket")
            await self._nodes.exec(request, target.key, receive, send)
        except status.ApiError as error:
            await send_refusal(error_answer(error), send)

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, self._expected):
            raise status.unauthorized()

    async def _answer(self, request: Request) -> Answer:
        path = request.path
        if path[:1] == ("version",):
            return json_answer(version())
        if path and path[0] in HEALTH:
            return Answer(body=b"ok", content_type="text/plain")
        registry = self._api.registry
        found = groups.serve(request, registry, self._address) or openapi.serve(request, registry)
        if found:
            return found
        minimum = {"api": 3, "apis": 4}.get(path[0], 99) if path else 99
        if len(path) < minimum:
            raise status.no_such_path()
        target = locate(registry, path)
        if target.subresource == "log" and request.method == "GET":
            return await self._nodes.logs(request, target.key)
        if target.subresource == "exec":
            raise status.bad_request("exec needs a WebSocket: this server does not speak SPDY")
        return self._rest.serve(request, target)
