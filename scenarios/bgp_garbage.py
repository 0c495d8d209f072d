"""A neighbor talks nonsense: its session or its route goes, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from lab.faults.nodes import frr_kill
from lab.scenario import observe, web
from lab.scenario.bounds import BGP_SESSION
from lab.scenario.lines import Lines
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario

if TYPE_CHECKING:
    from lab.scenario.nonsense import Speaker

NODE = "k8s-worker5"
PREFIXES = list(IPv4Network("172.16.10.96/27").subnets(new_prefix=32))
LAST = IPv4Network("172.16.10.200/32")

scenario = Scenario(
    "What a router owes to nonsense", options={"node_asn": 64601}, manifests=(web.MANIFEST,)
)


@scenario.step("Mistakes that end a session")
def fatal(stage: Stage) -> None:
    """The BGP daemon of one node is replaced by a small program that makes one mistake at a time.
    RFC 4271 ends the session with a notification that names the mistake: a message nobody can
    read leaves no doubt about the next ones either."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    with alone(stage) as speaker:
        for mistake in speaker.fatal():
            with speaking(stage, mistake.opening, *mistake.messages) as said:
                ends_with(stage, said, mistake.words, f"notification {mistake.answer}")


@scenario.step("Mistakes that cost a route")
def mild(stage: Stage) -> None:
    """RFC 7606 is milder where it can be. The program announces a route for each of these
    mistakes, then makes it about that route: with a bad attribute the route is taken for
    withdrawn, without one that nobody needs it stays, and the session lives through all of them.
    (FRR is that mild to eBGP neighbors only, so every node has an AS number of its own here.)"""
    address = str(stage.plan.node(NODE).address)
    with alone(stage) as speaker:
        mistakes = speaker.mild(PREFIXES)
        messages = [m for mistake in mistakes for m in (mistake.route, mistake.message)]
        with speaking(stage, speaker.opening(), *messages, speaker.route(LAST)) as said:
            # bgpd lists a route that goes until its queue has come to it: in turn, LAST's the last.
            stage.becomes(
                "the router has heard it all, and done it",
                lambda: observe.next_hops(stage, web.ROUTER, str(LAST.network_address)),
                {address},
                within=BGP_SESSION,
            )
            left = observe.routes_from(stage, web.ROUTER, address)
            for mistake in mistakes:
                becomes = "without it the route stays" if mistake.kept else "the route goes"
                words = f"{mistake.words}: {becomes}"
                stage.holds(words, str(mistake.prefix) in left, mistake.kept)
            stage.holds("it is still the first session", said.so_far(), ["up"])


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


@contextmanager
def alone(stage: Stage) -> Iterator[Speaker]:
    """Who speaks in place of the node's daemon; meanwhile nothing happens to anybody else."""
    logging.getLogger("scapy").setLevel(logging.ERROR)
    # Scapy takes a second to load, which not everyone who lists the scenarios should pay.
    from lab.scenario.nonsense import Speaker  # noqa: PLC0415

    daemon, node = bgpd(stage), stage.plan.node(NODE)
    others = observe.node_addresses(stage) - {str(node.address)}
    with stage.fault(frr_kill(NODE)):
        web.is_announced_by(stage, "the node's next hop is gone", others)
        yield Speaker(node.address, node.asn or 0)
        alive = observe.established(stage, web.ROUTER) & others
        stage.holds("the others' sessions are up", alive, others)
        hops = observe.next_hops(stage, web.ROUTER, web.ADDRESS)
        stage.holds("the others are next hops, and only they", hops, others)
        stage.holds("the router's daemon is the same process", bgpd(stage), daemon)
        web.is_answered(stage)


@contextmanager
def speaking(stage: Stage, opening: bytes, *messages: bytes) -> Iterator[Lines]:
    """The program on the node says these messages; gives what it prints."""
    words = [web.peer(stage), opening.hex(), *(message.hex() for message in messages)]
    with stage.spawn(NODE, stage.program("speaker.py", *words)) as lines:
        yield lines


def ends_with(stage: Stage, said: Lines, words: str, answer: str) -> None:
    """The last that the program prints is this answer."""
    look = f"bgpd.log on {web.ROUTER}"
    stage.becomes(words, lambda: said.so_far()[-1:], [answer], within=BGP_SESSION, look=look)


def bgpd(stage: Stage) -> str:
    """Process id of the router's BGP daemon."""
    return stage.run(web.ROUTER, "cat /run/frr/bgpd.pid").out.strip()
