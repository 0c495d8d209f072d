"""Pods of a Service as rows: of EndpointSlices, one IP family a slice, and of Endpoints. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from lab.controllers.pods import is_ready, is_terminating

Object = dict[str, Any]

SLICE_SIZE = 100
"""Endpoints in one slice at most."""

Ports = tuple[tuple[str, int, str, str], ...]
"""Name, number, protocol, appProtocol of what a pod serves: pods with equal ones share slices."""
Groups = dict[Ports, list[Object]]
SHAPE = ("addressType", "ports")
"""What of a slice stays as it is for its life."""


def slice_bodies(service: Object, groups: Mapping[str, Groups]) -> Iterator[Object]:
    """What slices say; an empty one stands for an IP family without pods."""
    for family, of_family in groups.items():
        chunks = [
            (ports, sorted(found, key=_first_address)[start : start + SLICE_SIZE])
            for ports, found in sorted(of_family.items())
            for start in range(0, len(found), SLICE_SIZE)
        ]
        for ports, endpoints in chunks or [(ports_of(service, None), [])]:
            yield {"addressType": family, "endpoints": endpoints, "ports": _port_rows(ports)}


def addresses_of(pod: Object) -> list[str]:
    """The addresses in a pod's status, its main one first."""
    status = pod.get("status", {})
    found = [each["ip"] for each in status.get("podIPs") or ()]
    return found or [status["podIP"]] if status.get("podIP") else []


def ports_of(service: Object, pod: Object | None) -> Ports:
    """A Service's ports as a pod serves them: named target ports are looked up in the pod."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = _target(port, pod)
        if number:
            row = (port.get("name", ""), number, port["protocol"], port.get("appProtocol", ""))
            found.append(row)
    return tuple(found)


def _target(port: Object, pod: Object | None) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"] if pod else ():
        for offered in container.get("ports") or ():
            if offered.get("name") == target and offered["protocol"] == port["protocol"]:
                return int(offered["containerPort"])
    return 0


def endpoint(service: Object, pod: Object, address: str) -> Object:
    """A pod at one of its addresses as an endpoint: ready unless it is on its way out, serving as
    long as it answers.
    """
    serving, terminating = is_ready(pod), is_terminating(pod)
    ready = serving and not terminating
    if service["spec"].get("publishNotReadyAddresses"):
        ready = serving = True
    return {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "uid": pod["metadata"]["uid"],
        },
    }


def endpoints_subset(ports: Ports, endpoints: list[Object]) -> Object:
    made: Object = {}
    for found in sorted(endpoints, key=_first_address):
        if found["conditions"]["terminating"] and not found["conditions"]["ready"]:
            continue
        field = "addresses" if found["conditions"]["ready"] else "notReadyAddresses"
        row = {
            "ip": found["addresses"][0],
            "nodeName": found["nodeName"],
            "targetRef": found["targetRef"],
        }
        made.setdefault(field, []).append(row)
    made["ports"] = [{k: v for k, v in p.items() if v != ""} for p in _port_rows(ports)]
    return made


def _port_rows(ports: Ports) -> list[Object]:
    rows = []
    for name, number, protocol, app_protocol in ports:
        row: Object = {"name": name, "port": number, "protocol": protocol}
        if app_protocol:
            row["appProtocol"] = app_protocol
        rows.append(row)
    return rows


def _first_address(found: Object) -> int:
    return int(ip_address(found["addresses"][0]))
