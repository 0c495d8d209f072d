"""A neighbor talks nonsense: its session or its route goes, and nothing else."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import BGP_SESSION
from lab.scenario.faults import frr_kill
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing

NODE = "k8s-worker5"
ASN = "64606"
CASES = {
    "marker": ("a header that does not begin with ones", "notification 1 1"),
    "version": ("BGP version 5", "notification 2 1"),
    "type": ("a message of type 9", "notification 1 3"),
    "lengths": ("routes longer than their message", "notification 3 1"),
    "origin": ("a route whose origin is none of the three", "kept"),
}

scenario = Scenario(
    "What a router owes to nonsense", options={"node_asn": 64601}, manifests=(web.MANIFEST,)
)


@scenario.step("Nonsense, case by case")
def nonsense(stage: Stage) -> None:
    """The BGP daemon of one node is replaced by a small program that makes one mistake at a time.
    RFC 4271 ends the session with a notification that names the mistake. RFC 7606 is milder where
    it can be: a route with a bad attribute is taken for withdrawn, and the session lives on (FRR
    is that mild to eBGP neighbors only, which is why every node has an AS number of its own)."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    daemon = bgpd(stage)
    address = str(stage.plan.node(NODE).address)
    others = observe.node_addresses(stage) - {address}
    with stage.fault(frr_kill(NODE)):
        web.is_announced_by(stage, "its next hop is gone", others)
        for case, (words, answer) in CASES.items():
            told = stage.show(NODE, stage.program("garbage.py", web.peer(stage), ASN, case))
            stage.holds(f"{words}: {answer}", told.out, containing(answer))
        hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
        stage.holds("no route came of it", hops, others)
        stage.holds(
            "the others' sessions never ended", observe.established(stage, web.ROUTER), others
        )
        stage.holds("the router's daemon is the same process", bgpd(stage), daemon)
        web.is_answered(stage)


@scenario.step("The real daemon comes back")
def back(stage: Stage) -> None:
    """It starts without any configuration but its own name; the node's agent notices and tells it
    the neighbor and the addresses again."""
    stage.becomes(
        "every node's session is established",
        lambda: observe.established(stage, web.ROUTER),
        observe.node_addresses(stage),
        within=BGP_SESSION,
    )
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    stage.show(web.ROUTER, "vtysh -c 'show bgp summary'")


def bgpd(stage: Stage) -> str:
    """Process id of the router's BGP daemon."""
    return stage.run(web.ROUTER, "cat /run/frr/bgpd.pid").out.strip()
