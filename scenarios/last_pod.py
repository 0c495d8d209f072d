"""The last pod of a service has to go: it serves to the end, and ends what it has begun."""

from __future__ import annotations

from lab.scenario import large, observe, web
from lab.scenario.bounds import DATAPATH, POD_GONE
from lab.scenario.reading.cluster import Pod
from lab.scenario.stage import Stage
from lab.scenario.story import Scenario
from lab.scenario.wanted import nothing

SIZE = 40_000_000
"""Bytes. More than the sockets on the way can hold: what is left comes through the datapath."""
DOWNLOAD = (
    "curl -s --limit-rate 10M -o /dev/null -w '%{http_code} %{size_download}\\n' "
    f"'{web.URL}download'"
)
FRONTEND = f"{web.ADDRESS}:80/TCP"
SERVING = (
    "kubectl get endpointslices -l kubernetes.io/service-name=web1-lb "
    "-o jsonpath='{.items[*].endpoints[*].conditions}'"
)

scenario = Scenario(
    "Terminating, and in service",
    profile="modern",
    manifests=("last_pod.yaml",),
)


@scenario.step("A pod that has to go, and a download that is not over")
def going(stage: Stage) -> None:
    """The pod is told to stop when its preStop hook is over, which waits for a file here. Till then
    it answers its readiness probe: its endpoint is not ready any more, but `serving` and
    `terminating`. Such an endpoint gets no new connections while there is any other; here is none,
    so it gets them: better a pod that will soon be gone than nobody."""
    web.is_answered(stage)
    (pod,) = web.pods(stage)
    large.in_pod(stage, f"sh -c 'head -c {SIZE} /dev/zero > /usr/share/nginx/html/download'")
    with stage.spawn(web.CLIENT, DOWNLOAD) as download:
        stage.show(stage.control, f"kubectl scale deployment {web.DEPLOYMENT} --replicas 0")
        serves_while_it_ends(stage, pod)
        stage.holds("the download is complete", download.to_the_end(), [f"200 {SIZE}"])
    stage.show(stage.control, f"kubectl exec {pod.name} -- touch /tmp/released")


def serves_while_it_ends(stage: Stage, pod: Pod) -> None:
    stage.becomes("the pod has to go", lambda: terminating(stage), True, within=DATAPATH)
    stage.becomes(
        "its endpoint serves, and terminates",
        lambda: stage.run(stage.control, SERVING).json(),
        {"ready": False, "serving": True, "terminating": True},
        within=DATAPATH,
    )
    stage.show(stage.control, "kubectl get pods")
    wanted = {node.name: [f"{pod.address}:80/TCP"] for node in stage.plan.kube_nodes}
    stage.holds("every node balances to it still", observe.backends(stage, FRONTEND), wanted)
    for client in ("client1", "client2", "client3"):
        status = observe.fetch(stage, client, web.URL, timeout=2).status
        stage.holds(f"{client} is answered on a new connection", status, 200)


def terminating(stage: Stage) -> bool:
    return [pod.terminating for pod in observe.pods(stage, web.SELECTOR)] == [True]


@scenario.step("Gone at last")
def gone(stage: Stage) -> None:
    """With the pod's end its endpoint is gone, and the service has nobody: the node that is asked
    says so."""
    stage.becomes(
        "pods that are left",
        lambda: len(observe.pods(stage, web.SELECTOR)),
        0,
        within=POD_GONE,
    )
    stage.becomes(
        "nodes that balance to a pod still",
        lambda: [node for node, found in observe.backends(stage, FRONTEND).items() if found],
        nothing(),
        within=DATAPATH,
    )
    tried = stage.show(web.CLIENT, f"curl -s -S -m 1 {web.URL}")
    stage.holds("curl fails to connect, at once", tried.code, 7)
