"""BGP neighbors as FRR tells them: `show bgp summary json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.errors import FrrError


@dataclass(frozen=True)
class Neighbor:
    """One session: its state, and how many prefixes came and went over it."""

    address: str
    state: str
    received: int
    sent: int

    @property
    def established(self) -> bool:
        return self.state == "Established"


def neighbors(summary: Any) -> dict[str, Neighbor]:
    """Neighbors by address, for IPv4 unicast; FrrError when the answer has another form."""
    try:
        peers: dict[str, dict[str, Any]] = summary.get("ipv4Unicast", {}).get("peers", {})
        return {
            address: Neighbor(address, peer["state"], peer.get("pfxRcd", 0), peer.get("pfxSnt", 0))
            for address, peer in peers.items()
        }
    except (AttributeError, KeyError) as exc:
        raise FrrError(f"not a BGP summary: {str(summary)[:200]}") from exc
