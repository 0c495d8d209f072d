"""One table of what single fields of built-in kinds are by default and may be.

By definition and field, in the words of OpenAPI: `default`, `enum`, and `format` for what one of
FORMATS below checks. A definition has its rules wherever it is used: a pod's container and a
template's are one.
Values from Kubernetes' API reference and pkg/apis/*/v1/defaults.go, messages from its validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from lab.kube import names
from lab.kube.rules.ip_families import FAMILIES, POLICIES
from lab.kube.status import Cause

Schema = dict[str, Any]

_PROTOCOL = {"default": "TCP", "enum": ["SCTP", "TCP", "UDP"]}
_TRAFFIC = {"enum": ["Cluster", "Local"]}
_EFFECT = {"enum": ["NoExecute", "NoSchedule", "PreferNoSchedule"]}
_SETS = ["DoesNotExist", "Exists", "In", "NotIn"]
_COUNT = {"format": "k8s-count"}
_PORT = {"format": "k8s-port"}
_TARGET = {"format": "k8s-port-or-name"}

FIELDS: Mapping[str, Schema] = {
    "Namespace.spec": {"default": {}},
    "NamespaceSpec.finalizers": {"default": ["kubernetes"]},
    "Node.spec": {"default": {}},
    "Taint.effect": _EFFECT,
    "ObjectMeta.labels": {"format": "k8s-labels"},
    "ObjectMeta.annotations": {"format": "k8s-annotations"},
    "LabelSelectorRequirement.operator": {"enum": _SETS},
    "NodeSelectorRequirement.operator": {"enum": [*_SETS, "Gt", "Lt"]},
    "Service.spec": {"default": {}},
    "ServiceSpec.type": {
        "default": "ClusterIP",
        "enum": ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    },
    "ServiceSpec.ipFamilyPolicy": {"enum": list(POLICIES)},
    "ServiceSpec.ipFamilies": {"items": {"type": "string", "enum": list(FAMILIES)}},
    "ServiceSpec.sessionAffinity": {"default": "None", "enum": ["ClientIP", "None"]},
    "ServiceSpec.externalTrafficPolicy": _TRAFFIC,
    "ServiceSpec.internalTrafficPolicy": _TRAFFIC,
    "ServiceSpec.externalIPs": {"items": {"type": "string", "format": "k8s-outside-ip"}},
    "ServiceSpec.loadBalancerIP": {"format": "k8s-ip"},
    "ServiceSpec.loadBalancerSourceRanges": {"items": {"type": "string", "format": "k8s-cidr"}},
    "ClientIPConfig.timeoutSeconds": {"format": "k8s-affinity-seconds"},
    "ServiceSpec.selector": {"format": "k8s-labels"},
    "ServicePort.protocol": _PROTOCOL,
    "ServicePort.port": _PORT,
    "ServicePort.targetPort": _TARGET,
    "EndpointPort.protocol": _PROTOCOL,
    "EndpointPort.port": _PORT,
    "EndpointAddress.ip": {"format": "k8s-ip"},
    "EndpointSlice.addressType": {"enum": ["FQDN", "IPv4", "IPv6"]},
    "LoadBalancerIngress.ip": {"format": "k8s-ip"},
    "Pod.spec": {"default": {}},
    "PodSpec.restartPolicy": {"default": "Always", "enum": ["Always", "OnFailure", "Never"]},
    "PodSpec.dnsPolicy": {"default": "ClusterFirst"},
    "PodSpec.schedulerName": {"default": "default-scheduler"},
    "PodSpec.securityContext": {"default": {}},
    "PodSpec.terminationGracePeriodSeconds": {"default": 30, **_COUNT},
    "PodSpec.enableServiceLinks": {"default": True},
    "Toleration.effect": _EFFECT,
    "Toleration.operator": {"enum": ["Equal", "Exists"]},
    "Container.name": {"format": "k8s-dns-label"},
    "Container.resources": {"default": {}},
    "Container.terminationMessagePath": {"default": "/dev/termination-log"},
    "Container.terminationMessagePolicy": {"default": "File"},
    "ContainerPort.protocol": _PROTOCOL,
    "ContainerPort.containerPort": _PORT,
    "Probe.timeoutSeconds": {"default": 1},
    "Probe.periodSeconds": {"default": 10},
    "Probe.successThreshold": {"default": 1},
    "Probe.failureThreshold": {"default": 3},
    "HTTPGetAction.scheme": {"default": "HTTP"},
    "HTTPGetAction.path": {"default": "/"},
    "HTTPGetAction.port": _TARGET,
    "TCPSocketAction.port": _TARGET,
    "PodTemplateSpec.metadata": {"default": {}},
    "PodTemplateSpec.spec": {"default": {}},
    "ReplicaSet.spec": {"default": {}},
    "ReplicaSetSpec.replicas": {"default": 1, **_COUNT},
    "Deployment.spec": {"default": {}},
    "DeploymentSpec.replicas": {"default": 1, **_COUNT},
    "DeploymentSpec.revisionHistoryLimit": {"default": 10, **_COUNT},
    "DeploymentSpec.progressDeadlineSeconds": {"default": 600, **_COUNT},
    "DeploymentSpec.strategy": {"default": {}},
    "DeploymentStrategy.type": {"default": "RollingUpdate", "enum": ["Recreate", "RollingUpdate"]},
    "Secret.type": {"default": "Opaque"},
    "CustomResourceDefinitionSpec.conversion": {"default": {"strategy": "None"}},
    "CustomResourceDefinitionSpec.scope": {"enum": ["Cluster", "Namespaced"]},
}

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")


def _dns_label(path: str, value: str) -> Iterator[Cause]:
    if not names.LABEL.fullmatch(value):
        yield Cause.invalid(path, value, names.LABEL_RULE)


def _count(path: str, value: int) -> Iterator[Cause]:
    if not 0 <= value < 2**31:
        yield Cause.invalid(path, value, "must be greater than or equal to 0")


def _port(path: str, value: int | str) -> Iterator[Cause]:
    if isinstance(value, int) and not 1 <= value <= 65535:
        yield Cause.invalid(path, value, "must be between 1 and 65535, inclusive")
    if isinstance(value, str) and not _PORT_NAME.fullmatch(value):
        text = "must contain only alpha-numeric characters (a-z, 0-9)"
        yield Cause.invalid(path, value, text)


def _ip(path: str, value: str) -> Iterator[Cause]:
    try:
        ip_address(value or "::")  # an empty one is none
    except ValueError:
        text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield Cause.invalid(path, value, text)


_NOT_OUTSIDE = {
    "is_unspecified": "may not be unspecified",
    "is_loopback": "may not be in the loopback range (127.0.0.0/8, ::1/128)",
    "is_link_local": "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
}


def _outside_ip(path: str, value: str) -> Iterator[Cause]:
    problems = list(_ip(path, value))
    if problems:
        yield from problems
        return
    address = ip_address(value or "::")
    for what, text in _NOT_OUTSIDE.items():
        if getattr(address, what):
            yield Cause.invalid(path, value, text)


def _cidr(path: str, value: str) -> Iterator[Cause]:
    # Spaces around it were allowed when ranges were an annotation, and are since.
    address, slash, length = value.strip().partition("/")
    try:
        ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        slash = ""
    if not slash:
        text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        yield Cause.invalid(path, value, text)


def _affinity_seconds(path: str, value: int) -> Iterator[Cause]:
    if not 0 < value <= 86400:
        yield Cause.invalid(path, value, "must be greater than 0 and less than 86400")


def _labels(path: str, labels: Mapping[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        if not names.LABEL_KEY.fullmatch(key):
            yield Cause.invalid(path, key, "name part must be a qualified name")
        if not names.LABEL_VALUE.fullmatch(value):
            text = "a valid label must be an empty string or consist of alphanumeric characters"
            yield Cause.invalid(path, value, text)


def _annotations(path: str, annotations: Mapping[str, str]) -> Iterator[Cause]:
    for key in annotations:
        if not names.LABEL_KEY.fullmatch(key.lower()):
            yield Cause.invalid(path, key, "name part must be a qualified name")


FORMATS: Mapping[str, Callable[[str, Any], Iterator[Cause]]] = {
    "k8s-dns-label": _dns_label,
    "k8s-count": _count,
    "k8s-port": _port,
    "k8s-port-or-name": _port,
    "k8s-ip": _ip,
    "k8s-outside-ip": _outside_ip,
    "k8s-cidr": _cidr,
    "k8s-affinity-seconds": _affinity_seconds,
    "k8s-labels": _labels,
    "k8s-annotations": _annotations,
}
"""Our own formats: path and value (of the right type) -> what is wrong with it."""
