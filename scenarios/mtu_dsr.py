"""A router's message about a connection comes to a node that has never heard of it."""

from __future__ import annotations

import re

from lab.faults.wires import mtu
from lab.scenario import large, observe, web
from lab.scenario.bounds import PACKETS_CAPTURED
from lab.scenario.capture import Capture
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least

SMALL_LINK = 1300
TIMES = 6
"""Downloads, each with messages of its own, which all take the way of the request once in 6**6."""
ASKED = re.compile(r"\.(\d+) > \S+: Flags \[S\]")
QUOTED = re.compile(rf"{web.ADDRESS}\.80 > [\d.]+\.(\d+): ")
"""The client's port."""
LOST = "`hubble observe --protocol icmp` on the nodes: who got a message, and where did it go?"

scenario = Scenario(
    "Path MTU by way of the wrong node",
    profile="modern",
    options={"mode": "dsr"},
    manifests=(web.MANIFEST,),
)


@scenario.step("Requests come in by any node, and the pod's node answers")
def works(stage: Stage) -> None:
    """The router deals out connections over six nodes. Replies go from the pod's node to the
    client (see the scenario dsr); the node that the request came by has no part in them."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    web.is_answered(stage)
    large.offer(stage)
    large.arrives(stage, TIMES)


@scenario.step("A smaller link, and a message without ports")
def told(stage: Stage) -> None:
    """The router's side of the LAN takes 1300 bytes now, and the router says so to the sender of
    what is larger. That is the service's address, with six next hops. The message has no ports to
    tell connections apart by, so it takes any of them, whichever way the request took. The node
    there does not know the connection. It looks into the packet that is quoted: Maglev, or a
    single pod to choose from, means the same pod on every node, and with DSR nothing but the
    service's address was ever translated."""
    arriving = f"dst host {web.ADDRESS} and (icmp or tcp[tcpflags] & tcp-syn != 0)"
    with (
        stage.capture_all(arriving, "-v") as captures,
        stage.fault(mtu(web.ROUTER, large.clients_leg(stage), SMALL_LINK)),
    ):
        sizes = [size for _ in range(TIMES) for size in _downloaded_anew(stage)]
        stage.holds("bytes of each download", sizes, [str(large.SIZE)] * TIMES, look=LOST)
        stage.becomes(
            "connections that a node was told of which it had not seen",
            lambda: sum(len(_ports(QUOTED, one) - _ports(ASKED, one)) for one in captures),
            at_least(1),
            within=PACKETS_CAPTURED,
        )
    wrong = next(one for one in captures if _ports(QUOTED, one) - _ports(ASKED, one))
    stage.show_capture(wrong)


@scenario.step("And with links of equal size")
def equal(stage: Stage) -> None:
    """Nothing is left of it but what the pod remembers for ten minutes."""
    large.arrives(stage, TIMES)


def _downloaded_anew(stage: Stage) -> list[str]:
    """A download from a pod that has forgotten what it was told, and has to be told again."""
    (pod,) = web.pods(stage)
    stage.run(stage.control, f"kubectl exec {pod.name} -- ip route flush cache")
    return large.downloaded(stage, 1)


def _ports(pattern: re.Pattern[str], taken: Capture) -> set[str]:
    return {found[1] for found in map(pattern.search, taken.printed()) if found}
