"""Done once in the fork server, so that no agent has to: what libraries put off to first use.

Six agents on two cores feel each other: a tenth of a second that each spends on building decoders
and importing modules is more than half a second until the last of them is ready. Importing this
module does it all; nothing of it opens a socket or starts a thread.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio._backends._asyncio
import grpc._server
import h11
import msgspec
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap, Event, Node, Pod, Service
from lightkube.resources.discovery_v1 import EndpointSlice


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Inside the block an import of the module fails, as if it were not installed."""
    sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # The import system's own sign.
    try:
        yield
    finally:
        if sys.modules[module] is None:
            del sys.modules[module]


# The API server speaks HTTP/1.1. HTTP/2 is optional, and its tables take 70 ms to build.
with _absent("h2"):
    import httpcore2

LAZY = (anyio._backends._asyncio, grpc._server, h11, httpcore2)
"""Modules that the clients import when they are first used."""

DECODERS = tuple(
    msgspec.json.Decoder(kind)
    for kind in (Node, Pod, Service, EndpointSlice, ConfigMap, Lease, Event)
)
"""Making one builds what msgspec knows of the kind and of all types inside it; it stays known."""
