"""`monitor`: the node's events as they happen."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError

SOCKET = Path("/run/cilium/monitor.sock")
"""Where lab.agent.flows.event_tap listens."""

_LENGTH = struct.Struct("!I")


def events(path: Path = SOCKET) -> Iterator[bytes]:
    """The events of the node from now on; ends when the agent does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(str(path))
        except OSError as error:
            raise LabError(f"no agent passes on events at {path}: {error.strerror}") from error
        stream = line.makefile("rb")
        while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
            yield stream.read(_LENGTH.unpack(head)[0])


def interface(index: int) -> str:
    """The name of a network device of the node, empty when it has none of that index."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""
