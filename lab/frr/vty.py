"""Talking to a running daemon over the socket that vtysh uses, without the 30 ms of vtysh.

A command goes out as text with a terminating NUL; its output comes back, followed by three NULs
and one byte, the command's status (FRR: lib/vty.c, vtysh/vtysh.c). One socket serves one
conversation: commands of one call share the section they are in.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.errors import FrrError

DIRECTORY = Path("/run/frr")
TIMEOUT = 10.0
"""Seconds a daemon may take for one command."""

_END = b"\0\0\0"
_SUCCESS, _WARNING = 0, 1
"""CMD_SUCCESS, CMD_WARNING of FRR's lib/command.h: a warning's command was carried out."""


class Vty:
    """A conversation with one daemon (`bgpd`, `zebra`, `bfdd`) of the node the caller stands in."""

    def __init__(self, daemon: str, directory: Path = DIRECTORY) -> None:
        self.daemon = daemon
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(str(directory / f"{daemon}.vty"))
        except OSError as exc:
            self._socket.close()
            raise FrrError(f"{daemon} does not answer on {directory}: {exc.strerror}") from exc
        self.run("enable")

    def __enter__(self) -> Vty:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._socket.close()

    def run(self, command: str) -> str:
        """The output of one command; FrrError when the daemon refuses it."""
        output, status = self._ask(command)
        if status not in (_SUCCESS, _WARNING):
            raise FrrError(f"{self.daemon} refuses `{command}`\n  {output.strip()}")
        return output

    def json(self, command: str) -> Any:
        """The output of a `show ... json` command."""
        output = self.run(command)
        try:
            return json.loads(output)
        except ValueError as exc:
            raise FrrError(f"{self.daemon}: `{command}` gave no JSON: {output[:200]}") from exc

    def configure(self, commands: Iterable[str]) -> None:
        """Run configuration commands in order; the first one refused ends it with FrrError."""
        self.run("configure terminal")
        try:
            for command in commands:
                self.run(command)
        finally:
            self.run("end")

    def _ask(self, command: str) -> tuple[str, int]:
        try:
            self._socket.sendall(command.encode() + b"\0")
            answer = b""
            while answer[-4:-1] != _END:
                received = self._socket.recv(1 << 16)
                if not received:
                    raise FrrError(f"{self.daemon} closed the connection at `{command}`")
                answer += received
        except OSError as exc:
            raise FrrError(f"{self.daemon}: no answer to `{command}`: {exc}") from exc
        return answer[:-4].decode(errors="replace"), answer[-1]
