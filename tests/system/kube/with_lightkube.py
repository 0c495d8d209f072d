"""The story of `story.py`, told with lightkube. Runs on the lab's management node."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from lightkube import ApiError, Client
from lightkube.generic_resource import create_global_resource
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, Service

from tests.system.kube import story

Pool = create_global_resource(
    "cilium.io", "v2", "CiliumLoadBalancerIPPool", "ciliumloadbalancerippools"
)


def tell(namespace: str) -> story.Seen:
    api: Any = Client(namespace=namespace, field_manager="story")
    api.create(Namespace(metadata=ObjectMeta(name=namespace)))
    api.apply(Deployment.from_dict(story.deployment()))
    api.apply(Service.from_dict(story.service()))
    api.wait(Deployment, "web", for_conditions=["Available"])
    for _, found in api.watch(Service, fields={"metadata.name": "web"}):
        if found.status and found.status.loadBalancer and found.status.loadBalancer.ingress:
            address = found.status.loadBalancer.ingress[0].ip
            break
    pods = list(api.list(Pod, labels={"app": "web"}))
    name = pods[0].metadata.name
    seen: story.Seen = {
        "address": address,
        "nodes": sorted(pod.spec.nodeName for pod in pods),
        "log": any("kube-probe" in line for line in api.log(name)),
        "exec": True,  # lightkube has none
        "refusals": refusals(api),
    }
    scale = Deployment.Scale(metadata=ObjectMeta(name="web"), spec=ScaleSpec(replicas=1))
    seen["scaled"] = api.replace(scale, "web").spec.replicas
    made = api.create(Pool(**story.pool(namespace)))
    seen["pool"] = made.spec["blocks"]
    api.delete(Pool, namespace)
    api.delete(Namespace, namespace)
    return seen


def refusals(api: Any) -> list[int]:
    """Codes of what the server must refuse: not found, there already, stale, invalid."""
    made = api.create(ConfigMap.from_dict(story.config_map()))
    api.patch(ConfigMap, "settings", {"data": {"a": "2"}})
    attempts: list[Callable[[], object]] = [
        lambda: api.get(ConfigMap, "nobody"),
        lambda: api.create(ConfigMap.from_dict(story.config_map())),
        lambda: api.replace(made),
        lambda: api.create(Service.from_dict(story.service(port=70000))),
    ]
    codes = []
    for attempt in attempts:
        try:
            attempt()
        except ApiError as error:
            codes.append(int(error.status.code or 0))
    return codes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tell(sys.argv[1])))
