"""Flow tables kept true: what ended goes, again and again, on a thread beside the agent's loop."""

from __future__ import annotations

import asyncio
import logging

from lab.agent.bell import Bell
from lab.bpf.gc import collect
from lab.errors import BpfError

log = logging.getLogger(__name__)

EVERY = 15.0
"""Seconds. A connection that was closed is kept for 10: most passes find something."""


async def keep_collecting() -> None:
    """Until cancelled."""
    pause = Bell()
    while True:
        await pause.heard(EVERY)
        try:
            removed = await asyncio.to_thread(collect)
        except BpfError as error:
            log.warning("collecting flows that ended: %s", error)
            continue
        if removed.connections or removed.translations:
            log.debug("%s", removed)
