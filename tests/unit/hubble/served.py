"""A node's gRPC services over a unix socket, with an observer that tests feed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from lab.hubble.api import observer_pb2
from lab.hubble.observer import Observer
from lab.hubble.server import serve
from lab.hubble.service import table

from . import article
from .article import SYN, TO_ENDPOINT


@contextmanager
def serving(capacity: int = 15) -> Iterator[tuple[Observer, str]]:
    """A node's observer, and the path of its socket."""
    observer = Observer("k8s-worker3", article.pod_node(), capacity=capacity)
    with tempfile.TemporaryDirectory(prefix="hub") as directory:
        path = f"{directory}/h.sock"
        server = serve(observer, [f"unix://{path}"], captures=Path(directory), metrics_port=None)
        yield observer, path
        server.stop()


@contextmanager
def running(capacity: int = 15) -> Iterator[tuple[Observer, grpc.Channel]]:
    with serving(capacity) as (observer, path), grpc.insecure_channel(f"unix://{path}") as channel:
        yield observer, channel


def ask(channel: grpc.Channel, service: str, method: str) -> Callable[..., Any]:
    return table.call(channel, service, method)


def get_flows(channel: grpc.Channel, **request: Any) -> list[observer_pb2.GetFlowsResponse]:
    message = observer_pb2.GetFlowsRequest(**request)
    return list(ask(channel, table.OBSERVER, "GetFlows")(message, timeout=5))


def feed(observer: Observer, count: int, flags: int = SYN) -> None:
    for number in range(count):
        packet = article.client_to_pod(flags, port=1000 + number)
        observer.feed(article.trace(TO_ENDPOINT, packet), at=10**9 + number)
