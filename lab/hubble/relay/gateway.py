"""The default gateway of this network namespace: in a pod, an address of its own node."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from lab.errors import MachineError

ROUTES = Path("/proc/net/route")


def default_gateway(routes: Path = ROUTES) -> IPv4Address:
    """The gateway of the default route; MachineError when there is none."""
    for line in routes.read_text().splitlines()[1:]:
        fields = line.split()
        # Destination and mask are 0; addresses are hexadecimal in the machine's byte order.
        if len(fields) >= 8 and fields[1] == fields[7] == "00000000" and fields[2] != "00000000":
            return IPv4Address(bytes.fromhex(fields[2])[::-1])
    raise MachineError(
        "the relay finds no default route, so it does not know its node",
        "name a node's agent: --peer-service ADDRESS:4244",
    )
