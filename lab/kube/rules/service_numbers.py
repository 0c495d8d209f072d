"""Cluster addresses and node ports of Services: taken when a Service is stored, never shared."""

from __future__ import annotations

import random
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import chain
from typing import Any

from lab.kube.kinds import SERVICE
from lab.kube.rules import ip_families
from lab.kube.status import Cause
from lab.kube.store import Change, Key

Object = dict[str, Any]
Network = IPv4Network | IPv6Network


class ServiceNumbers:
    """Who holds which cluster IP and which node port; follows the store's changes."""

    def __init__(self, cluster_ips: Iterable[Network], node_ports: tuple[int, int]) -> None:
        """`cluster_ips`: a network for each IP family of the cluster, its main one first."""
        self._networks = {f"IPv{network.version}": network for network in cluster_ips}
        self._ports = range(node_ports[0], node_ports[1] + 1)
        self._ip_holder: dict[str, Key] = {}
        self._port_holder: dict[int, Key] = {}

    def observe(self, change: Change) -> None:
        """A listener of the store."""
        if change.kind != SERVICE.qualified:
            return
        if change.old:
            for address in _addresses(change.old.object["spec"]):
                self._ip_holder.pop(address, None)
            for port in _node_ports(change.old.object["spec"]):
                self._port_holder.pop(port, None)
        if change.new:
            spec = change.new.object["spec"]
            self._ip_holder |= dict.fromkeys(_addresses(spec), change.key)
            self._port_holder |= dict.fromkeys(_node_ports(spec), change.key)

    def assign(self, key: Key, new: Object, old: Object | None) -> list[Cause]:
        """Complete a Service's spec with addresses and ports; returns what it may not have."""
        spec, before = new["spec"], old["spec"] if old else {}
        if spec["type"] == "ExternalName":
            for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(name, None)
            return []
        causes = self._assign_ips(key, spec, before)
        if spec["type"] == "ClusterIP":
            return causes
        return causes + self._assign_ports(key, spec, before)

    def _assign_ips(self, key: Key, spec: Object, before: Object) -> list[Cause]:
        wanted = spec["clusterIPs"] = _wanted(spec, before)
        held = before.get("clusterIPs") or []
        if held and wanted[:1] != held[:1]:
            return [Cause.invalid("spec.clusterIPs[0]", wanted[0], "may not change once set")]
        for index, address in enumerate(wanted):
            if address != ip_families.NONE and not _is_address(address):
                text = "must be a valid IP address"
                return [Cause.invalid(f"spec.clusterIPs[{index}]", address, text)]
        causes = ip_families.complete(spec, before, list(self._networks))
        if causes:
            return causes
        given = spec["clusterIPs"]
        if given != [ip_families.NONE]:
            causes = [cause for address in given for cause in self._ip_problem(key, address)]
            given += [self._free_ip(family) for family in spec["ipFamilies"][len(given) :]]
        spec["clusterIP"] = given[0]
        return causes

    def _ip_problem(self, key: Key, address: str) -> list[Cause]:
        network = self._networks[ip_families.family_of(address)]
        why = ""
        if ip_address(address) not in network:
            why = f"the provided IP ({address}) is not in the valid range. "
            why += f"The range of valid IPs is {network}"
        elif self._ip_holder.get(address, key) != key:
            why = "provided IP is already allocated"
        text = f"failed to allocate IP {address}: {why}"
        return [Cause.invalid("spec.clusterIPs", [address], text)] if why else []

    def _free_ip(self, family: str) -> str:
        network = self._networks[family]
        while True:
            offset = random.randrange(256, network.num_addresses - 1)
            address = str(network[offset])
            if address not in self._ip_holder:
                return address

    def _assign_ports(self, key: Key, spec: Object, before: Object) -> list[Cause]:
        causes: list[Cause] = []
        taken: set[int] = set()
        for index, port in enumerate(spec.get("ports", ())):
            wanted = port.get("nodePort") or self._previous(port, before, taken)
            if not wanted:
                if spec["type"] == "LoadBalancer" and not spec["allocateLoadBalancerNodePorts"]:
                    continue
                wanted = self._free_port(taken)
            if not wanted:
                text = "failed to allocate a nodePort: range is full"
                return [Cause.invalid(f"spec.ports[{index}].nodePort", 0, text)]
            port["nodePort"] = wanted
            taken.add(wanted)
            causes += self._port_problem(key, f"spec.ports[{index}].nodePort", wanted)
        return causes + self._assign_health_port(key, spec, before, taken)

    def _assign_health_port(
        self, key: Key, spec: Object, before: Object, taken: set[int]
    ) -> list[Cause]:
        """Where a node tells whether it has endpoints of a Service with policy Local."""
        if (spec["type"], spec["externalTrafficPolicy"]) != ("LoadBalancer", "Local"):
            spec.pop("healthCheckNodePort", None)
            return []
        wanted = spec.get("healthCheckNodePort") or before.get("healthCheckNodePort")
        spec["healthCheckNodePort"] = wanted or self._free_port(taken)
        return self._port_problem(key, "spec.healthCheckNodePort", spec["healthCheckNodePort"])

    @staticmethod
    def _previous(port: Object, before: Object, taken: set[int]) -> int:
        """The node port that the same service port had before this change."""
        for old in before.get("ports", ()):
            same = (old["port"], old["protocol"]) == (port["port"], port["protocol"])
            if same and old.get("nodePort", 0) not in taken:
                return int(old.get("nodePort", 0))
        return 0

    def _port_problem(self, key: Key, path: str, port: int) -> list[Cause]:
        if port not in self._ports:
            text = "provided port is not in the valid range. The range of valid ports is "
            text += f"{self._ports[0]}-{self._ports[-1]}"
            return [Cause.invalid(path, port, text)]
        if self._port_holder.get(port, key) != key:
            return [Cause.invalid(path, port, "provided port is already allocated")]
        return []

    def _free_port(self, taken: set[int]) -> int:
        """A port that nobody holds; 0 when there is none left."""
        start = random.randrange(len(self._ports))
        turned = chain(self._ports[start:], self._ports[:start])
        return next((p for p in turned if p not in self._port_holder and p not in taken), 0)


def _wanted(spec: Object, before: Object) -> list[str]:
    """The cluster IPs that a spec asks for; where it says nothing, those it had before."""
    held = before.get("clusterIPs") or []
    first, written = spec.get("clusterIP"), list(spec.get("clusterIPs") or ())
    if not written and first in (None, "", *held[:1]):
        return list(held)
    if first and written[:1] != [first]:
        # Clients from before the plural field change the singular one alone.
        written = [first, *written[1:]]
    return written


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _addresses(spec: Object) -> list[str]:
    return [each for each in spec.get("clusterIPs") or () if each not in ("", ip_families.NONE)]


def _node_ports(spec: Object) -> list[int]:
    ports = [port.get("nodePort") for port in spec.get("ports", ())]
    return [port for port in (*ports, spec.get("healthCheckNodePort")) if port]


_EXTERNAL = ("NodePort", "LoadBalancer")
_OF_TYPES = {
    "externalTrafficPolicy": _EXTERNAL,
    "healthCheckNodePort": _EXTERNAL,
    "allocateLoadBalancerNodePorts": ("LoadBalancer",),
    "loadBalancerClass": ("LoadBalancer",),
}
"""Fields of a spec that only some types of Service have."""


def drop_stale(new: Object, old: Object) -> None:
    """Take back what only the type that a Service had before allows, unless it changed too."""
    spec, before = new["spec"], old["spec"]
    for name, types in _OF_TYPES.items():
        left = before["type"] in types and spec["type"] not in types
        if left and spec.get(name) == before.get(name):
            spec.pop(name, None)
    held = set(_node_ports(before))
    for port in spec.get("ports", ()):
        if spec["type"] not in _EXTERNAL and port.get("nodePort") in held:
            del port["nodePort"]
