"""The article's lab, end to end: a service address, from BGP sessions down to single packets."""

from __future__ import annotations

from lab.scenario import observe, walk, web
from lab.scenario.bounds import ANNOUNCEMENT, BGP_SESSION, DATAPATH, POD_READY
from lab.scenario.reading import curl, ping
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import containing, nothing, something

VIP = "172.16.10.0"
ROUTER = "bgp-router1"
CLIENTS = ("client1", "client2", "client3")
WEB = "svc=web1-lb"
GET = f"curl -s -v http://{VIP}/ -o /dev/null"
SHORT_GET = f"curl -s http://{VIP}/ -o /dev/null {walk.TELL}"

scenario = Scenario("A LoadBalancer service announced by BGP and balanced by eBPF")


@scenario.step("Six neighbors, and nothing to announce")
def neighbors(stage: Stage) -> None:
    """bgp-router1 has one BGP session with every node of the cluster. There is no service yet:
    each session is up, and the column State/PfxRcd, the prefixes received, says 0."""
    stage.becomes(
        "every node's session is established",
        lambda: observe.established(stage, ROUTER),
        observe.node_addresses(stage),
        within=BGP_SESSION,
    )
    stage.show(ROUTER, "vtysh -c 'show bgp summary'")


@scenario.step("A service of type LoadBalancer")
def service(stage: Stage) -> None:
    """One pod with nginx, and a service in front of it. The pool 172.16.10.0/24 hands out its
    first address. It looks odd and is right: a /32 has no network address to spare."""
    stage.apply("web1.yaml")
    stage.becomes(
        "the pod is ready", lambda: len(observe.ready_pods(stage, WEB)), 1, within=POD_READY
    )
    stage.becomes(
        "curl on client1 gets an answer",
        lambda: observe.fetch(stage, "client1", f"http://{VIP}/").status,
        200,
        within=ANNOUNCEMENT,
    )
    stage.show(stage.control, "kubectl get svc")
    service = observe.services(stage)["web1-lb"]
    stage.holds("its external address is the pool's first", service.external, (VIP,))
    stage.holds("its port is 80", service.ports, (80,))


@scenario.step("Every node announces the address")
def announcement(stage: Stage) -> None:
    """Each node tells the router: 172.16.10.0/32 is here. The router installs one route with six
    next hops and spreads connections over them by a hash of addresses and ports."""
    stage.becomes(
        "the route has every node as a next hop",
        lambda: observe.next_hops(stage, ROUTER, VIP),
        observe.node_addresses(stage),
        within=ANNOUNCEMENT,
    )
    stage.show(ROUTER, "vtysh -c 'show bgp summary'")
    received = observe.prefixes_received(stage, ROUTER)
    stage.holds("each neighbor sent one prefix", set(received.values()), {1})
    stage.show(ROUTER, "ip route")


@scenario.step("The same map on every node")
def maps(stage: Stage) -> None:
    """An eBPF program on each node's uplink looks the address up in this map. Whichever node the
    router picks, it finds the pod: on itself, or on another node behind the overlay."""
    pod = observe.ready_pods(stage, WEB)[0]
    nodes = [node.name for node in stage.plan.kube_nodes]
    stage.becomes(
        f"every node maps {VIP}:80 to {pod.address}:80",
        lambda: observe.backends(stage, f"{VIP}:80"),
        {node: [f"{pod.address}:80"] for node in nodes},
        within=DATAPATH,
    )
    stage.show(nodes[0], "cilium bpf lb list")
    stage.becomes(
        "no node's map differs from this one",
        lambda: observe.nodes_that_differ(stage),
        nothing(),
        within=DATAPATH,
    )


@scenario.step("The router and every client get an answer")
def answers(stage: Stage) -> None:
    """curl on the router, then on each machine of the LAN: nginx's welcome page, 615 bytes."""
    response = curl.from_verbose(stage.show(ROUTER, GET).err)
    stage.holds(f"{ROUTER} is answered 200", response.status, 200)
    stage.holds("the answer has 615 bytes", response.length, 615)
    stage.holds("the server is nginx", response.server, containing("nginx"))
    for client in CLIENTS:
        answer = stage.show(client, SHORT_GET).out
        stage.holds(f"{client} is answered 200, too", answer[:3], "200")


@scenario.step("ping gets no answer")
def silence(stage: Stage) -> None:
    """The load balancer maps port 80 of the address and nothing else, and no interface has the
    address. Echo requests do reach one of the nodes, as a capture there shows; no reply leaves.
    Cilium 1.10 leaves such a packet to the node's routing, which sends it back to the router, and
    the router to the node, until its time to live has run out: that is what ping reports."""
    with stage.capture_all(f"icmp and dst host {VIP}") as captures:
        told = ping.parse(stage.show("client1", f"ping -c 2 -W 1 {VIP}").out)
    reached = [capture for capture in captures if capture.packets()]
    for capture in reached[:1]:
        stage.show_capture(capture, first=2)
    stage.holds("two requests were sent", told.sent, 2)
    stage.holds("no reply came", told.received, 0)
    stage.holds("a node received the requests", [c.node for c in reached], something())


@scenario.step("A node without the pod sends the connection on")
def cross_node(stage: Stage) -> None:
    """The router's hash leads this connection to a node that does not have the pod. The node
    makes the pod its destination and the node's own address in the pod network its source, and
    sends it through the overlay (VXLAN). Cilium 1.10 reports the packet before it rewrites the
    source and without knowing the direction, hence the client's address and `<>`."""
    pod = observe.ready_pods(stage, WEB)[0]
    path = walk.from_router(stage, ROUTER, VIP, walk.others(stage, pod), first_port=40000)
    sent_on = walk.flows(stage, path, path.ingress)
    stage.holds("the ingress node sends all kinds of packets on", walk.shapes(sent_on), INGRESS)
    stage.holds("it names the router as their source", walk.sources(sent_on), {path.client})
    arrived = walk.flows(stage, path, pod.node)
    stage.holds("the pod's node delivers them, and answers", walk.shapes(arrived), POD_NODE)
    snat = {f"{stage.plan.node(path.ingress).router_ip}:{path.port}"}
    stage.holds("the pod sees the ingress node, and the same port", walk.sources(arrived), snat)


@scenario.step("The pod's own node keeps the source address")
def local(stage: Stage) -> None:
    """One connection in six comes to the node that has the pod. Nothing has to be sent on, so
    nothing hides the client: the pod sees who really asks, and the answer goes straight back."""
    pod = observe.ready_pods(stage, WEB)[0]
    path = walk.from_router(stage, ROUTER, VIP, {pod.node}, first_port=41000)
    seen = walk.flows(stage, path, pod.node)
    stage.holds("the pod sees the router's own address", walk.sources(seen), {path.client})
    stage.holds("all packets went to the pod directly", {f.kind for f in seen}, {"to-endpoint"})
    web.was_asked_by(stage, pod, "nginx logs it too", path.client.partition(":")[0])
    stage.show(stage.control, f"kubectl logs {pod.name} --tail 2")


@scenario.step("No kube-proxy and no netfilter")
def nothing_else(stage: Stage) -> None:
    """All this was done by programs on the interfaces. On no node is there a netfilter rule that
    could have helped, nor a process of kube-proxy."""
    node = stage.plan.kube_nodes[0].name
    stage.show(node, "nft list ruleset")
    stage.show(node, "tc filter show dev eth0 ingress")
    stage.holds("no node has a netfilter rule", observe.filter_rules(stage), nothing())
    proxies = observe.nodes_running(stage, "kube-proxy")
    stage.holds("no node runs kube-proxy", proxies, nothing())


INGRESS = [
    "<> to-overlay FORWARDED (TCP Flags: SYN)",
    "<> to-overlay FORWARDED (TCP Flags: ACK)",
    "<> to-overlay FORWARDED (TCP Flags: ACK, PSH)",
    "<> to-overlay FORWARDED (TCP Flags: ACK, FIN)",
]
POD_NODE = [
    "-> to-endpoint FORWARDED (TCP Flags: SYN)",
    "<> to-overlay FORWARDED (TCP Flags: SYN, ACK)",
    "-> to-endpoint FORWARDED (TCP Flags: ACK)",
    "-> to-endpoint FORWARDED (TCP Flags: ACK, PSH)",
    "<> to-overlay FORWARDED (TCP Flags: ACK, PSH)",
    "-> to-endpoint FORWARDED (TCP Flags: ACK, FIN)",
    "<> to-overlay FORWARDED (TCP Flags: ACK, FIN)",
]
