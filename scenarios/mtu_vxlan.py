"""A link takes smaller packets than the rest: found out through the tunnel, or a black hole."""

from __future__ import annotations

from lab.faults.wires import icmp_silence, mtu
from lab.scenario import large, observe, web
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

SMALL_LINK = 1300
TIMES = 8
"""Downloads, so that most of them come in by a node that has to tunnel to the pod's."""

scenario = Scenario("Path MTU through the tunnel, and the black hole", manifests=(web.MANIFEST,))


@scenario.step("Pods leave room for the tunnel")
def room(stage: Stage) -> None:
    """VXLAN puts 50 bytes in front of a pod's packet. The pod's routes are that much smaller than
    the node's link, so that TCP never makes a segment that would have to be cut in the tunnel."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    shown = large.in_pod(stage, "ip route")
    stage.holds("a pod sends 1450 bytes at most", shown, containing("mtu 1450"))
    _hash_packets(stage)
    large.offer(stage)
    large.arrives(stage, TIMES)


@scenario.step("A smaller link, and a router that says so")
def told(stage: Stage) -> None:
    """The router's side of the LAN takes 1300 bytes now. TCP forbids routers to cut its packets;
    the router drops the first ones and tells the sender how much would fit (ICMP, fragmentation
    needed). To the router the sender is the service's address: the node that balances turns the
    message, and the packet quoted in it, into one for the pod, and tunnels it to its node."""
    with stage.fault(mtu(web.ROUTER, large.clients_leg(stage), SMALL_LINK)):
        large.arrives(stage, TIMES)
        learned = large.in_pod(stage, "ip route show cache")
        stage.holds("the pod learned it", learned, containing(f"mtu {SMALL_LINK}"))


@scenario.step("The same, and a router that keeps silent")
def black_hole(stage: Stage) -> None:
    """Many a firewall drops all ICMP. Then nobody tells the pod: it sends its large packets again
    and again, and the router drops them again and again. Small answers pass, which is what makes
    it hard to find: the connection opens, ping works, only the download never begins."""
    with stage.fault(mtu(web.ROUTER, large.clients_leg(stage), SMALL_LINK)):
        with stage.fault(icmp_silence(web.ROUTER)):
            large.in_pod(stage, "ip route flush cache")
            web.is_answered(stage)
            tried = stage.show(web.CLIENT, f"curl -s -S -m 3 {large.URL} -o /dev/null")
            stage.holds("the large answer never comes", tried.code, 28)
            stage.show(web.ROUTER, "nstat -az IpFragFails")
        large.arrives(stage, TIMES)
    stage.say("As soon as the router spoke again, the downloads went through.")


@scenario.step("And with links of equal size")
def equal(stage: Stage) -> None:
    """Nothing is left of it but what the pod remembers for ten minutes."""
    large.arrives(stage, TIMES)


def _hash_packets(stage: Stage) -> None:
    """Let the router deal out packets by what is in them, as one of hardware does. By default it
    takes the hash of the sending socket where packets bring one, so that an error about a reply
    would go to another node than the request went to. (Sorted ends make both ways equal.)"""
    stage.show(
        web.ROUTER,
        "sysctl net.ipv4.fib_multipath_hash_fields=0x37 net.ipv4.fib_multipath_hash_policy=3",
    )
