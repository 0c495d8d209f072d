"""The cluster as the agent mirrors it: objects, indexes over them, and who hears of what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lightkube import AsyncClient
from lightkube.resources.core_v1 import ConfigMap, Node, Pod, Service
from lightkube.resources.discovery_v1 import EndpointSlice

from lab.agent.watch import Mirror

SERVICE_NAME = "kubernetes.io/service-name"
BGP_CONFIG = "kube-system/bgp-config"


class Cluster:
    """Mirrors of all that an agent reads. `changed` hears (kind, key) of every change."""

    def __init__(self, client: AsyncClient, changed: Callable[[type, str], None]) -> None:
        self._changed = changed
        self._by_service: dict[str, dict[str, EndpointSlice]] = {}
        self._service_of: dict[str, str] = {}

        def teller(kind: type) -> Callable[[str], None]:
            return lambda key: changed(kind, key)

        self.nodes = Mirror(client, Node, teller(Node))
        self.pods = Mirror(client, Pod, teller(Pod))
        self.services = Mirror(client, Service, teller(Service))
        self.slices = Mirror(client, EndpointSlice, self._slice_changed)
        self.config_maps = Mirror(
            client,
            ConfigMap,
            teller(ConfigMap),
            namespace="kube-system",
            fields={"metadata.name": "bgp-config"},
        )

    @property
    def mirrors(self) -> Sequence[Mirror[Any]]:
        return (self.nodes, self.pods, self.services, self.slices, self.config_maps)

    @property
    def services_complete(self) -> bool:
        return self.services.complete and self.slices.complete

    @property
    def places_complete(self) -> bool:
        return self.nodes.complete and self.pods.complete

    @property
    def connected(self) -> bool:
        return all(mirror.connected for mirror in self.mirrors)

    def slices_of(self, service: str) -> list[EndpointSlice]:
        """Endpoint slices of a service, by namespace/name."""
        return list(self._by_service.get(service, {}).values())

    def all_slices(self) -> dict[str, list[EndpointSlice]]:
        return {service: list(found.values()) for service, found in self._by_service.items()}

    def _slice_changed(self, key: str) -> None:
        """File a slice under its service, and tell of the services that it left or came to."""
        piece = self.slices.objects.get(key)
        before, after = self._service_of.get(key), _service(piece)
        if before is not None:
            del self._by_service[before][key]
            del self._service_of[key]
            if not self._by_service[before]:
                del self._by_service[before]
        if piece is not None and after is not None:
            self._by_service.setdefault(after, {})[key] = piece
            self._service_of[key] = after
        for service in {before, after} - {None}:
            self._changed(EndpointSlice, str(service))
        if not key:
            self._changed(EndpointSlice, "")


def _service(piece: EndpointSlice | None) -> str | None:
    """namespace/name of the service that a slice belongs to."""
    if piece is None or piece.metadata is None:
        return None
    name = (piece.metadata.labels or {}).get(SERVICE_NAME)
    return f"{piece.metadata.namespace}/{name}" if name else None
