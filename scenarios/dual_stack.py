"""IPv6 beside IPv4: one service, an address of each family, the same way through the lab."""

from __future__ import annotations

from contextlib import ExitStack

from lab.faults.nodes import node_crash
from lab.scenario import families, observe, walk, web
from lab.scenario.bounds import DATAPATH
from lab.scenario.load.loaded import loaded
from lab.scenario.reading import curl
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import at_most, between

VIP, VIP6 = "172.16.10.0", "2001:db8:172::"
VIPS = (VIP, VIP6)
CLIENTS = ("client1", "client2", "client3")
CONNECTIONS = 40
SOON = at_most(3.0)
"""Seconds; BGP alone would need its hold time of 90."""

scenario = Scenario(
    "One service, two address families",
    topology="dual_stack",
    options={"bfd": "3x200"},
    manifests=("dual_stack.yaml",),
)


@scenario.step("A service asks for both families")
def service(stage: Stage) -> None:
    """ipFamilyPolicy RequireDualStack: the service gets a cluster address of each family, the
    pools give it an external one of each, and its pods are listed twice, in an EndpointSlice a
    family. A slice has addresses of one kind only."""
    web.is_answered(stage, url=families.url(VIP6))
    stage.show(stage.control, "kubectl get service web1-lb")
    found = observe.services(stage)[web.SERVICE]
    stage.holds("it has the first address of each pool", found.external, VIPS)
    stage.show(stage.control, "kubectl get endpointslices -l kubernetes.io/service-name=web1-lb")
    (pod,) = web.pods(stage)
    stage.show(stage.control, f"kubectl get pod {pod.name} -o jsonpath={{.status.podIPs}}")


@scenario.step("A session for each family, a route for each address")
def announcement(stage: Stage) -> None:
    """Every node has two sessions with the router: IPv4 routes go over one, IPv6 routes over the
    other, with the node's own address of that family as the next hop. The tunnel between the
    nodes stays one of IPv4, whatever is in it."""
    for vip in VIPS:
        nodes = observe.node_addresses(stage, like=vip)
        web.is_announced_by(stage, f"every node is a next hop for {vip}", nodes, vip=vip)
    stage.show(web.ROUTER, "vtysh -c 'show bgp ipv6 unicast summary'")
    stage.show(web.ROUTER, f"ip -6 route show {VIP6}")


@scenario.step("The same map, with longer addresses")
def maps(stage: Stage) -> None:
    """cilium_lb6_services_v2 and its sisters have the IPv6 half. The programs are the same ones:
    only the size of an address differs."""
    (pod,) = web.pods(stage)
    stage.show(pod.node, "cilium bpf lb list")
    six = pod_address6(stage, pod.name)
    nodes = [node.name for node in stage.plan.kube_nodes]
    stage.becomes(
        f"every node maps [{VIP6}]:80 to [{six}]:80",
        lambda: observe.backends(stage, f"[{VIP6}]:80"),
        {node: [f"[{six}]:80"] for node in nodes},
        within=DATAPATH,
    )


@scenario.step("Every client is answered on both")
def answers(stage: Stage) -> None:
    """The welcome page is the same 615 bytes."""
    for client in CLIENTS:
        for vip in VIPS:
            line = f"curl -s {families.url(vip)} -o /dev/null {walk.TELL}"
            told = stage.show(client, line).out.strip()
            stage.holds(f"{client} is answered on {vip}", told, "200, 615 bytes")


@scenario.step("IPv6 connections spread over the nodes as well")
def spread(stage: Stage) -> None:
    """The router hashes addresses and ports, for IPv6 by a setting of its own. Each client opens
    40 connections; one in six is a node's fair share, 20 of 120."""
    policy = stage.show(web.ROUTER, "sysctl net.ipv6.fib_multipath_hash_policy")
    stage.holds("the hash looks at ports", policy.out.split()[-1], "1")
    # tcpdump knows TCP's fields over IPv4 only: byte 13 of a header that follows 40 others.
    first_packets = f"dst host {VIP6} and ip6 proto 6 and ip6[53] & 0x12 == 0x02"
    with stage.capture_all(first_packets) as captures:
        for client in CLIENTS:
            line = curl.repeated(families.url(VIP6), CONNECTIONS)
            done = curl.transfers(stage.run(client, line, timeout=60).out)
            answered = sum(transfer.status == 200 for transfer in done)
            stage.holds(f"all connections of {client} are answered 200", answered, CONNECTIONS)
    total = CONNECTIONS * len(CLIENTS)
    share = {capture.node: len(capture.packets()) for capture in captures}
    stage.holds("the nodes together saw every connection once", sum(share.values()), total)
    for node, count in share.items():
        stage.holds(f"{node} got {count} of 120", count, between(2, 45))


@scenario.step("A remote and a local backend")
def ways(stage: Stage) -> None:
    """A node without the pod sends the connection through the overlay and puts its own address
    in the pod network in; the pod's own node has nothing to hide. Each as with IPv4."""
    (pod,) = web.pods(stage)
    path = walk.from_router(stage, web.ROUTER, VIP6, walk.others(stage, pod), first_port=40000)
    sent_on = walk.flows(stage, path, path.ingress)
    stage.holds("the ingress node sends it on", {flow.kind for flow in sent_on}, {"to-overlay"})
    stage.holds("with the router as its source", walk.sources(sent_on), {path.client})
    ingress = families.router_ip_of(stage.plan.node(path.ingress), VIP6)
    web.was_asked_by(stage, pod, "nginx saw the ingress node", ingress)
    walk.from_router(stage, web.ROUTER, VIP6, {pod.node}, first_port=41000)
    router = families.peer_of(stage, VIP6)
    web.was_asked_by(stage, pod, "now nginx saw the router", router)


@scenario.step("externalTrafficPolicy Local keeps every client's address")
def local(stage: Stage) -> None:
    """The policy is the service's, so it holds for both addresses: only the pod's node announces
    them, and no packet's source is touched."""
    web.patch(stage, '"externalTrafficPolicy": "Local"')
    for vip in VIPS:
        nodes = web.nodes_with_pods(stage, like=vip)
        web.is_announced_by(stage, f"only the pod's node is one for {vip}", nodes, vip=vip)
    (pod,) = web.pods(stage)
    for client in CLIENTS:
        for vip in VIPS:
            web.is_answered(stage, client, url=families.url(vip))
            address = families.address_of(stage.plan.node(client), vip)
            web.was_asked_by(stage, pod, f"nginx saw {client} on {vip}", address)
    stage.show(stage.control, f"kubectl logs {pod.name} --tail 6")
    web.patch(stage, '"externalTrafficPolicy": "Cluster"')


@scenario.step("A node dies, and both routes lose it")
def crash(stage: Stage) -> None:
    """BFD watches each session. The dead node's share of both families' connections is lost until
    the router has noticed, and no longer."""
    (pod,) = web.pods(stage)
    victim = next(n for n in reversed(stage.plan.kube_nodes) if n.name != pod.node)
    every = {vip: observe.node_addresses(stage, like=vip) for vip in VIPS}
    for vip in VIPS:
        web.is_announced_by(stage, f"every node is a next hop for {vip}", every[vip], vip=vip)
    with ExitStack() as running:
        loads = {vip: running.enter_context(loaded(stage.lab, vip)) for vip in VIPS}
        with stage.fault(node_crash(victim.name)) as moment:
            for vip in VIPS:
                left = every[vip] - {families.address_of(victim, vip)}
                web.is_announced_by(stage, f"the dead node is none for {vip}", left, vip=vip)
            for vip, load in loads.items():
                load.until_steady(50)
                cost = load.cost(moment)
                stage.say(f"The load on {vip}: {cost}.")
                after = cost.recovered_after
                stage.holds(f"seconds until the last failure on {vip}", after, SOON)
        for vip in VIPS:
            web.is_announced_by(stage, f"it is one again for {vip}", every[vip], vip=vip)
    for vip in VIPS:
        web.is_answered(stage, url=families.url(vip))


def pod_address6(stage: Stage, pod: str) -> str:
    """The second of the addresses that a pod's status tells."""
    told = stage.run(stage.control, f"kubectl get pod {pod} -o json").json()
    return str(told["status"]["podIPs"][1]["ip"])
