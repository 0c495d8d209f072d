"""Paths -> what they name."""

from __future__ import annotations

from dataclasses import dataclass

from lab.kube import status
from lab.kube.kinds import POD, Registry, Resource
from lab.kube.store import Key

SUBRESOURCES = ("status", "scale", "binding", "eviction", "finalize", "log", "exec")


@dataclass(frozen=True)
class Target:
    """What a path names. `name` is "" for a collection, `namespace` "" for all namespaces."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def key(self) -> Key:
        return (self.namespace if self.resource.namespaced else "", self.name)


def locate(registry: Registry, path: tuple[str, ...]) -> Target:
    """Read `/api/v1/...` or `/apis/GROUP/VERSION/...`; 404 for what is not served."""
    if path[0] == "api":
        group, version, rest = "", *path[1:2], path[2:]
    else:
        group, version, rest = *path[1:3], path[3:]
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = registry.find(group, version, rest[0])
    if resource is None or bool(namespace) > resource.namespaced or len(rest) > 3:
        raise status.no_such_path()
    name, subresource = (*rest[1:], "", "")[:2]
    if name and resource.namespaced and not namespace:
        raise status.no_such_path()
    if subresource and not _offers(resource, subresource):
        raise status.no_such_path()
    return Target(resource, namespace, name, subresource)


def _offers(resource: Resource, subresource: str) -> bool:
    if subresource in ("status", "scale"):
        return bool(getattr(resource, subresource))
    if subresource == "finalize":
        return resource.kind == "Namespace"
    return resource is POD and subresource in SUBRESOURCES
