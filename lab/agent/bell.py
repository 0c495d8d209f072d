"""Waking one waiting task, from whatever happened: level-triggered, never lost, never queued."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung any number of times, it wakes its one waiter once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def heard(self, within: float | None = None) -> bool:
        """Wait for a ring; False when `within` seconds pass without one."""
        try:
            await asyncio.wait_for(self._rung.wait(), within)
        except asyncio.TimeoutError:
            return False
        self._rung.clear()
        return True
