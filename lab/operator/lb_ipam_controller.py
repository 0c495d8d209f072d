"""LB-IPAM against the API: pools and Services in, addresses and conditions out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.controllers.conditions import set_condition
from lab.kube.api import Api, copy_of
from lab.kube.kinds import SERVICE, Resource
from lab.kube.store import Change, Key
from lab.operator.lb_ipam import Ipam, Outcome
from lab.operator.lb_pool import Ask, BlockError, Pool

Object = dict[str, Any]

POOLS = "ciliumloadbalancerippools.cilium.io"
CLASSES = ("io.cilium/bgp-control-plane", "io.cilium/l2-announcer")
SATISFIED = "cilium.io/IPAMRequestSatisfied"
CONFLICT = "cilium.io/PoolConflict"


class LbIpamController:
    """Reconciles one pool (a key without a namespace) or one Service a turn."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ipam = Ipam()

    def existing(self) -> Iterable[Key]:
        """Pools, then Services that have an address, then those that want one."""
        pools = [key for key, _ in self._api.store.all(POOLS)]
        services = self._api.store.all(SERVICE.qualified)
        return [*pools, *(k for k, s in services if _ingress(s.object)), *(k for k, _ in services)]

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind == SERVICE.qualified:
            return [change.key]
        if change.kind != POOLS:
            return []
        old, new = (s.object["spec"] if s else None for s in (change.old, change.new))
        return [change.key] if old != new else []

    def reconcile(self, key: Key) -> float | None:
        if key[0]:
            self._service(key)
        else:
            self._pool(key)
        for name in self._ipam.pools:
            self._report_pool(name)
        return None

    def _pool(self, key: Key) -> None:
        stored = self._api.store.get(POOLS, key)
        if stored is None:
            self._ipam.remove_pool(key[1])
        else:
            try:
                self._ipam.set_pool(Pool.of(stored.object))
            except BlockError as error:
                self._ipam.remove_pool(key[1])
                self._write_conflict(key, "invalid_block", str(error))
        self._report_services()

    def _service(self, key: Key) -> None:
        stored = self._api.find(SERVICE, key)
        if stored is None or not responsible(stored.object):
            freed = self._ipam.remove_service("/".join(key))
            if stored and stored.object["spec"]["type"] != "LoadBalancer":
                self._clear(key, stored.object)
        else:
            service = stored.object
            before = set(_ingress(service))
            outcome = self._ipam.set_service(Ask.of(service), _ingress(service))
            self._publish(key, outcome)
            freed = not before <= set(outcome.addresses)
        if freed:
            self._ipam.satisfy_waiting()
            self._report_services()

    def _report_services(self) -> None:
        for service, outcome in self._ipam.outcomes().items():
            namespace, _, name = service.partition("/")
            self._publish((namespace, name), outcome)

    def _publish(self, key: Key, outcome: Outcome) -> None:
        obj = self._api.fresh(SERVICE, key)
        ingress = [{"ip": address, "ipMode": "VIP"} for address in outcome.addresses]
        status = obj.setdefault("status", {})
        status["loadBalancer"] = {"ingress": ingress} if ingress else {}
        value = "True" if outcome.satisfied else "False"
        conditions = status.setdefault("conditions", [])
        set_condition(conditions, SATISFIED, value, outcome.reason, outcome.message)
        self._api.update(SERVICE, key, obj, subresource="status")

    def _clear(self, key: Key, service: Object) -> None:
        status = service.get("status", {})
        left = [c for c in status.get("conditions") or () if c["type"] != SATISFIED]
        if not _ingress(service) and len(left) == len(status.get("conditions") or ()):
            return
        obj = self._api.fresh(SERVICE, key)
        obj["status"] = {"loadBalancer": {}, **({"conditions": left} if left else {})}
        self._api.update(SERVICE, key, obj, subresource="status")

    def _report_pool(self, name: str) -> None:
        pool = self._ipam.pools[name]
        counts = self._ipam.counts(pool)
        obj = copy_of(self._api.get(self._resource(), ("", name)))
        conditions = obj.setdefault("status", {}).setdefault("conditions", [])
        if pool.conflict:
            set_condition(conditions, CONFLICT, "True", "cidr_overlap", pool.conflict)
        else:
            set_condition(conditions, CONFLICT, "False", "resolved", "")
        for kind in ("total", "available", "used"):
            text = str(getattr(counts, kind))
            set_condition(conditions, f"cilium.io/IPs{kind.title()}", "Unknown", "noreason", text)
        self._api.update(self._resource(), ("", name), obj, subresource="status")

    def _write_conflict(self, key: Key, reason: str, message: str) -> None:
        obj = self._api.fresh(self._resource(), key)
        conditions = obj.setdefault("status", {}).setdefault("conditions", [])
        set_condition(conditions, CONFLICT, "True", reason, message)
        self._api.update(self._resource(), key, obj, subresource="status")

    def _resource(self) -> Resource:
        return self._api.registry.stored_as(POOLS)


def responsible(service: Object) -> bool:
    """Whether LB-IPAM serves a Service: of its type, and of no other implementation's class."""
    spec = service["spec"]
    wanted = spec.get("loadBalancerClass")
    return spec["type"] == "LoadBalancer" and (not wanted or wanted in CLASSES)


def _ingress(service: Object) -> list[str]:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return [entry["ip"] for entry in ingress if entry.get("ip")]
