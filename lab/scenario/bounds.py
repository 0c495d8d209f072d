"""How long a check may wait, each bound named after the fact that takes the time.

They are bounds for a loaded machine, not expectations: what a check really took is reported.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """At most so many seconds, what they are given for, and where to look when they pass."""

    what: str
    seconds: float
    look: str = ""

    def __str__(self) -> str:
        return f"{self.seconds:g} s ({self.what})"


_AGENTS = "the nodes' agent.log"
_ROUTES = f"`vtysh -c 'show bgp ipv4 unicast'` on the router, and {_AGENTS}"
_PODS = f"`kubectl describe pods`, and {_AGENTS}"

BGP_SESSION = Bound(
    "a BGP session comes up", 20, f"`vtysh -c 'show bgp summary'` on both sides, and {_AGENTS}"
)
ANNOUNCEMENT = Bound("an announcement reaches the router's kernel", 10, _ROUTES)
WITHDRAWAL = Bound("a withdrawal reaches the router's kernel", 10, _ROUTES)
HOLD_TIME = Bound(
    "BGP's hold time runs out", 100, "`vtysh -c 'show bgp neighbors'` on the router: its timers"
)
BFD_DETECTION = Bound(
    "BFD finds a dead neighbor", 10, "`vtysh -c 'show bfd peers'` on the router and on the node"
)
POD_READY = Bound("a pod starts and answers its readiness probe", 30, _PODS)
POD_LOG = Bound("a pod's server logs a request that it has answered", 10, _PODS)
POD_GONE = Bound("a pod ends", 30, _PODS)
DATAPATH = Bound(
    "a change reaches the maps of every node", 10, f"`cilium bpf lb list` on the nodes, {_AGENTS}"
)
FLOW_EVENTS = Bound(
    "a flow is read from the kernel and served",
    10,
    f"`hubble observe` and `cilium bpf metrics list` on the node, and {_AGENTS}",
)
PACKETS_CAPTURED = Bound(
    "tcpdump prints a packet", 10, "`tcpdump -n -i eth0` on the nodes while it is tried again"
)
API_ANSWER = Bound(
    "the API server answers", 20, "`kubectl get events -A`, and apiserver.log of the master"
)
AGENT_START = Bound("an agent starts and reconciles", 30, _AGENTS)
