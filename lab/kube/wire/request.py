"""Requests as the API reads them, and the two common answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
from starlette import requests
from starlette.responses import Response
from starlette.types import Receive, Scope

from lab.kube import status

BODY_LIMIT = 3 * 1024 * 1024
"""Bytes; what Kubernetes' own server accepts."""
BODY_TIMEOUT = 30.0
"""Seconds for a whole body to arrive."""

JSON = "application/json"


class Request(requests.HTTPConnection):
    """The head of a request, of HTTP or of a WebSocket; `path` is split at its slashes."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.method: str = scope.get("method", "GET")
        self.path: tuple[str, ...] = tuple(filter(None, scope["path"].split("/")))
        self.body = b""

    @property
    def media(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    def accepted(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The media types of the Accept header with their parameters, in its order."""
        for choice in self.headers.get("accept", "").split(","):
            media, *parameters = (part.strip() for part in choice.split(";"))
            yield media, dict(p.partition("=")[::2] for p in parameters)

    def param(self, name: str, default: str = "") -> str:
        return self.query_params.get(name, default)

    def flag(self, name: str) -> bool:
        """A boolean parameter as Go reads one."""
        return self.param(name).lower() in ("true", "1", "t")

    def number(self, name: str) -> int:
        """A whole number, 0 when it is absent; 400 for anything else."""
        text = self.param(name) or "0"
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    async def read(self, receive: Receive) -> None:
        """Fetch the body, bounded in size and time."""
        announced = self.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > BODY_LIMIT:
            raise status.too_large(BODY_LIMIT)
        try:
            self.body = await asyncio.wait_for(_read_body(self.scope, receive), BODY_TIMEOUT)
        except asyncio.TimeoutError:
            raise status.ApiError(408, "Timeout", "the request's body did not come") from None
        except requests.ClientDisconnect:
            raise status.bad_request("the connection ended inside the body") from None


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    body = bytearray()
    async for part in requests.Request(scope, receive).stream():
        body += part
        if len(body) > BODY_LIMIT:
            raise status.too_large(BODY_LIMIT)
    return bytes(body)


def json_answer(value: Any, code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), code, media_type=JSON)


def error_answer(error: status.ApiError) -> Response:
    answer = json_answer(error.status(), error.code)
    if error.code == 401:
        answer.headers["www-authenticate"] = 'Bearer realm="lab"'
    return answer
