"""The supervisor's side of the fork server: which services run, and since when."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

from lab.errors import SandboxError
from lab.sandbox.fork_server import Ended, Loaded, Service, Start, Started, Stop
from lab.wait import until

LOADED_WITHIN = 60.0
STARTED_WITHIN = 10.0
"""Seconds; bounds for loaded machines, not expectations."""

MOST_ENDS = 4
"""How often a service may end unasked during a bring-up before nobody waits for it any more."""
LAST_WORDS = 12
"""Lines of its log that are repeated then."""


class Services:
    """Starts and stops services by messages and keeps what the fork server reports."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._sending = threading.Lock()
        self._loaded: Loaded | None = None
        self._known: dict[str, Service] = {}
        self._pids: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self._handlers: dict[type, Callable[..., None]] = {
            Loaded: self._on_loaded,
            Started: self._on_started,
            Ended: self._on_ended,
        }
        threading.Thread(target=self._receive, name="services", daemon=True).start()

    def wait_loaded(self) -> None:
        """Return when all code is imported; SandboxError when it cannot be."""
        until(lambda: self._loaded, bool, within=LOADED_WITHIN, what="import of the services")
        assert self._loaded is not None
        if self._loaded.error:
            raise SandboxError(f"the services' code cannot be imported\n{self._loaded.error}")

    def start(self, service: Service) -> None:
        """Start a service, or start a stopped one again."""
        self._known[service.name] = service
        self._send(Start(service))

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End a service for good and return when it is gone."""
        self._require(name)
        self._send(Stop(name, number))
        until(
            lambda: self._pids.get(name),
            lambda pid: pid is None,
            within=STARTED_WITHIN,
            what=f"the end of {name}",
            wanted="no process",
        )

    def resume(self, name: str) -> None:
        """Start a stopped service again and return when its process runs."""
        self.start(self._require(name))
        until(lambda: self._pids.get(name), bool, within=STARTED_WITHIN, what=f"start of {name}")

    def pids(self) -> Mapping[str, int]:
        """Process ids of the services that run now, as the lab sees them."""
        return dict(self._pids)

    def restarts(self) -> Mapping[str, int]:
        """How often each service ended unasked."""
        return dict(self._restarts)

    def require_lasting(self) -> None:
        """SandboxError with its last words when a service ends again and again."""
        for name, ends in self.restarts().items():
            if ends >= MOST_ENDS:
                log = self._known[name].log
                words = log.read_text(errors="replace").splitlines()[-LAST_WORDS:]
                lines = "\n".join(f"  {line}" for line in words)
                raise SandboxError(f"{name} ended {ends} times; {log} ends with\n{lines}")

    def _require(self, name: str) -> Service:
        if name not in self._known:
            raise SandboxError(f"no service {name!r}; there are {', '.join(sorted(self._known))}")
        return self._known[name]

    def _send(self, message: object) -> None:
        with self._sending:
            self._channel.send(message)

    def _receive(self) -> None:
        while True:
            try:
                message = self._channel.recv()
            except EOFError:
                return
            self._handlers[type(message)](message)

    def _on_loaded(self, message: Loaded) -> None:
        self._loaded = message

    def _on_started(self, message: Started) -> None:
        self._pids[message.name] = message.pid

    def _on_ended(self, message: Ended) -> None:
        self._pids.pop(message.name, None)
        if message.again:
            self._restarts[message.name] = self._restarts.get(message.name, 0) + 1
