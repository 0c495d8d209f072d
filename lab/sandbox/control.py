"""The control socket of a lab: one JSON object a line asks, one answers.

    {"do": "status"}                          {"ok": {...}}
    {"do": "stop-service", "name": "..."}     {"error": "...", "exit_code": 1}

What a lab can be asked for is a table of handlers, filled by the supervisor.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import InputError, LabError, SandboxError

Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes the request's fields and returns the answer's; LabError becomes an error answer."""

LONGEST_LINE = 1 << 20
"""Bytes of a request; a longer one ends the connection."""


class ControlServer:
    """Answers on the socket, each connection in a thread, until the process ends."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        outer = self

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while line := self.rfile.readline(LONGEST_LINE):
                    if not line.endswith(b"\n"):
                        return
                    self.wfile.write(json.dumps(outer.answer(line)).encode() + b"\n")

        self._server = _Server(str(path), Connection)
        path.chmod(0o600)
        threading.Thread(target=self._server.serve_forever, name="control", daemon=True).start()

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to one request; bad requests get an error, never an exception."""
        try:
            request = _request(line)
            handler = self._handlers.get(request["do"])
            if handler is None:
                known = ", ".join(sorted(self._handlers))
                raise InputError(f"a lab cannot be asked to {request['do']!r}; it can: {known}")
            return {"ok": dict(handler(request))}
        except LabError as error:
            return {"error": str(error), "exit_code": error.exit_code}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError as exc:
        raise InputError(f"a request must be one JSON object a line: {exc}") from exc
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise InputError('a request must be a JSON object with a string "do"')
    return request


class Refused(SandboxError):
    """The supervisor answered with an error; the exit code is the one it wants."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def ask(path: Path, do: str, *, timeout: float = 10.0, **fields: object) -> dict[str, Any]:
    """Ask a lab for something and return the answer; SandboxError when none comes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(os.fspath(path))
            connection.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError as exc:
            raise SandboxError(f"{path}: no answer to {do!r}: {exc}") from exc
    if not line:
        raise SandboxError(f"{path}: the lab ended before it answered {do!r}")
    answer = json.loads(line)
    if "error" in answer:
        raise Refused(answer["error"], answer["exit_code"])
    fields_back: dict[str, Any] = answer["ok"]
    return fields_back
