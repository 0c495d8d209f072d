"""Context options: which label says who, of a flow's source and destination.

"sourceContext=pod|identity" tries the pod's name first and the identity's labels when there is
none; "labelsContext=source_namespace,destination_app" adds labels of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lab.errors import InputError
from lab.hubble.flow import address_text
from lab.hubble.lookup import Endpoint
from lab.hubble.record import Record

Describe = Callable[[Endpoint, bytes], str]

_DIRECTIONS = ("unknown", "ingress", "egress")
_APP_KEYS = (
    "k8s:app.kubernetes.io/name=",
    "k8s:k8s-app=",
    "k8s:app=",
)
"""Labels that name an application, the most specific convention first."""


def _pod(endpoint: Endpoint, _address: bytes) -> str:
    return f"{endpoint.namespace}/{endpoint.pod}" if endpoint.pod else ""


def _workload(endpoint: Endpoint, _address: bytes) -> str:
    name = _workload_name(endpoint, _address)
    return f"{endpoint.namespace}/{name}" if name else ""


def _workload_name(endpoint: Endpoint, _address: bytes) -> str:
    return endpoint.workloads[0].name if endpoint.workloads else ""


@lru_cache(maxsize=1024)
def app_of(labels: tuple[str, ...]) -> str:
    """The application that a pod's labels name; empty when they name none."""
    for key in _APP_KEYS:
        for label in labels:
            if label.startswith(key):
                return label[len(key) :]
    return ""


def _reserved(endpoint: Endpoint, _address: bytes) -> str:
    """Reserved identities only; kube-apiserver wins over the others that a node may have."""
    reserved = [label for label in endpoint.labels if label.startswith("reserved:")]
    if "reserved:kube-apiserver" in reserved:
        return "reserved:kube-apiserver"
    return reserved[0] if reserved else ""


CONTEXTS: Mapping[str, Describe] = {
    "identity": lambda endpoint, _: ",".join(endpoint.labels),
    "namespace": lambda endpoint, _: endpoint.namespace,
    "pod": _pod,
    "pod-name": lambda endpoint, _: endpoint.pod,
    "ip": lambda _, address: address_text(address),
    "dns": lambda _endpoint, _address: "",
    "reserved-identity": _reserved,
    "workload": _workload,
    "workload-name": _workload_name,
    "app": lambda endpoint, _: app_of(endpoint.labels),
}

_SIDED_LABELS: Mapping[str, Describe] = {
    "ip": CONTEXTS["ip"],
    "pod": CONTEXTS["pod-name"],
    "namespace": CONTEXTS["namespace"],
    "workload": CONTEXTS["workload-name"],
    "workload_kind": lambda endpoint, _: endpoint.workloads[0].kind if endpoint.workloads else "",
    "app": CONTEXTS["app"],
}


@dataclass(frozen=True)
class ContextLabels:
    """Extra labels of a metric: their names, and how to fill them from a flow."""

    names: tuple[str, ...] = ()
    readers: tuple[Callable[[Record], str], ...] = ()

    def values(self, record: Record) -> tuple[str, ...]:
        return tuple(read(record) for read in self.readers)


def parse(options: Mapping[str, str]) -> ContextLabels:
    """Labels for sourceContext, destinationContext and labelsContext; InputError names a bad one.

    Their order is that of Hubble: labelsContext first, then source and destination.
    """
    names: list[str] = []
    readers: list[Callable[[Record], str]] = []
    for name in _split(options.get("labelsContext", ""), ","):
        names.append(name)
        readers.append(_label_reader(name))
    for side in ("source", "destination"):
        kinds = _split(options.get(f"{side}Context", ""), "|")
        if kinds:
            names.append(side)
            readers.append(_context_reader(side, kinds))
    return ContextLabels(tuple(names), tuple(readers))


def _context_reader(side: str, kinds: Sequence[str]) -> Callable[[Record], str]:
    for kind in kinds:
        if kind not in CONTEXTS:
            known = ", ".join(CONTEXTS)
            raise InputError(f"unknown {side}Context {kind!r}: want one of {known}")
    describe = [CONTEXTS[kind] for kind in kinds]
    return _sided(side, lambda endpoint, address: _first(describe, endpoint, address))


def _label_reader(name: str) -> Callable[[Record], str]:
    if name == "traffic_direction":
        return lambda record: _DIRECTIONS[record.direction]
    side, _, what = name.partition("_")
    if side not in ("source", "destination") or what not in _SIDED_LABELS:
        known = ", ".join(f"source_{what}, destination_{what}" for what in _SIDED_LABELS)
        raise InputError(f"unknown labelsContext {name!r}: want traffic_direction, {known}")
    return _sided(side, _SIDED_LABELS[what])


def _sided(side: str, describe: Describe) -> Callable[[Record], str]:
    if side == "source":
        return lambda record: describe(record.source, record.source_address)
    return lambda record: describe(record.destination, record.destination_address)


def _first(describe: Sequence[Describe], endpoint: Endpoint, address: bytes) -> str:
    return next((text for each in describe if (text := each(endpoint, address))), "")


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]
