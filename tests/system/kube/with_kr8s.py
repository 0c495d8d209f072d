"""The story of `story.py`, told with kr8s. Runs on the lab's management node."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import kr8s
from kr8s.objects import ConfigMap, Deployment, Namespace, Pod, Service, new_class

from tests.system.kube import story

Pool = new_class("CiliumLoadBalancerIPPool", version="cilium.io/v2", namespaced=False)


def tell(namespace: str) -> story.Seen:
    Namespace({"metadata": {"name": namespace}}).create()
    api = kr8s.api(namespace=namespace)
    web = Deployment(story.deployment(), namespace=namespace)
    web.create()
    service = Service(story.service(), namespace=namespace)
    service.create()
    web.wait("condition=Available")
    for _, found in api.watch("services", namespace=namespace):
        ingress = found.status.get("loadBalancer", {}).get("ingress")
        if ingress:
            address = ingress[0]["ip"]
            break
    pods = list(api.get("pods", namespace=namespace, label_selector="app=web"))
    pod = pods[0]
    assert isinstance(pod, Pod)
    said = pod.exec(["sh", "-c", "echo $HOSTNAME"])
    seen: story.Seen = {
        "address": address,
        "nodes": sorted(str(each.spec.nodeName) for each in pods),
        "log": any("kube-probe" in line for line in pod.logs()),
        "exec": said.stdout.decode().strip() == pod.name,
        "refusals": refusals(namespace),
    }
    web.scale(1)
    seen["scaled"] = web.replicas
    pool = Pool(story.pool(namespace))
    pool.create()
    seen["pool"] = pool.raw["spec"]["blocks"]
    pool.delete()
    Namespace.get(namespace).delete()
    return seen


def refusals(namespace: str) -> list[int]:
    """Codes of what the server must refuse: not found, there already, stale, invalid."""
    settings = ConfigMap(story.config_map(), namespace=namespace)
    settings.create()
    stale = str(settings.metadata.resourceVersion)
    settings.patch({"data": {"a": "2"}})
    attempts: list[Callable[[], object]] = [
        lambda: ConfigMap({"metadata": {"name": "nobody"}}, namespace=namespace).refresh(),
        lambda: ConfigMap(story.config_map(), namespace=namespace).create(),
        lambda: settings.patch({"metadata": {"resourceVersion": stale}, "data": {"a": "3"}}),
        lambda: Service(story.service(port=70000), namespace=namespace).create(),
    ]
    codes = []
    for attempt in attempts:
        try:
            attempt()
        except kr8s.NotFoundError:
            codes.append(404)
        except kr8s.ServerError as error:
            assert error.response is not None
            codes.append(error.response.status_code)
    return codes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tell(sys.argv[1])))
