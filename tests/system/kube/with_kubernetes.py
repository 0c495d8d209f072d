"""The story of `story.py`, told with the official client. Runs on the lab's management node."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from kubernetes import client, config, watch
from kubernetes.stream import stream

from tests.system.kube import story


def tell(namespace: str) -> story.Seen:
    config.load_kube_config()
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    core.create_namespace({"metadata": {"name": namespace}})
    apps.create_namespaced_deployment(namespace, story.deployment())
    core.create_namespaced_service(namespace, story.service())
    for event in watch.Watch().stream(apps.list_namespaced_deployment, namespace):
        if event["object"].status.ready_replicas == story.REPLICAS:
            break
    for event in watch.Watch().stream(core.list_namespaced_service, namespace):
        if event["object"].status.load_balancer.ingress:
            address = event["object"].status.load_balancer.ingress[0].ip
            break
    pods = core.list_namespaced_pod(namespace, label_selector="app=web").items
    name = pods[0].metadata.name
    command = ["sh", "-c", "echo $HOSTNAME"]
    said = stream(
        core.connect_get_namespaced_pod_exec, name, namespace, command=command, stdout=True
    )
    seen: story.Seen = {
        "address": address,
        "nodes": sorted(pod.spec.node_name for pod in pods),
        "log": "kube-probe" in core.read_namespaced_pod_log(name, namespace),
        "exec": said.strip() == name,
        "refusals": refusals(core, namespace),
    }
    scale = {"spec": {"replicas": 1}}
    seen["scaled"] = apps.patch_namespaced_deployment_scale("web", namespace, scale).spec.replicas
    custom = client.CustomObjectsApi()
    place = ("cilium.io", "v2", "ciliumloadbalancerippools")
    made = custom.create_cluster_custom_object(*place, story.pool(namespace))
    seen["pool"] = made["spec"]["blocks"]
    custom.delete_cluster_custom_object(*place, namespace)
    core.delete_namespace(namespace)
    return seen


def refusals(core: Any, namespace: str) -> list[int]:
    """Codes of what the server must refuse: not found, there already, stale, invalid."""
    made = core.create_namespaced_config_map(namespace, story.config_map())
    core.patch_namespaced_config_map("settings", namespace, {"data": {"a": "2"}})
    attempts: list[Callable[[], Any]] = [
        lambda: core.read_namespaced_config_map("nobody", namespace),
        lambda: core.create_namespaced_config_map(namespace, story.config_map()),
        lambda: core.replace_namespaced_config_map("settings", namespace, made),
        lambda: core.create_namespaced_service(namespace, story.service(port=70000)),
    ]
    codes = []
    for attempt in attempts:
        try:
            attempt()
        except client.ApiException as error:
            codes.append(error.status)
    return codes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tell(sys.argv[1])))
