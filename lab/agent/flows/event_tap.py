"""Events for whoever wants them raw: `cilium monitor` on this node, over a Unix socket.

The kernel's ring buffer has one reader, the agent. It passes every event on as four bytes of
length (network order) and the event's bytes. A listener that does not keep up misses events;
it never holds up the flow log.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from lab.bpf import record

PATH = Path("/run/cilium/monitor.sock")
LENGTH = struct.Struct("!I")
WAITING = 8


class EventTap:
    """Listens on `path`; `send` is called by the one thread that reads events."""

    def __init__(self, path: Path = PATH) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(WAITING)
        self._listener.setblocking(False)
        self._listeners: list[socket.socket] = []

    def send(self, records: bytes) -> None:
        """Pass the ring's records on to all who listen, and let in those who newly do."""
        self._admit()
        if not self._listeners or not records:
            return
        events = record.events(records)
        data = b"".join(LENGTH.pack(len(event)) + event for event in events)
        self._listeners = [each for each in self._listeners if self._passed(each, data)]

    def _admit(self) -> None:
        while True:
            try:
                listener, _ = self._listener.accept()
            except BlockingIOError:
                return
            listener.setblocking(False)
            self._listeners.append(listener)

    def _passed(self, listener: socket.socket, data: bytes) -> bool:
        """Whether the listener is still there and its stream of frames whole."""
        try:
            sent = listener.send(data)
        except BlockingIOError:
            return True
        except OSError:
            listener.close()
            return False
        if sent < len(data):
            # Half a frame went out: this listener cannot be served any more.
            listener.close()
            return False
        return True
