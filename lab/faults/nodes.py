"""Faults of nodes and of the processes on them."""

from __future__ import annotations

from dataclasses import replace

from lab.errors import InputError
from lab.faults.acts import Command, Request
from lab.faults.fault import Fault, always
from lab.sandbox.place import Place
from lab.topology.plan import NodeKind, PlannedNode


def node_crash(node: str) -> Fault:
    """Power off: everything on the node dies, nobody is told. Mended, it boots.

    Its neighbors hear of it no sooner than BFD or BGP's hold time says, or until the node that
    has booted refuses what they send on their old connections: as long as that, they believe it.
    """
    return Fault(
        f"{node} loses its power",
        Request("crash-node", {"node": node}).do,
        always(Request("boot-node", {"node": node})),
        alters=f"the power of {node}",
    )


def agent_kill(node: str) -> Fault:
    """SIGKILL for the node's agent, which does not come back until mended. Pods live on."""
    fault = _service(f"the agent of {node} is killed", f"agent@{node}")

    def strike(lab: Place) -> None:
        of_cluster(lab, node)
        fault.strike(lab)

    return replace(fault, strike=strike)


def api_server_kill() -> Fault:
    """SIGKILL for the API server, which does not come back until mended."""
    return _service("the API server is killed", "api-server")


def relay_kill() -> Fault:
    """SIGKILL for Hubble's relay, and no new pod for it until mended."""
    relay = "-n kube-system deployment hubble-relay --replicas"

    def strike(lab: Place) -> None:
        for line in (
            f"kubectl scale {relay} 0",
            "kubectl -n kube-system delete pods -l k8s-app=hubble-relay --grace-period 0 --force",
        ):
            Command(_control(lab), line).do(lab)

    return Fault(
        "Hubble's relay is killed",
        strike,
        lambda lab: [Command(_control(lab), f"kubectl scale {relay} 1")],
        alters="Hubble's relay",
    )


def frr_kill(node: str, daemon: str = "bgpd") -> Fault:
    """SIGKILL for a node's bgpd, bfdd or zebra; mended, it starts.

    The node's agent looks every half second whether bgpd is another one, and then tells it
    everything again: its sessions are not there yet when the mending is done.
    """

    def strike(lab: Place) -> None:
        _runs(lab, node, daemon)
        Command(node, f"sh -c 'kill -9 $(cat /run/frr/{daemon}.pid)'").do(lab)

    return Fault(
        f"{daemon} of {node} is killed",
        strike,
        always(Request("start-routing", {"node": node})),
        alters=f"the routing of {node}",
    )


def session_reset(router: str, neighbor: str) -> Fault:
    """A BGP session (NEIGHBOR: its address) is closed; both sides open it again by themselves."""

    def strike(lab: Place) -> None:
        _runs(lab, router, "bgpd")
        # vtysh ends with code 0 whatever bgpd says, and bgpd says something only to refuse.
        refused = lab.node(router).run(["vtysh", "-c", f"clear bgp {neighbor}"]).out.strip()
        if refused:
            raise InputError(
                f"{router} has no BGP session with {neighbor!r}: {refused}\n"
                f"  `lab vtysh {router} 'show bgp summary'` tells its neighbors' addresses"
            )

    return Fault(
        f"{router} resets its BGP session with {neighbor}",
        strike,
        always(),
        alters=f"the BGP session of {router} with {neighbor}",
    )


def of_cluster(lab: Place, node: str) -> PlannedNode:
    """A node with an agent and flow tables; InputError tells which those are."""
    lab.node(node)
    planned = lab.plan.node(node)
    if planned.router_ip is None:
        known = ", ".join(one.name for one in lab.plan.nodes if one.router_ip) or "none"
        raise InputError(f"{node} is no node of the cluster; those are: {known}")
    return planned


def _runs(lab: Place, node: str, daemon: str) -> None:
    """InputError unless FRR's daemon runs on the node."""
    lab.node(node)
    there = lab.plan.node(node).daemons
    if daemon not in there:
        known = ", ".join(there) or "none"
        raise InputError(f"{node} has no FRR daemon {daemon!r}; it has {known}")


def _service(words: str, name: str) -> Fault:
    return Fault(
        words,
        Request("stop-service", {"name": name, "hard": True}).do,
        always(Request("start-service", {"name": name})),
        alters=f"the service {name}",
    )


def _control(lab: Place) -> str:
    """Where kubectl runs; InputError in a lab without a cluster."""
    for kind in (NodeKind.CONTROL, NodeKind.MASTER):
        for node in lab.plan.nodes:
            if node.kind is kind:
                return node.name
    raise InputError(f"{lab.plan.name} has no cluster")
