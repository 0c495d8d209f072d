"""Requests and answers between the web server (ASGI) and the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import yaml

from lab.kube import status
from lab.kube.wire import protobuf

BODY_LIMIT = 3 * 1024 * 1024
"""Bytes; what Kubernetes' own server accepts."""
BODY_TIMEOUT = 30.0
"""Seconds for a whole body to arrive."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Request:
    """One request; `path` is split at its slashes, header names are lower case."""

    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes = b""

    def param(self, name: str, default: str = "") -> str:
        return dict(self.query).get(name, default)

    def flag(self, name: str) -> bool:
        """A boolean parameter as Go reads one."""
        return self.param(name).lower() in ("true", "1", "t")

    def number(self, name: str) -> int:
        """A whole number, 0 when it is absent; 400 for anything else."""
        text = self.param(name, "0") or "0"
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)


@dataclass
class Answer:
    """One answer: bytes, or a stream of them that lasts until its end or the client's."""

    code: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)


def json_answer(value: Any, code: int = 200) -> Answer:
    return Answer(code, _encode(value))


def error_answer(error: status.ApiError) -> Answer:
    answer = json_answer(error.status(), error.code)
    if error.code == 401:
        answer.headers.append(("www-authenticate", 'Bearer realm="lab"'))
    return answer


def read_head(scope: Message) -> Request:
    """A request without its body."""
    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
    if scope["type"] == "websocket":
        # The web server takes this header out of the list that it hands over.
        headers["sec-websocket-protocol"] = ",".join(scope.get("subprotocols", ()))
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    path = tuple(part for part in scope["path"].split("/") if part)
    return Request(scope.get("method", "GET"), path, tuple(query), headers)


async def with_body(request: Request, receive: Receive) -> Request:
    """The request with its body, bounded in size and time."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > BODY_LIMIT:
        raise status.too_large(BODY_LIMIT)
    try:
        body = await asyncio.wait_for(_read_body(receive), BODY_TIMEOUT)
    except asyncio.TimeoutError:
        raise status.ApiError(408, "Timeout", "the request's body did not come") from None
    return replace(request, body=body)


async def _read_body(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise status.bad_request("the connection ended inside the body")
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT:
            raise status.too_large(BODY_LIMIT)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


async def send_answer(answer: Answer, receive: Receive, send: Send) -> None:
    headers = [("content-type", answer.content_type), *answer.headers]
    body = answer.body
    if isinstance(body, bytes):
        headers.append(("content-length", str(len(body))))
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.code, "headers": pairs})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body})
        return
    # A stream that has nothing to say would never notice that its client is gone.
    tasks = [asyncio.ensure_future(_stream(body, send)), asyncio.ensure_future(_gone(receive))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def send_refusal(answer: Answer, send: Send) -> None:
    """Refuse a WebSocket with an ordinary answer (ASGI's websocket.http.response extension)."""
    assert isinstance(answer.body, bytes)
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    start = {"type": "websocket.http.response.start", "status": answer.code, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": answer.body})


async def _stream(parts: AsyncIterator[bytes], send: Send) -> None:
    async for part in parts:
        if part:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def decode_body(request: Request) -> Any:
    """The body as a value, by its content type; 400 when it is none of that type."""
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if media == protobuf.MEDIA:
        return protobuf.decode(request.body)
    if media.endswith("yaml"):
        return decode_yaml(request.body)
    if not (media.endswith("json") or media in ("", "*/*")):
        raise status.unsupported_media(f"application/json, application/yaml, {protobuf.MEDIA}")
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise status.bad_request(f"the object provided is unrecognized: {exc}") from exc


def decode_yaml(text: bytes) -> Any:
    """One YAML document without aliases (a few of them can stand for gigabytes)."""
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise status.bad_request("yaml: aliases are not accepted")
        # Through JSON: dates, sets and keys that are no strings have no place in an object.
        return msgspec.json.decode(msgspec.json.encode(yaml.load(text, Loader=_JsonLoader)))
    except (yaml.YAMLError, msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise status.bad_request(f"error converting YAML to JSON: {exc}") from exc
    except (TypeError, ValueError, AttributeError) as exc:
        raise status.bad_request(f"error converting YAML to JSON: {exc}") from exc


class _JsonLoader(yaml.CSafeLoader):
    """YAML with JSON's types only: a date stays the string it is written as."""


_JsonLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
