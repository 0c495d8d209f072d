"""One address, six next hops: many connections spread over all nodes, one connection stays."""

from __future__ import annotations

from lab.scenario import observe, spread
from lab.scenario.bounds import ANNOUNCEMENT
from lab.scenario.reading import curl
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import between

VIP = "172.16.10.0"
ROUTER = "bgp-router1"
CLIENTS = ("client1", "client2", "client3")
CONNECTIONS = 120

scenario = Scenario("Equal-cost routes spread connections over the nodes", manifests=("web1.yaml",))


@scenario.step("Six equal next hops")
def next_hops(stage: Stage) -> None:
    """All nodes announce the address with the same attributes, so no route is better than
    another and the router's kernel gets them all. With the hash policy 1 it chooses by
    addresses and ports; the default, 0, looks at addresses only."""
    stage.becomes(
        "the route has every node as a next hop",
        lambda: observe.next_hops(stage, ROUTER, VIP),
        observe.node_addresses(stage),
        within=ANNOUNCEMENT,
    )
    stage.show(ROUTER, f"ip route show {VIP}")
    policy = stage.show(ROUTER, "sysctl net.ipv4.fib_multipath_hash_policy")
    stage.holds("the hash looks at ports", policy.out.split()[-1], "1")


@scenario.step("The same connection always takes the same way")
def stable(stage: Stage) -> None:
    """A hash is no dice: the router gives the same answer for the same five values, so a
    connection stays with its node for as long as the set of next hops does not change."""
    question = spread.question(stage, VIP, local_port=40000)
    stage.show(ROUTER, question)
    answers = {spread.next_hop(stage, ROUTER, VIP, local_port=40000) for _ in range(5)}
    stage.holds("five times asked, one answer", len(answers), 1)


@scenario.step("Many connections reach every node")
def evenly(stage: Stage) -> None:
    """Each client opens 120 connections, one after the other; tcpdump on every node counts the
    first packets (SYN) that come in. One in six is a node's fair share: 60 of 360. Chance strays
    from it by more than 35 once in a million times; a broken hash does so at once."""
    first_packets = f"dst host {VIP} and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"
    with stage.capture_all(first_packets) as captures:
        for client in CLIENTS:
            line = curl.repeated(f"http://{VIP}/", CONNECTIONS)
            answered = curl.transfers(stage.run(client, line, timeout=60).out)
            stage.holds(
                f"all connections of {client} are answered 200",
                sum(transfer.status == 200 for transfer in answered),
                CONNECTIONS,
            )
    total = CONNECTIONS * len(CLIENTS)
    share = {capture.node: len(capture.packets()) for capture in captures}
    stage.holds("the nodes together saw every connection once", sum(share.values()), total)
    for node, count in share.items():
        stage.holds(f"{node} got {count} of {total}", count, between(25, 95))
