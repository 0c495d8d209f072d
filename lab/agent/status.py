"""What the agent says of itself, to `cilium` on the same node: one JSON object a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOCKET = Path("/run/cilium/cilium.sock")

Json = dict[str, Any]


async def serve(tell: Callable[[], Json], path: Path = SOCKET) -> asyncio.Server:
    """Answer every connection with what `tell` returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(tell()).encode())
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer, path)
