"""The servers of a node's observer: gRPC (Observer, Peer, Recorder, Health) and metrics.

Start it after the last fork: gRPC starts threads, and threads do not survive a fork.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from lab.errors import LabError
from lab.hubble.metrics.exporter import DEFAULT, PORT, FlowMetrics, MetricsServer
from lab.hubble.observer import Observer
from lab.hubble.service import table as services
from lab.hubble.service.health import Health
from lab.hubble.service.node import NodeService
from lab.hubble.service.peer import PeerService
from lab.hubble.service.record import RecordService

SOCKET = "unix:///run/cilium/hubble.sock"
ADDRESSES = (":4244", SOCKET)
"""Where an agent listens: its node's addresses for the relay, a socket for people on the node."""

STREAMS = 64
"""Most requests answered at once; each follower holds one thread."""

OPTIONS = (
    ("grpc.max_receive_message_length", 1 << 20),
    # Two servers on one port would each get some of the connections.
    ("grpc.so_reuseport", 0),
    # A client that vanished must not hold its thread for ever.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    # Relays look every two seconds whether the node is still there.
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class ListenError(LabError):
    """An address that the server could not listen on."""


class Server:
    """A running server."""

    def __init__(
        self, server: grpc.Server, observer: Observer, metrics: MetricsServer | None
    ) -> None:
        self._server = server
        self._observer = observer
        self._metrics = metrics

    def stop(self) -> None:
        """End all streams and stop listening; returns when it is done."""
        self._observer.close()
        self._server.stop(grace=0.5).wait()
        if self._metrics is not None:
            self._metrics.stop()

    def wait(self) -> None:
        """Return when the server has stopped."""
        self._server.wait_for_termination()


def serve(
    observer: Observer,
    addresses: Sequence[str] = ADDRESSES,
    *,
    captures: Path | None = None,
    metrics_port: int | None = PORT,
    metrics: Sequence[str] = DEFAULT,
) -> Server:
    """Serve `observer` on all `addresses` ("host:port", ":port" or "unix:///path").

    Recordings go into the directory `captures`; without one they are refused. `metrics` is
    Hubble's metrics configuration, served on `metrics_port` (None: not at all). ListenError when
    an address cannot be bound.
    """
    # Beyond that a request is refused at once, rather than left waiting for a follower to end.
    server = grpc.server(
        ThreadPoolExecutor(STREAMS, "hubble"), options=OPTIONS, maximum_concurrent_rpcs=STREAMS
    )
    server.add_generic_rpc_handlers(
        (
            services.handler(services.OBSERVER, NodeService(observer).methods()),
            services.handler(services.PEER, PeerService(observer).methods()),
            services.handler(services.RECORDER, RecordService(observer, captures).methods()),
            services.handler(services.HEALTH, Health().methods()),
        )
    )
    for address in addresses:
        listen(server, address)
    exporter = None
    if metrics_port is not None:
        exporter = MetricsServer(FlowMetrics(observer, metrics), port=metrics_port)
    server.start()
    return Server(server, observer, exporter)


def listen(server: grpc.Server, address: str) -> None:
    """Bind `address`; a unix socket left over by a dead server is replaced, and only that."""
    path = socket_path(address)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_socket():
            path.unlink()
    bind = f"0.0.0.0{address}" if address.startswith(":") else address
    try:
        bound = server.add_insecure_port(bind)
    except RuntimeError as exc:
        raise ListenError(f"Hubble cannot listen on {address}: {exc}") from exc
    if not bound:
        raise ListenError(f"Hubble cannot listen on {address}: is another server there?")
    if path is not None:
        os.chmod(path, 0o660)  # noqa: PTH101 - Path.chmod follows links, a socket is none


def socket_path(address: str) -> Path | None:
    """The file behind a "unix:" address; None for any other."""
    if not address.startswith("unix:"):
        return None
    return Path(address.removeprefix("unix://").removeprefix("unix:"))
