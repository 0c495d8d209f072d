"""What the flow log asks about addresses, answered from the mirrors: `EndpointLookup` of Hubble.

What is known is replaced as a whole by the agent's loop and read by the thread that reads events,
so that neither waits for the other, and events can be looked into later with what was known when
they came.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from lightkube.models.meta_v1 import OwnerReference
from lightkube.resources.core_v1 import Pod
from lightkube.resources.core_v1 import Service as KubeService

from lab.agent.identity import labels_of, number_of
from lab.agent.places import NodePlace, pod_addresses
from lab.agent.pods.local import LocalPod
from lab.agent.services.translate import KNOWN_TEXTS, vips
from lab.hubble.agent_events import AgentEvent, endpoint_changes, service_changes
from lab.hubble.identity import HOST, REMOTE_NODE, reserved_labels
from lab.hubble.lookup import Endpoint, Service, Workload

_HASH = "pod-template-hash"


@dataclass(frozen=True)
class Known:
    """Who is who at one time."""

    endpoints: Mapping[bytes, Endpoint] = field(default_factory=dict)
    identities: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    services: Mapping[tuple[bytes, int], Service] = field(default_factory=dict)

    def endpoint(self, address: bytes) -> Endpoint | None:
        return self.endpoints.get(address)

    def labels(self, identity: int) -> tuple[str, ...]:
        return self.identities.get(identity) or reserved_labels(identity)

    def service(self, address: bytes, port: int) -> Service | None:
        return self.services.get((address, port))


class Directory:
    """Who is who on and around this node."""

    def __init__(self) -> None:
        self._known = Known()
        self._interfaces: dict[int, str] = {}
        self.tell: Callable[[AgentEvent], None] = lambda _: None
        """Hears of every address and frontend that comes, changes or goes."""

    def now(self) -> Known:
        return self._known

    def endpoint(self, address: bytes) -> Endpoint | None:
        return self._known.endpoint(address)

    def labels(self, identity: int) -> tuple[str, ...]:
        return self._known.labels(identity)

    def service(self, address: bytes, port: int) -> Service | None:
        return self._known.service(address, port)

    def interface(self, index: int) -> str:
        name = self._interfaces.get(index)
        if name is None:
            try:
                name = socket.if_indextoname(index)
            except OSError:
                return ""
            self._interfaces[index] = name
        return name

    def _tell(self, events: Iterable[AgentEvent]) -> None:
        for event in events:
            self.tell(event)

    def set_places(
        self, me: str, nodes: Iterable[NodePlace], pods: Iterable[Pod], local: Iterable[LocalPod]
    ) -> None:
        """Replace everything known of nodes and pods."""
        found: dict[bytes, Endpoint] = {}
        for node in nodes:
            identity = HOST if node.name == me else REMOTE_NODE
            for address in (*node.addresses, *node.routers):
                found[address.packed] = Endpoint(identity, labels=reserved_labels(identity))
        mine = {pod.uid: pod for pod in local}
        labels = {}
        for pod in pods:
            here = mine.get((pod.metadata.uid or "") if pod.metadata else "")
            addresses = [_packed(text) for text in pod_addresses(pod)]
            if here is not None and not addresses:
                # Its first probe is on its way before the API has its address.
                addresses = [address.packed for address in here.addresses]
            if addresses:
                endpoint = _endpoint(pod, here.endpoint_id if here else 0)
                found.update((address, endpoint) for address in addresses)
                labels[endpoint.identity] = endpoint.labels
        self._tell(endpoint_changes(self._known.endpoints, found))
        if (found, labels) != (self._known.endpoints, self._known.identities):
            self._known = replace(self._known, endpoints=found, identities=labels)
        # An index may have passed to another device.
        self._interfaces = {}

    def set_services(self, services: Iterable[KubeService]) -> None:
        """Replace everything known of services."""
        found = {}
        for service in services:
            meta, spec = service.metadata, service.spec
            if meta is None or spec is None:
                continue
            name = Service(meta.namespace or "", meta.name or "")
            addresses = [str(vip) for vip in vips(service)] + list(spec.externalIPs or ())
            inside = spec.clusterIPs or (spec.clusterIP,)
            for address in addresses + [each for each in inside if each and each != "None"]:
                packed = _packed(address)
                for port in spec.ports or ():
                    found[packed, port.port] = name
        self._tell(service_changes(self._known.services, found))
        if found != self._known.services:
            self._known = replace(self._known, services=found)


def _endpoint(pod: Pod, number: int) -> Endpoint:
    assert pod.metadata is not None
    labels = labels_of(pod)
    return Endpoint(
        identity=number_of(labels),
        id=number,
        namespace=pod.metadata.namespace or "",
        pod=pod.metadata.name or "",
        labels=labels,
        workloads=tuple(_workload(pod, owner) for owner in pod.metadata.ownerReferences or ()),
    )


def _workload(pod: Pod, owner: OwnerReference) -> Workload:
    """The controller that a user wrote: a Deployment rather than its ReplicaSet."""
    assert pod.metadata is not None
    suffix = (pod.metadata.labels or {}).get(_HASH)
    if owner.kind == "ReplicaSet" and suffix and owner.name.endswith(f"-{suffix}"):
        return Workload(owner.name[: -len(suffix) - 1], "Deployment")
    return Workload(owner.name, owner.kind)


@lru_cache(maxsize=KNOWN_TEXTS)
def _packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)
