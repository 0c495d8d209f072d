"""What the node's agent answers; LabError when there is none."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from lab.errors import LabError

SOCKET = Path("/run/cilium/cilium.sock")
"""Where lab.agent.status listens; named here as well to spare its imports."""
PATIENCE = 5.0
"""Seconds."""


def ask(path: Path = SOCKET) -> dict[str, Any]:
    """The status of the agent of the node that the caller stands in."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        try:
            line.connect(str(path))
            data = b""
            while block := line.recv(1 << 16):
                data += block
        except OSError as error:
            raise LabError(
                f"the agent of this node does not answer on {path}: {error.strerror or error}\n"
                "  maps and FRR can still be read: cilium bpf lb list, cilium bgp peers"
            ) from error
    status: dict[str, Any] = json.loads(data)
    return status
