"""Passwords of BGP sessions: a wrong one, and none at all, take one node out."""

from __future__ import annotations

from lab.scenario import observe, web
from lab.scenario.bounds import BGP_SESSION
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_least, containing, other_than

NODE = "k8s-worker2"
PASSWORD = "spring-rolls"
WRONG = "TcpExtTCPMD5Failure"
NONE = "TcpExtTCPMD5Unexpected"
"""The kernel's counters of segments whose signature is wrong, and of signed ones from a neighbor
that it knows no password of."""

scenario = Scenario(
    "BGP with passwords: one wrong, one node out",
    options={"bgp_password": PASSWORD},
    manifests=(web.MANIFEST,),
)


@scenario.step("All sessions have a password")
def signed(stage: Stage) -> None:
    """The router's configuration and the cluster's have the same word. The kernel signs every
    segment of the session with it (TCP MD5, RFC 2385); the word itself is never sent."""
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    shown = stage.show(stage.control, "kubectl -n kube-system get configmap bgp-config -o yaml")
    stage.holds("the nodes are told the password", shown.out, containing(f'password: "{PASSWORD}"'))
    stage.holds("the router dropped nothing", observe.counted(stage, web.ROUTER, WRONG), 0)


@scenario.step("A capital letter in the router's password for one node")
def wrong(stage: Stage) -> None:
    """Whoever types it in gets no error, and no message of BGP tells one: the signatures differ,
    so each side's kernel drops what the other says before BGP has seen it. All that either bgpd
    knows is that nobody answers (Connect, Active). The kernels' counters tell why."""
    address = str(stage.plan.node(NODE).address)
    configure(stage, f"neighbor {address} password {PASSWORD.capitalize()}")
    is_out(stage, WRONG)
    stage.becomes(
        "the node's kernel drops what the router signs",
        lambda: observe.counted(stage, NODE, WRONG),
        at_least(1),
        within=BGP_SESSION,
    )
    stage.show(web.ROUTER, "vtysh -c 'show bgp summary'")
    stage.show(NODE, "vtysh -c 'show bgp summary'")
    stage.show(NODE, f"nstat -asz {WRONG}")
    web.is_answered(stage)


@scenario.step("No password for it")
def missing(stage: Stage) -> None:
    """Forgotten on one side it is the same from outside. Only the counter is another one: the
    segments are signed, and the router's kernel does not expect it."""
    configure(stage, f"no neighbor {stage.plan.node(NODE).address} password")
    is_out(stage, NONE)
    stage.show(web.ROUTER, f"nstat -asz {NONE}")
    web.is_answered(stage)


@scenario.step("With the right one the session comes up again")
def right(stage: Stage) -> None:
    """Both sides try again and again by themselves."""
    configure(stage, f"neighbor {stage.plan.node(NODE).address} password {PASSWORD}")
    web.is_announced_by(stage, "every node is a next hop again", observe.node_addresses(stage))
    web.is_answered(stage)


def configure(stage: Stage, line: str) -> None:
    """Change one line of the router's BGP configuration."""
    stage.show(web.ROUTER, f"vtysh -c 'configure terminal' -c 'router bgp 64512' -c '{line}'")


def is_out(stage: Stage, counter: str) -> None:
    """The router's kernel drops what the node says, and the node is no next hop any more."""
    address = str(stage.plan.node(NODE).address)
    stage.becomes(
        f"the router's kernel drops what the node says ({counter})",
        lambda: observe.counted(stage, web.ROUTER, counter),
        at_least(1),
        within=BGP_SESSION,
    )
    state = observe.neighbors(stage, web.ROUTER)[address].state
    stage.holds(f"the session with {NODE} is not up", state, other_than("Established"))
    left = observe.node_addresses(stage) - {address}
    web.is_announced_by(stage, "the other nodes are next hops", left)
