"""The ASGI application: who may ask, what is asked, and an answer for everything."""

from __future__ import annotations

import hmac

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lab.kube import discovery, openapi, status
from lab.kube.api import Api
from lab.kube.http import (
    Answer,
    Message,
    Receive,
    Request,
    Send,
    error_answer,
    json_answer,
    read_request,
    send_answer,
)
from lab.kube.rest import Rest, locate

HEADER_LIMIT = 64 * 1024
"""Bytes of all header lines of a request together."""

HEALTH = ("healthz", "livez", "readyz")


class BoundedHeaders(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with an end to the headers it collects."""

    _header_bytes = 0

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_LIMIT:
            # Breaks off the parser, which answers 400 and closes the connection.
            raise ValueError("too many headers")
        super().on_header(name, value)


class App:
    """One API server's front door."""

    def __init__(self, api: Api, *, token: str, address: str) -> None:
        self._api = api
        self._rest = Rest(api)
        self._expected = f"Bearer {token}".encode()
        self._address = address

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            request = await read_request(scope, receive)
            self._authenticate(request)
            answer = self._answer(request)
        except status.ApiError as error:
            answer = error_answer(error)
        await send_answer(answer, receive, send)

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, self._expected):
            raise status.unauthorized()

    def _answer(self, request: Request) -> Answer:
        path = request.path
        if path[:1] == ("version",):
            return json_answer(discovery.version())
        if path and path[0] in HEALTH:
            return Answer(body=b"ok", content_type="text/plain")
        registry = self._api.registry
        found = discovery.serve(request, registry, self._address) or openapi.serve(
            request, registry
        )
        if found:
            return found
        minimum = {"api": 3, "apis": 4}.get(path[0], 99) if path else 99
        if len(path) < minimum:
            raise status.no_such_path()
        return self._rest.serve(request, locate(registry, path))
