"""What each kind shows in its columns: a table for built-in kinds, definitions for the others."""

from __future__ import annotations

from typing import Any

from lab.kube.kinds import Resource
from lab.kube.printing import cells
from lab.kube.printing.age import age
from lab.kube.printing.cells import Cell, Reader
from lab.kube.printing.jsonpath import walk

Object = dict[str, Any]
Columns = tuple[tuple[str, Reader], ...]
"""Titles with what reads the cell; a title with `+` shows with `-o wide` only."""


def header(resource: Resource) -> list[Object]:
    """A Table's columnDefinitions; priority 1 shows with `-o wide` only."""
    if resource.custom:
        columns = resource.columns or _CUSTOM
        rest = [(c["name"], c["type"], c.get("priority", 0)) for c in columns]
    else:
        titles = [title for title, _ in _COLUMNS.get(resource.kind, _AGE)]
        rest = [(title.lstrip("+"), "string", int(title.startswith("+"))) for title in titles]
    # Events are told by what they say; nobody knows them by their names.
    named = [("Name", "string", int(resource.kind == "Event")), *rest]
    return [
        {
            "name": name,
            "type": kind,
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": priority,
        }
        for name, kind, priority in named
    ]


def row(resource: Resource, obj: Object) -> list[Cell]:
    """One object's cells, in the order of the header."""
    name: Cell = obj["metadata"]["name"]
    if resource.custom:
        return [name, *(_custom(obj, column) for column in resource.columns or _CUSTOM)]
    return [name, *(read(obj) for _, read in _COLUMNS.get(resource.kind, _AGE))]


_CUSTOM: tuple[Object, ...] = (
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)


def _custom(obj: Object, column: Object) -> Cell:
    value = walk(obj, column["jsonPath"])
    if column["type"] == "date":
        return age(str(value or ""))
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


_BORN = ("Age", cells.since("metadata.creationTimestamp"))
_AGE: Columns = (_BORN,)
_WORKLOAD: Columns = (
    _BORN,
    ("+Containers", cells.of_template("name")),
    ("+Images", cells.of_template("image")),
    ("+Selector", cells.selector),
)

_COLUMNS: dict[str, Columns] = {
    "Namespace": (("Status", cells.at("status.phase")), _BORN),
    "Pod": (
        ("Ready", cells.pod_ready),
        ("Status", cells.pod_status),
        ("Restarts", cells.pod_restarts),
        _BORN,
        ("+IP", cells.at("status.podIP", "<none>")),
        ("+Node", cells.at("spec.nodeName", "<none>")),
        ("+Nominated Node", cells.at("status.nominatedNodeName", "<none>")),
        ("+Readiness Gates", cells.gates),
    ),
    "Service": (
        ("Type", cells.at("spec.type")),
        ("Cluster-IP", cells.at("spec.clusterIP", "<none>")),
        ("External-IP", cells.external_ip),
        ("Port(s)", cells.ports),
        _BORN,
        ("+Selector", cells.selector),
    ),
    "Endpoints": (("Endpoints", cells.endpoints), _BORN),
    "EndpointSlice": (
        ("AddressType", cells.at("addressType")),
        ("Ports", cells.slice_ports),
        ("Endpoints", cells.slice_addresses),
        _BORN,
    ),
    "Node": (
        ("Status", cells.node_status),
        ("Roles", cells.roles),
        _BORN,
        ("Version", cells.info("kubeletVersion")),
        ("+Internal-IP", cells.address("InternalIP")),
        ("+External-IP", cells.address("ExternalIP")),
        ("+OS-Image", cells.info("osImage")),
        ("+Kernel-Version", cells.info("kernelVersion")),
        ("+Container-Runtime", cells.info("containerRuntimeVersion")),
    ),
    "Deployment": (
        ("Ready", cells.ready_of_wanted),
        ("Up-to-date", cells.at("status.updatedReplicas", 0)),
        ("Available", cells.at("status.availableReplicas", 0)),
        *_WORKLOAD,
    ),
    "ReplicaSet": (
        ("Desired", cells.at("spec.replicas", 0)),
        ("Current", cells.at("status.replicas", 0)),
        ("Ready", cells.at("status.readyReplicas", 0)),
        *_WORKLOAD,
    ),
    "ConfigMap": (("Data", cells.data), _BORN),
    "Secret": (("Type", cells.at("type")), ("Data", cells.data), _BORN),
    "Event": (
        ("Last Seen", cells.event_seen),
        ("Type", cells.at("type")),
        ("Reason", cells.at("reason")),
        ("Object", cells.event_object),
        ("+Subobject", cells.at("involvedObject.fieldPath")),
        ("+Source", cells.at("source.component")),
        ("Message", lambda event: event.get("message", "").strip()),
        ("+First Seen", cells.since("firstTimestamp")),
        ("+Count", cells.at("count", 1)),
    ),
    "Lease": (("Holder", cells.at("spec.holderIdentity")), _BORN),
    "CustomResourceDefinition": (("Created At", cells.at("metadata.creationTimestamp")),),
}
