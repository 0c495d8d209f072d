"""Endpoints as cards of the service map: which flows' ends belong to one card, and its name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lab.hubble.api import flow_pb2
from lab.hubble.identity import RESERVED
from lab.hubble.metrics.context import app_of

UNKNOWN_APP = "Unknown App"
DNS_PORT, DNS_APP = 53, "kube-dns"
_NAMESPACE = "k8s:io.kubernetes.pod.namespace="
PROMETHEUS_APPS = frozenset({"prometheus", "prometheus-server"})


@dataclass(frozen=True)
class Card:
    """One card. `kind` is "app" or a reserved name such as "host", "world", "remote-node"."""

    id: str
    title: str
    kind: str
    namespace: str = ""
    identity: int = 0
    labels: tuple[str, ...] = ()
    workload: str = ""

    @property
    def hidden_by(self) -> str:
        """The entry of the Visual menu that can hide it; empty when none does."""
        if self.kind in ("host", "remote-node"):
            return self.kind
        return "prometheus" if self.title in PROMETHEUS_APPS else ""


def card_of(endpoint: flow_pb2.Endpoint) -> Card:
    """The card of one end: all pods of an application, or a reserved identity as a whole."""
    return _card(endpoint.SerializeToString())


@lru_cache(maxsize=4096)
def _card(packed: bytes) -> Card:
    """The card of a serialized endpoint: a few endpoints make all the flows."""
    endpoint = flow_pb2.Endpoint.FromString(packed)
    if not endpoint.namespace:
        name = _reserved_name(endpoint)
        if name:
            return Card(name, name, name, identity=endpoint.identity, labels=(f"reserved:{name}",))
    workload = endpoint.workloads[0].name if endpoint.workloads else ""
    labels = tuple(endpoint.labels)
    namespace = endpoint.namespace or _labelled_namespace(labels)
    title = app_of(labels) or workload or UNKNOWN_APP
    return Card(
        id=f"{namespace}/{endpoint.identity or title}",
        title=title,
        kind="app",
        namespace=namespace,
        identity=endpoint.identity,
        labels=labels,
        workload=workload,
    )


def _labelled_namespace(labels: tuple[str, ...]) -> str:
    """The namespace of a pod that is known by its identity only, because it is gone."""
    return next((each[len(_NAMESPACE) :] for each in labels if each.startswith(_NAMESPACE)), "")


def _reserved_name(endpoint: flow_pb2.Endpoint) -> str:
    """The reserved name among the labels, else that of the number; "" for neither."""
    for label in endpoint.labels:
        source, _, name = label.partition(":")
        if source == "reserved":
            return name
    return RESERVED.get(endpoint.identity, "")
