"""Talking to a running daemon over the socket that vtysh uses, without the 30 ms of vtysh.

A command goes out as text with a terminating NUL; its output comes back, followed by three NULs
and one byte, the command's status (FRR: lib/vty.c, vtysh/vtysh.c). One socket serves one
conversation: commands of one call share the section they are in.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Sequence
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
        self._received = b""
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
        return self._ask([command])[0]

    def json(self, command: str) -> Any:
        """The output of a `show ... json` command."""
        output = self.run(command)
        try:
            return json.loads(output)
        except ValueError as exc:
            raise FrrError(f"{self.daemon}: `{command}` gave no JSON: {output[:200]}") from exc

    def configure(self, commands: Iterable[str]) -> None:
        """Send configuration commands in one write; FrrError for the first one refused.

        bgpd carries out what it reads at once before it attends to anything else; it reads 512
        bytes at a time.
        """
        self._ask(["configure terminal", *commands, "end"])

    def _ask(self, commands: Sequence[str]) -> list[str]:
        """The outputs of commands; FrrError for the first one refused, when all have answered."""
        refused = ""
        outputs = []
        try:
            self._socket.sendall(b"".join(command.encode() + b"\0" for command in commands))
            for command in commands:
                output, status = self._answer()
                outputs.append(output)
                if status not in (_SUCCESS, _WARNING) and not refused:
                    refused = f"{self.daemon} refuses `{command}`\n  {output.strip()}"
        except OSError as exc:
            raise FrrError(f"{self.daemon}: no answer to `{commands[0]}`: {exc}") from exc
        if refused:
            raise FrrError(refused)
        return outputs

    def _answer(self) -> tuple[str, int]:
        """Output and status of the next command; text never contains a NUL."""
        while True:
            text, end, rest = self._received.partition(_END)
            if end and rest:
                self._received = rest[1:]
                return text.decode(errors="replace"), rest[0]
            more = self._socket.recv(1 << 16)
            if not more:
                raise FrrError(f"{self.daemon} closed the connection")
            self._received += more
