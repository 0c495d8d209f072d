"""Events from the kernel's ring into the flow log, on a thread of its own, and who serves them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any

from lab.agent.config import AgentConfig
from lab.agent.flows.event_tap import EventTap
from lab.agent.flows.lookup import Directory
from lab.agent.metrics import PORTS, AgentMetrics
from lab.agent.places import NodePlace
from lab.bpf.events import EventRing
from lab.hubble.agent_events import agent_started
from lab.hubble.lookup import Peer
from lab.hubble.metrics.exporter import MetricsServer
from lab.hubble.observer import MOST_RECORDS, Observer
from lab.hubble.server import Server, serve

log = logging.getLogger(__name__)

HUBBLE_PORT = 4244
CAPTURES = "captures"

AT_LEISURE = 64
"""Flows decoded at a look that finds no event: the next question about them is answered sooner."""
SHARE = 0.05
"""Of one processor, at most, whatever comes: a flood of events fills the ring and is counted as
lost before it takes the processor away from the packets that make it."""
EAGER, IDLE = 0.004, 0.015
"""Seconds between two looks at the ring, while events come and when none came for a while. The
programs wake nobody: that would cost every packet that makes an event."""
AWHILE = 250
"""Looks without an event."""
LOST_LOOK = 64
"""Looks between two looks at the count of lost events."""


class FlowLog:
    """Hubble's observer of this node: fed from the ring, served over gRPC."""

    def __init__(self, config: AgentConfig, metrics: AgentMetrics) -> None:
        self._agent_metrics = metrics
        self.directory = Directory()
        self.observer = Observer(config.node, self.directory, profile=config.profile)
        self.directory.tell = self.observer.agent_event
        self._captures = config.run_dir / CAPTURES
        self._tap = EventTap()
        self._stopping = threading.Event()
        self._reader = threading.Thread(target=self._read, name="events", daemon=True)
        self._profile = config.profile
        self._server: Server | None = None
        self._metrics: MetricsServer | None = None

    def start(self) -> None:
        """Feed and serve. After the last fork only: gRPC does not survive one."""
        self._server = serve(self.observer, captures=self._captures)
        self._metrics = MetricsServer(self._agent_metrics, port=PORTS[self._profile])
        self.observer.agent_event(agent_started())
        self._reader.start()

    def stop(self) -> None:
        """End all streams; events wait in the ring for the next agent."""
        self._stopping.set()
        self._reader.join()
        if self._metrics is not None:
            self._metrics.stop()
        if self._server is not None:
            self._server.stop()

    def set_nodes(self, nodes: Iterable[NodePlace]) -> None:
        self.observer.set_peers(
            [Peer(node.name, f"{node.address}:{HUBBLE_PORT}") for node in nodes]
        )

    def figures(self) -> dict[str, Any]:
        """Flows kept, how many there is room for, and flows a second."""
        return {
            "flows": len(self.observer.flows),
            "capacity": self.observer.flows.capacity,
            "rate": self.observer.rate(),
        }

    def _read(self) -> None:
        """The thread: what is in the ring, again and again."""
        quiet = looks = 0
        pause = EAGER
        with EventRing.pinned() as ring:
            lost = ring.counts().lost
            while not self._stopping.wait(pause):
                began = time.thread_time()
                records = ring.read(MOST_RECORDS)
                if records:
                    self.observer.feed_records(records)
                else:
                    self.observer.read_on(AT_LEISURE)
                self._tap.send(records)
                quiet = 0 if records else quiet + 1
                looks += 1
                if looks % LOST_LOOK == 0:
                    lost = self._tell_lost(ring.counts().lost, lost)
                spent = time.thread_time() - began
                pause = max(EAGER if quiet < AWHILE else IDLE, spent * (1 / SHARE - 1))

    def _tell_lost(self, now: int, before: int) -> int:
        if now > before:
            self.observer.lost(now - before)
        return now
