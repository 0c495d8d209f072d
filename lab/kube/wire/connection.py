"""One client's connection, below HTTP: an end to headers, few large sends for many small ones."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_LIMIT = 64 * 1024
"""Bytes of all header lines of a request together."""
HEAD_TIMEOUT = 10.0
"""Seconds for them to arrive, from the first byte on (or from the connection's beginning)."""


class JoinedWrites:
    """A transport that sends what is written within one turn of the event loop in one piece.

    A head, a body and the events of a watch would be a TLS record, a system call and a packet
    each: on the network of a lab, most of the server's time.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 over joined writes, with an end to the headers it waits for."""

    _header_bytes = 0
    _impatience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoinedWrites(transport))  # type: ignore[arg-type]
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_LIMIT:
            # Breaks off the parser, which answers 400 and closes the connection.
            raise ValueError("too many headers")
        super().on_header(name, value)

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._impatience = self.loop.call_later(HEAD_TIMEOUT, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
