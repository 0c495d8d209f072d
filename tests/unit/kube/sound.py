"""Good objects, for tests that damage them."""

from __future__ import annotations

from typing import Any

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
POOLS = "/apis/cilium.io/v2/ciliumloadbalancerippools"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"

SERVICE: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
}


DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {"a": "b"}, "annotations": {"x": "y"},
                 "finalizers": ["lab/x"], "ownerReferences": [{"apiVersion": "v1", "kind": "Pod",
                                                               "name": "p", "uid": "u"}]},
    "spec": {
        "replicas": 2,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "selector": {"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "app", "operator": "In", "values": ["web"]}]},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
            "tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {"a": "b"},
            "containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}],
                            "env": [{"name": "A", "value": "b"}]}]}},
    },
}  # fmt: skip
POOL: dict[str, Any] = {
    "metadata": {"name": "blue"},
    "spec": {"blocks": [{"cidr": "10.0.0.0/24"}, {"start": "10.1.0.1", "stop": "10.1.0.9"}],
             "serviceSelector": {"matchLabels": {"a": "b"}}, "disabled": False},
}  # fmt: skip
DEFINITION: dict[str, Any] = {
    "metadata": {"name": "gadgets.lab.example"},
    "spec": {"group": "lab.example", "scope": "Namespaced",
             "names": {"kind": "Gadget", "plural": "gadgets", "shortNames": ["gg"]},
             "versions": [{"name": "v1", "served": True, "storage": True,
                           "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                               "spec": {"type": "object", "required": ["size"], "properties": {
                                   "size": {"type": "integer", "minimum": 1},
                                   "tags": {"type": "array", "items": {"type": "string"}}}}}}},
                           "additionalPrinterColumns": [
                               {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]}]},
}  # fmt: skip
