"""Services of type LoadBalancer -> addresses, as MetalLB's allocator in Cilium 1.10 gave them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from lab.controllers.events import record
from lab.kube.api import Api, copy_of
from lab.kube.kinds import CONFIG_MAP, SERVICE
from lab.kube.store import Change, Key
from lab.operator.metallb import Allocator, Request
from lab.operator.metallb_pools import PoolError, parse_config

Object = dict[str, Any]

CONFIG: Key = ("kube-system", "bgp-config")
CONFIG_FIELD = "config.yaml"
_COMPONENT = "metallb-controller"


class MetalLbController:
    """Reconciles one Service a turn; the ConfigMap's own key brings new pools."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._allocator = Allocator()

    def existing(self) -> Iterable[Key]:
        """The pools first, then who holds an address, then who wants one."""
        services = self._api.store.all(SERVICE.qualified)
        holders = [key for key, stored in services if assigned(stored.object)]
        return [CONFIG, *holders, *(key for key, _ in services)]

    def affected(self, change: Change) -> Iterable[Key]:
        if change.kind == SERVICE.qualified:
            return [change.key]
        return [CONFIG] if change.kind == CONFIG_MAP.qualified and change.key == CONFIG else []

    def reconcile(self, key: Key) -> float | None:
        if key == CONFIG:
            self._configure()
            return None
        stored = self._api.find(SERVICE, key)
        if stored is None:
            if self._allocator.release("/".join(key)):
                self._serve_waiting()
            return None
        self._balance(key, stored.object)
        return None

    def _configure(self) -> None:
        stored = self._api.find(CONFIG_MAP, CONFIG)
        if stored is None:
            return
        try:
            pools = parse_config((stored.object.get("data") or {}).get(CONFIG_FIELD, "{}"))
            self._allocator.set_pools(pools)
        except PoolError as error:
            record(self._api, stored.object, "InvalidConfig", str(error),
                   component=_COMPONENT, warning=True)  # fmt: skip
            return
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        for key, stored in self._api.store.all(SERVICE.qualified):
            if stored.object["spec"]["type"] == "LoadBalancer" and not assigned(stored.object):
                self._balance(key, stored.object)

    def _balance(self, key: Key, service: Object) -> None:
        name, spec = "/".join(key), service["spec"]
        has = assigned(service)
        if spec["type"] != "LoadBalancer" or spec.get("loadBalancerClass"):
            released = self._allocator.release(name)
            self._publish(key, service, [])
            if released:
                self._serve_waiting()
            return
        request = Request.of(service)
        try:
            if has and not self._allocator.held(name):
                # A restarted server learns from the status who holds what.
                self._adopt(request, has)
            addresses = self._allocator.allocate(request)
        except PoolError as error:
            self._publish(key, service, [])
            record(self._api, service, "AllocationFailed",
                   f'Failed to allocate IP for "{name}": {error}',
                   component=_COMPONENT, warning=True)  # fmt: skip
            return
        self._publish(key, service, [str(address) for address in addresses])

    def _adopt(self, request: Request, addresses: Sequence[str]) -> None:
        for address in addresses:
            try:
                self._allocator.assign(request, ip_address(address))
            except PoolError as error:
                raise PoolError(f"{error} (it held {address})") from error

    def _publish(self, key: Key, service: Object, wanted: list[str]) -> None:
        if assigned(service) == wanted:
            return
        obj = copy_of(self._api.get(SERVICE, key))
        ingress = [{"ip": address, "ipMode": "VIP"} for address in wanted]
        obj.setdefault("status", {})["loadBalancer"] = {"ingress": ingress} if ingress else {}
        self._api.update(SERVICE, key, obj, subresource="status")
        if wanted:
            text = f'Assigned IP "{",".join(wanted)}"'
            record(self._api, service, "IPAllocated", text, component=_COMPONENT)


def assigned(service: Object) -> list[str]:
    """The addresses in a Service's status."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return [entry["ip"] for entry in ingress if entry.get("ip")]
