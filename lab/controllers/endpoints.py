"""Services and pods -> EndpointSlices, and the older Endpoints beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lab.controllers.endpoint_rows import (
    SHAPE,
    Groups,
    Ports,
    addresses_of,
    endpoint,
    endpoints_subset,
    ports_of,
    slice_bodies,
)
from lab.controllers.owners import owner_reference
from lab.controllers.pods import is_ended, is_ready, is_terminating
from lab.kube import selectors
from lab.kube.api import Api, copy_of
from lab.kube.kinds import ENDPOINT_SLICE, ENDPOINTS, POD, SERVICE
from lab.kube.names import suffix
from lab.kube.rules.ip_families import family_of
from lab.kube.store import Change, Key

Object = dict[str, Any]

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
MIRROR = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"


class EndpointsController:
    """Reconciles the endpoints of one Service a turn."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._selecting: dict[tuple[str, str, str], set[Key]] = defaultdict(set)
        """Services by namespace and one label they select: pods find theirs without a search."""
        for key, stored in api.store.all(SERVICE.qualified):
            self._file(key, None, stored.object)

    def existing(self) -> Iterable[Key]:
        return [key for key, _ in self._api.store.all(SERVICE.qualified)]

    def affected(self, change: Change) -> Iterable[Key]:
        old, new = (s.object if s else None for s in (change.old, change.new))
        if change.kind == SERVICE.qualified:
            self._file(change.key, old, new)
            return [change.key]
        if change.kind == ENDPOINTS.qualified:
            return [change.key]
        if change.kind != POD.qualified or (old and new and _seen(old) == _seen(new)):
            return []
        found: set[Key] = set()
        for pod in filter(None, (old, new)):
            labels = pod["metadata"].get("labels") or {}
            for label in labels.items():
                found |= self._selecting.get((change.key[0], *label), set())
        return sorted(found)

    def _file(self, key: Key, old: Object | None, new: Object | None) -> None:
        before, after = (_first_label(key, service) for service in (old, new))
        if before and before != after:
            self._selecting[before].discard(key)
        if after:
            self._selecting[after].add(key)

    def reconcile(self, key: Key) -> float | None:
        stored = self._api.find(SERVICE, key)
        if stored is None:
            self._sweep(key, keep=set(), manager=MANAGER)
            if self._api.find(ENDPOINTS, key) is None:
                self._sweep(key, keep=set(), manager=MIRROR)
            elif not _is_foreign(self._api.get(ENDPOINTS, key).object):
                self._api.delete(ENDPOINTS, key)
            return None
        service = stored.object
        if service["spec"]["type"] == "ExternalName":
            return None
        if service["spec"].get("selector"):
            self._select(key, service)
        else:
            self._mirror(key, service)
        return None

    def _select(self, key: Key, service: Object) -> None:
        families: list[str] = service["spec"]["ipFamilies"]
        groups: dict[str, Groups] = {family: defaultdict(list) for family in families}
        for pod in self._pods(key[0], service["spec"]["selector"]):
            for address in addresses_of(pod):
                if family_of(address) in families:
                    of_family = groups[family_of(address)]
                    of_family[ports_of(service, pod)].append(endpoint(service, pod, address))
        # The older kind has room for one family: the Service's main one.
        self._write_endpoints(key, service, groups[families[0]])
        self._write_slices(key, service, groups, MANAGER)

    def _mirror(self, key: Key, service: Object) -> None:
        """Endpoints that a person wrote for a Service without a selector become slices."""
        stored = self._api.find(ENDPOINTS, key)
        labels = stored.object["metadata"].get("labels", {}) if stored else {}
        if stored is None or labels.get(SKIP_MIRROR) == "true":
            self._sweep(key, keep=set(), manager=MIRROR)
            return
        groups: dict[str, Groups] = {}
        for subset in stored.object.get("subsets") or ():
            ports = tuple(
                (p.get("name", ""), p["port"], p.get("protocol", "TCP"), p.get("appProtocol", ""))
                for p in subset.get("ports") or ()
            )
            for field, ready in (("addresses", True), ("notReadyAddresses", False)):
                for address in subset.get(field) or ():
                    conditions = {"ready": ready, "serving": ready, "terminating": False}
                    entry = {"addresses": [address["ip"]], "conditions": conditions}
                    if address.get("nodeName"):
                        entry["nodeName"] = address["nodeName"]
                    of_family = groups.setdefault(family_of(address["ip"]), defaultdict(list))
                    of_family[ports].append(entry)
        self._write_slices(key, service, groups, MIRROR)

    def _pods(self, namespace: str, selector: Mapping[str, str]) -> list[Object]:
        wanted = selectors.from_labels(selector)
        label, value = min(selector.items())
        keys = self._api.store.labelled(POD.qualified, namespace, label, value)
        pods = [self._api.get(POD, key).object for key in keys]
        return [
            p
            for p in pods
            if selectors.matches(wanted, p["metadata"].get("labels")) and _has_address(p)
        ]

    def _write_slices(
        self, key: Key, service: Object, groups: Mapping[str, Groups], manager: str
    ) -> None:
        """`groups` are by IP family: a slice has addresses of one."""
        free = self._slices(key, manager)
        kept = set()
        for body in slice_bodies(service, groups):
            match = next((s for s in free if all(s.get(f) == body[f] for f in SHAPE)), None)
            if match:
                free.remove(match)
                slice_key = (key[0], match["metadata"]["name"])
                obj = {**copy_of(self._api.get(ENDPOINT_SLICE, slice_key)), **body}
                obj["metadata"]["labels"] = _slice_labels(service, manager)
                self._api.update(ENDPOINT_SLICE, slice_key, obj)
            else:
                slice_key = (key[0], f"{key[1][:57]}-{suffix()}")
                meta = {
                    "name": slice_key[1],
                    "labels": _slice_labels(service, manager),
                    "ownerReferences": [owner_reference(SERVICE, service)],
                }
                self._api.create(ENDPOINT_SLICE, key[0], {"metadata": meta, **body})
            kept.add(slice_key)
        self._sweep(key, keep=kept, manager=manager)

    def _slices(self, key: Key, manager: str) -> list[Object]:
        keys = self._api.store.labelled(ENDPOINT_SLICE.qualified, key[0], SERVICE_NAME, key[1])
        found = [self._api.get(ENDPOINT_SLICE, k).object for k in keys]
        return [s for s in found if s["metadata"]["labels"].get(MANAGED_BY) == manager]

    def _sweep(self, key: Key, *, keep: set[Key], manager: str) -> None:
        for found in self._slices(key, manager):
            slice_key = (key[0], found["metadata"]["name"])
            if slice_key not in keep:
                self._api.delete(ENDPOINT_SLICE, slice_key)

    def _write_endpoints(
        self, key: Key, service: Object, groups: Mapping[Ports, list[Object]]
    ) -> None:
        subsets = [endpoints_subset(ports, found) for ports, found in sorted(groups.items())]
        subsets = [s for s in subsets if "addresses" in s or "notReadyAddresses" in s]
        labels = {
            **(service["metadata"].get("labels") or {}),
            SKIP_MIRROR: "true",
            MANAGED_BY: MANAGER,
        }
        meta = {"name": key[1], "labels": labels}
        body = {"subsets": subsets} if subsets else {}
        stored = self._api.find(ENDPOINTS, key)
        if stored is None:
            self._api.create(ENDPOINTS, key[0], {"metadata": meta, **body})
            return
        obj = copy_of(stored)
        obj["metadata"]["labels"] = labels
        obj.pop("subsets", None)
        self._api.update(ENDPOINTS, key, {**obj, **body})


def _slice_labels(service: Object, manager: str) -> dict[str, str]:
    labels = dict(service["metadata"].get("labels") or {})
    if service["spec"].get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    return {**labels, SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: manager}


def _is_foreign(endpoints: Object) -> bool:
    labels = endpoints["metadata"].get("labels") or {}
    return bool(labels.get(MANAGED_BY) != MANAGER)


def _has_address(pod: Object) -> bool:
    return bool(addresses_of(pod)) and not is_ended(pod)


def _first_label(key: Key, service: Object | None) -> tuple[str, str, str] | None:
    selector = (service["spec"].get("selector") or {}) if service else {}
    return (key[0], *min(selector.items())) if selector else None


def _seen(pod: Object) -> tuple[Any, ...]:
    """What about a pod its endpoints depend on."""
    meta = pod["metadata"]
    return (
        addresses_of(pod),
        is_ended(pod),
        is_ready(pod),
        is_terminating(pod),
        meta.get("labels"),
    )
