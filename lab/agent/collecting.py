"""Flow tables kept true: what ended goes, again and again, on a thread beside the agent's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from lab.agent.bell import Bell
from lab.bpf.gc import Fill, collect
from lab.errors import BpfError

log = logging.getLogger(__name__)

EVERY = 15.0
"""Seconds. A connection that was closed is kept for 10: most passes find something."""


class FlowTables:
    """How full the node's flow tables are, as of the last pass."""

    def __init__(self) -> None:
        self.fills: Mapping[str, Fill] = {}
        """By the tables' names; empty before the first pass."""

    async def keep_collecting(self) -> None:
        """Until cancelled."""
        pause = Bell()
        while True:
            await pause.heard(EVERY)
            try:
                removed = await asyncio.to_thread(collect)
            except BpfError as error:
                log.warning("collecting flows that ended: %s", error)
                continue
            self.note(removed.tables)
            if removed.connections or removed.translations:
                log.debug("%s", removed)

    def note(self, seen: Mapping[str, Fill]) -> None:
        """Take over what a pass saw. One amid new flows counts too few evictions, so the most
        that was ever seen stands."""
        before = self.fills
        self.fills = {
            name: replace(fill, evicted=max(fill.evicted, before[name].evicted))
            if name in before
            else fill
            for name, fill in seen.items()
        }
