"""Events from the kernel's ring into the flow log, on a thread of its own, and who serves them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from lab.agent.config import AgentConfig
from lab.agent.event_tap import EventTap
from lab.agent.lookup import Directory
from lab.agent.places import NodePlace
from lab.bpf.events import EventRing
from lab.hubble.lookup import Peer
from lab.hubble.observer import Observer
from lab.hubble.server import Server, serve

log = logging.getLogger(__name__)

HUBBLE_PORT = 4244
READ_EVERY = 0.005
"""Seconds between two looks at the ring while events flow: waking the reader for each would cost
the packets that cause them."""


class FlowLog:
    """Hubble's observer of this node, fed and served."""

    def __init__(self, config: AgentConfig, directory: Directory) -> None:
        self.observer = Observer(config.node, directory, profile=config.profile)
        self._tap = EventTap()
        self._ring: EventRing | None = None
        self._server: Server | None = None
        self._stopping = threading.Event()
        self._captures = config.run_dir / "captures"
