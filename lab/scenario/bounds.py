"""How long a check may wait, each bound named after the fact that takes the time.

They are bounds for a loaded machine, not expectations: what a check really took is reported.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """At most so many seconds, and what they are given for."""

    what: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:g} s ({self.what})"


BGP_SESSION = Bound("a BGP session comes up", 20)
ANNOUNCEMENT = Bound("an announcement reaches the router's kernel", 10)
WITHDRAWAL = Bound("a withdrawal reaches the router's kernel", 10)
HOLD_TIME = Bound("BGP's hold time runs out", 100)
BFD_DETECTION = Bound("BFD finds a dead neighbor", 10)
POD_READY = Bound("a pod starts and answers its readiness probe", 30)
POD_GONE = Bound("a pod ends", 30)
DATAPATH = Bound("a change reaches the maps of every node", 10)
FLOW_EVENTS = Bound("a flow is read from the kernel and served", 10)
PACKETS_CAPTURED = Bound("tcpdump prints a packet", 10)
API_ANSWER = Bound("the API server answers", 20)
AGENT_START = Bound("an agent starts and reconciles", 30)
