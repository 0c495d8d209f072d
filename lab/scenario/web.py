"""The web service that most stories are about, and what they do to it again and again."""

from __future__ import annotations

from lab.scenario import families, observe
from lab.scenario.bounds import ANNOUNCEMENT, POD_GONE, POD_LOG, POD_READY, WITHDRAWAL
from lab.scenario.reading.cluster import Pod
from lab.scenario.stage import Stage

MANIFEST = "web1.yaml"
SERVICE = "web1-lb"
DEPLOYMENT = "web1"
SELECTOR = "svc=web1-lb"
ADDRESS = "172.16.10.0"
URL = f"http://{ADDRESS}/"
ROUTER = "bgp-router1"
CLIENT = "client1"
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
"""The label of nodes that shall not announce anything."""
ONE_TRY = 0.5
"""Seconds of one request out of many: a first segment that nobody answers, because the route is
not there yet, is sent again after a whole second only."""


def pods(stage: Stage) -> list[Pod]:
    """The pods that take part in the service, by name."""
    return sorted(observe.ready_pods(stage, SELECTOR), key=lambda pod: pod.name)


def nodes_with_pods(stage: Stage, *, like: str = ADDRESS) -> set[str]:
    """Addresses of the nodes that host a ready pod of the service, of a VIP's family."""
    return {families.address_of(stage.plan.node(pod.node), like) for pod in pods(stage)}


def is_answered(stage: Stage, client: str = CLIENT, *, url: str = URL) -> None:
    """The client gets 200, at the latest when an announcement has had the time to spread."""
    stage.becomes(
        f"{client} is answered 200",
        lambda: observe.fetch(stage, client, url, timeout=ONE_TRY).status,
        200,
        within=ANNOUNCEMENT,
        look=f"`curl -v {url}` on {client}, `ip route` on {ROUTER}, `hubble observe` on the nodes",
    )


def is_announced_by(stage: Stage, what: str, addresses: set[str], *, vip: str = ADDRESS) -> None:
    """The router's route has exactly these next hops; with none there is no route at all."""
    stage.becomes(
        what,
        lambda: observe.next_hops(stage, ROUTER, vip),
        addresses,
        within=ANNOUNCEMENT if addresses else WITHDRAWAL,
        look=f"`vtysh -c 'show bgp ipv4 unicast'` on {ROUTER}, and the nodes' agent.log",
    )


def is_announced_by_all_still(stage: Stage) -> None:
    """Whatever has happened, the router's route has every node as a next hop."""
    hops = observe.next_hops(stage, ROUTER, ADDRESS)
    stage.holds("every node is a next hop still", hops, observe.node_addresses(stage))


def peer(stage: Stage) -> str:
    """The router's address in the nodes' network, which they peer with."""
    return str(stage.plan.node(ROUTER).interfaces[0].address.ip)


def scale(stage: Stage, replicas: int) -> list[Pod]:
    """Change the number of pods; returns them once they are ready, and others have gone."""
    stage.show(stage.control, f"kubectl scale deployment {DEPLOYMENT} --replicas {replicas}")
    within = POD_READY if replicas else POD_GONE
    plural = "" if replicas == 1 else "s"
    stage.becomes(
        f"the service has {replicas or 'no'} ready pod{plural}",
        lambda: len(pods(stage)),
        replicas,
        within=within,
    )
    return pods(stage)


def patch(stage: Stage, spec: str, *, service: str = SERVICE) -> None:
    """Change the service's spec by a JSON merge patch, such as '"sessionAffinity": "ClientIP"'."""
    change = '\'{"spec": {' + spec + "}}'"
    done = stage.show(stage.control, f"kubectl patch service {service} -p {change}")
    stage.holds("the API server takes the change", done.code, 0)


def was_asked_by(stage: Stage, pod: Pod, what: str, address: str) -> None:
    """The last request that nginx in the pod logs came from this address."""
    stage.becomes(what, lambda: clients_seen(stage, pod)[-1:], [address], within=POD_LOG)


def clients_seen(stage: Stage, pod: Pod, *, last: int = 200) -> list[str]:
    """Addresses that nginx in the pod answered, oldest first; the kubelet's probes are left out."""
    lines = stage.run(stage.control, f"kubectl logs {pod.name} --tail {last}").out.splitlines()
    return [line.split()[0] for line in lines if "kube-probe" not in line and '"GET ' in line]
