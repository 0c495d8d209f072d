"""sessionAffinity ClientIP: one node, one client, one pod."""

from __future__ import annotations

from lab.scenario import observe, spread, web
from lab.scenario.bounds import DATAPATH, POD_LOG
from lab.scenario.reading import balancer
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import Wanted, at_least, containing

CONNECTIONS = 12
INGRESS = "k8s-worker5"

scenario = Scenario(
    "A node sends a client to the same pod again and again", manifests=(web.MANIFEST,)
)


@scenario.step("Without affinity every pod gets its turn")
def without(stage: Stage) -> None:
    """Three pods. All connections go in through one node, so that only its choice counts: Cilium
    1.10 chooses at random, for each connection anew."""
    web.scale(stage, 3)
    web.is_announced_by(stage, "every node is a next hop", observe.node_addresses(stage))
    used = pods_reached(stage, INGRESS, first_port=40000)
    stage.holds(f"{CONNECTIONS} connections reach several pods", len(used), at_least(2))


@scenario.step("With affinity one pod keeps the client")
def with_affinity(stage: Stage) -> None:
    """The node remembers the client's address and the pod it chose for it, for three hours unless
    the service says otherwise."""
    web.patch(stage, '"sessionAffinity": "ClientIP"')
    frontend = f"{web.ADDRESS}:80"
    stage.becomes(
        "the node's map says so",
        lambda: balancer.parse(observe.balancer_list(stage, INGRESS))[frontend].kind,
        containing("sessionAffinity"),
        within=DATAPATH,
    )
    stage.show(INGRESS, "cilium bpf lb list")
    used = pods_reached(stage, INGRESS, first_port=45000)
    stage.holds(f"{CONNECTIONS} connections reach one pod", len(used), 1)


def pods_reached(stage: Stage, ingress: str, *, first_port: int) -> set[str]:
    """Names of the pods that answer connections which the router sends in through one node."""
    before = {pod.name: len(web.clients_seen(stage, pod)) for pod in web.pods(stage)}
    address = str(stage.plan.node(ingress).address)
    port = first_port
    for _ in range(CONNECTIONS):
        port, _ = spread.local_port_towards(stage, web.ROUTER, web.ADDRESS, {address}, first=port)
        stage.run(web.ROUTER, f"curl -s --local-port {port} {web.URL} -o /dev/null")
        port += 1
    after = stage.becomes(
        "the pods log every connection",
        lambda: {pod.name: len(web.clients_seen(stage, pod)) for pod in web.pods(stage)},
        Wanted(
            f"{CONNECTIONS} more lines",
            lambda seen: sum(seen.values()) == sum(before.values()) + CONNECTIONS,
        ),
        within=POD_LOG,
    )
    return {name for name, count in after.items() if count > before.get(name, 0)}
