"""The ASGI application: who may ask, what is asked, and an answer for everything."""

from __future__ import annotations

import hmac

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from lab.kube import status
from lab.kube.api import Api
from lab.kube.discovery import groups, openapi
from lab.kube.discovery.version import version
from lab.kube.node_proxy import NodeProxy
from lab.kube.paths import locate
from lab.kube.rest import Rest
from lab.kube.wire.request import Request, error_answer, json_answer

HEALTH = ("healthz", "livez", "readyz")


class App:
    """One API server's front door."""

    def __init__(self, api: Api, *, token: str, address: str) -> None:
        self._api = api
        self._rest = Rest(api)
        self._nodes = NodeProxy(api.store, token)
        self._expected = f"Bearer {token}".encode()
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if scope["type"] == "websocket":
            await self._websocket(request, WebSocket(scope, receive, send))
            return
        try:
            self._authenticate(request)
            await request.read(receive)
            answer = await self._answer(request)
        except status.ApiError as error:
            answer = error_answer(error)
        await answer(scope, receive, send)

    async def _websocket(self, request: Request, client: WebSocket) -> None:
        try:
            self._authenticate(request)
            target = locate(self._api.registry, request.path)
            if target.subresource != "exec":
                raise status.bad_request("only exec speaks WebSocket")
            await self._nodes.exec(request, target.key, client)
        except status.ApiError as error:
            await client.send_denial_response(error_answer(error))

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, self._expected):
            raise status.unauthorized()

    async def _answer(self, request: Request) -> Response:
        path, registry = request.path, self._api.registry
        if path == ("version",):
            return json_answer(version())
        if path and path[0] in HEALTH:
            return PlainTextResponse("ok")
        found = groups.serve(request, registry, self._address) or openapi.serve(request, registry)
        if found:
            return found
        target = locate(registry, path)
        if target.subresource == "log" and request.method == "GET":
            return await self._nodes.logs(request, target.key)
        if target.subresource == "exec":
            raise status.bad_request("exec needs a WebSocket: this server does not speak SPDY")
        return self._rest.serve(request, target)
